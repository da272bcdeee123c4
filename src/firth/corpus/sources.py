"""What a source names: files, or sentences."""

from __future__ import annotations

import codecs
import glob
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from firth.errors import CorpusError, SettingsError

_ERRORS = ("strict", "replace", "ignore")


def files_of(source: Any) -> list[str] | None:
    """The files that a source names, in order, or None for one that is sentences; raises `CorpusError`."""
    if isinstance(source, str | os.PathLike):
        return _expanded(source)
    if not isinstance(source, Iterable):
        raise CorpusError(f"{_shown(source)} is neither a path nor sentences; give lists of tokens")
    iterator: Iterator[Any] = iter(source)
    if iterator is iter(source):
        raise CorpusError(
            f"{_shown(source)} can be read only once, and training reads its corpus again and again; "
            "give a list of it, or an object whose __iter__ starts anew"
        )
    first = next(iterator, None)
    if first is None:
        raise CorpusError("the source is empty; give it paths, or sentences as lists of tokens")
    if not isinstance(first, str | os.PathLike):
        return None
    try:
        return [name for each in source for name in _expanded(each)]
    except CorpusError as error:
        raise CorpusError(
            f"{error} (strings in a list are paths; sentences are lists of tokens: "
            "[line.split() for line in lines])"
        ) from None


def _expanded(source: Any) -> list[str]:
    if not isinstance(source, str | os.PathLike):
        raise CorpusError(f"{_shown(source)} stands among paths and is none")
    name = os.fspath(source)
    if name == "-":
        return [name]
    if os.path.isdir(name):
        found = sorted(str(path) for path in Path(name).rglob("*") if _visible(path, Path(name)))
        if not found:
            raise CorpusError(f"{_shown(name)}: this folder holds no files; check the path")
        return found
    if os.path.exists(name):
        return [name]
    if glob.has_magic(name):
        found = sorted(path for path in glob.glob(name, recursive=True) if os.path.isfile(path))
        if not found:
            raise CorpusError(f"{_shown(name)}: no file matches (from {os.getcwd()}); check the pattern")
        return found
    raise CorpusError(
        f"{_shown(name)}: no such file or folder (from {os.getcwd()}); "
        "check the path, or give text in memory as lists of tokens"
    )


def _visible(path: Path, folder: Path) -> bool:
    return path.is_file() and not any(part.startswith(".") for part in path.relative_to(folder).parts)


def _shown(value: Any) -> str:
    """A value in an error: names as they are, the rest by its repr, in one line of bounded length."""
    text = value if isinstance(value, str) and value.isprintable() else repr(value)
    return text if len(text) <= 80 else f"{text[:77]}..."


def check_encoding(encoding: str, errors: str) -> None:
    """Raise `SettingsError` unless text can be decoded so."""
    if errors not in _ERRORS:
        raise SettingsError(f"errors={errors!r} is not one of {', '.join(_ERRORS)}")
    try:
        b" ".decode(encoding)
        codecs.getincrementaldecoder(encoding)
    except LookupError:
        raise SettingsError(
            f"encoding={encoding!r} is not known to Python; utf-8, latin-1 and gb18030 are"
        ) from None
    except UnicodeDecodeError:
        pass  # of several bytes a character
