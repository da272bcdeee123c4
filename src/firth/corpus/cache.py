"""Encoded corpora kept from run to run: found by what they were made of, removed when long unused.

An entry is a folder named by a digest of its files' absolute paths, sizes and times and of how they were
read: a file that changes has another entry. It is written under another name and renamed into place, whole.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from firth.corpus.storage import ABOUT, FORMAT, Arrays, DamagedError, open_arrays, scratch, unwritable
from firth.errors import CorpusError

DAY = 86_400.0
UNUSED_AFTER = 30 * DAY
ABANDONED_AFTER = 1 * DAY  # a folder in the making, into which nothing was written for so long


def root(choice: str | os.PathLike[str] | None) -> Path:
    """The folder of the cache: the one chosen, else $FIRTH_CACHE, $XDG_CACHE_HOME/firth, ~/.cache/firth."""
    if choice is not None:
        return Path(choice)
    if named := os.environ.get("FIRTH_CACHE"):
        return Path(named)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "firth"


def entry(root: Path, made_of: dict[str, Any], build: Callable[[Path], None]) -> Arrays:
    """The arrays kept for `made_of`, built into a folder if there are none, or only damaged ones."""
    text = json.dumps({"format": FORMAT, **made_of}, sort_keys=True)
    folder = root / hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()[:32]
    arrays = _kept(folder) or _built(folder, build)
    with suppress(OSError):  # a cache that others keep may be read-only
        os.utime(folder / ABOUT)
    _sweep(root)
    return arrays


def _kept(folder: Path) -> Arrays | None:
    if not folder.exists():
        return None
    try:
        return open_arrays(folder)
    except DamagedError:
        shutil.rmtree(folder, ignore_errors=True)
        return None


def _built(folder: Path, build: Callable[[Path], None]) -> Arrays:
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise unwritable(folder.parent, error) from error
    with scratch(prefix=f".{folder.name}.", suffix=".part", parent=folder.parent) as making:
        build(making)
        _settle(making)
        with suppress(OSError):  # another process was faster: its entry serves as well
            os.rename(making, folder)
        try:
            return open_arrays(folder)
        except DamagedError as error:
            raise CorpusError(f"{error}; remove this folder, or pass cache=False") from error


def _settle(folder: Path) -> None:
    # On the disk before the rename, so that no power cut leaves an entry that only looks whole.
    for path in folder.iterdir():
        try:
            with path.open("rb") as file:
                os.fsync(file.fileno())
        except OSError as error:
            raise unwritable(folder, error) from error


def _sweep(root: Path) -> None:
    now = time.time()
    for folder in root.iterdir():
        if re.fullmatch(r"[0-9a-f]{32}", folder.name):
            allowed, used = UNUSED_AFTER, _last_written([folder / ABOUT])
        elif re.fullmatch(r"\.[0-9a-f]{32}\..*\.part", folder.name):
            allowed, used = ABANDONED_AFTER, _last_written([folder, *folder.glob("*")])
        else:
            continue
        if used < now - allowed:
            shutil.rmtree(folder, ignore_errors=True)


def _last_written(paths: list[Path]) -> float:
    times = [0.0]
    for path in paths:
        with suppress(OSError):
            times.append(path.stat().st_mtime)
    return max(times)
