"""An encoded corpus as a folder of plain arrays, which are mapped when it is opened."""

from __future__ import annotations

import io
import json
import mmap
import os
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from firth.errors import CorpusError

FORMAT = 1
ABOUT = "corpus.json"  # written last: a folder without it is not whole

DTYPES: dict[str, type[np.generic]] = {
    "ids": np.uint32,
    "offsets": np.uint64,
    "counts": np.int64,
    "word_text": np.uint8,
    "word_ends": np.uint64,
    "word_order": np.uint32,
}
Arrays = dict[str, NDArray[Any]]


class DamagedError(Exception):
    """A folder does not hold what was written into it."""


def open_file(path: Path, mode: str = "wb") -> io.FileIO:
    """A file to `append` to."""
    try:
        return io.FileIO(path, mode)
    except OSError as error:
        raise unwritable(path.parent, error) from error


def append(file: io.FileIO, array: NDArray[Any]) -> None:
    """Write an array where the file stands; raises `CorpusError` for what cannot be written."""
    # With write(), never through a map: a full disk is an error then, not the end of the process.
    rest = array.view(np.uint8).data
    try:
        while rest:
            rest = rest[file.write(rest) :]
    except OSError as error:
        raise unwritable(Path(str(file.name)).parent, error) from error


def room(path: Path, dtype: type[np.generic], size: int) -> NDArray[Any]:
    """An array of zeros that is mapped to be filled; the disk has room for it, or this raises `CorpusError`."""
    with open_file(path) as file:
        try:
            file.truncate(size * np.dtype(dtype).itemsize)
            if size and hasattr(os, "posix_fallocate"):  # macOS has none
                os.posix_fallocate(file.fileno(), 0, size * np.dtype(dtype).itemsize)
        except OSError as error:
            raise unwritable(path.parent, error) from error
    return mapped(path, dtype, "r+")


def unwritable(folder: Path, error: OSError) -> CorpusError:
    """The error to raise for one that the system gave while something was written in `folder`."""
    return CorpusError(
        f"{folder}: cannot be written: {error.strerror}; "
        "free some space there, or set FIRTH_CACHE (TMPDIR for what is not cached) to another folder"
    )


def open_arrays(folder: Path) -> Arrays:
    """The arrays of a folder, mapped; raises `DamagedError` where one is missing or not as it was written."""
    try:
        about = json.loads((folder / ABOUT).read_bytes())
        if any((folder / part).stat().st_size != about["sizes"][part] for part in DTYPES):
            raise DamagedError(f"{folder}: a file has another size than was written")
        arrays = {part: mapped(folder / part, dtype) for part, dtype in DTYPES.items()}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DamagedError(f"{folder}: {error}") from error
    ends = (arrays["offsets"][-1], arrays["counts"].sum(), arrays["word_ends"][-1])
    if ends != (len(arrays["ids"]), len(arrays["ids"]), len(arrays["word_text"])):
        raise DamagedError(f"{folder}: its arrays do not fit together")
    return arrays


def mapped(path: Path, dtype: type[np.generic], mode: Literal["r", "r+"] = "r") -> NDArray[Any]:
    """The numbers of a file, which are read when they are looked at."""
    return np.asarray(np.memmap(path, dtype, mode)) if path.stat().st_size else np.empty(0, dtype)


def advise(arrays: Iterable[NDArray[Any]], advice: int) -> None:
    """Tell the system how the files that the arrays map are used: one of mmap.MADV_*."""
    for array in arrays:
        base: Any = array
        while isinstance(base, np.ndarray):
            base = base.base
        if isinstance(base, mmap.mmap):  # an empty array is none
            base.madvise(advice)


def temporary_array(blocks: Iterable[NDArray[Any]], dtype: type[np.generic] = np.uint32) -> NDArray[Any]:
    """The blocks, of one dtype, one after another in a mapped file that goes with the array."""
    with scratch() as folder:
        with open_file(folder / "ids") as file:
            for block in blocks:
                append(file, block)
        return mapped(folder / "ids", dtype)


@contextmanager
def scratch(*, prefix: str = "firth-", suffix: str = "", parent: Path | None = None) -> Iterator[Path]:
    """A folder that is removed in the end; what was mapped from it stays, for as long as it is used."""
    try:
        folder = tempfile.TemporaryDirectory(suffix, prefix, parent, ignore_cleanup_errors=True)
    except OSError as error:
        raise unwritable(parent or Path(tempfile.gettempdir()), error) from error
    with folder as name:
        yield Path(name)
