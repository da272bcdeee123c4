"""An encoded corpus as a folder of plain arrays, which are mapped when it is opened."""

from __future__ import annotations

import io
import json
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from firth._core import Ingest
from firth.errors import CorpusError

FORMAT = 1
ABOUT = "corpus.json"  # written last: a folder without it is not whole

_DTYPES: dict[str, type[np.generic]] = {
    "ids": np.uint32,
    "offsets": np.uint64,
    "counts": np.int64,
    "word_text": np.uint8,
    "word_ends": np.uint64,
    "word_order": np.uint32,
}
_BLOCK = 1 << 20  # ids remapped at a time

Encoded = tuple[NDArray[np.uint32], NDArray[np.uint64]]
Arrays = dict[str, NDArray[Any]]


class DamagedError(Exception):
    """A folder does not hold what was written into it."""


def write(folder: Path, encoded: Callable[[Ingest], Iterable[Encoded]], name: str) -> None:
    """Write what `encoded` yields, its ids made ranks; raises `CorpusError` for no words and a full disk."""
    ingest = Ingest()
    with _create(folder / "ids") as ids, _create(folder / "offsets") as offsets:
        _append(offsets, np.zeros(1, dtype=np.uint64))
        for words, ends in encoded(ingest):
            _append(ids, words)
            _append(offsets, ends)
    text, ends, order, counts, ranks = ingest.vocabulary()
    if not len(counts):
        raise CorpusError(f"{name}: not one word is in it; give text, or check the tokenizer")
    _remap(folder / "ids", ranks)
    vocabulary: Arrays = {"word_text": text, "word_ends": ends, "word_order": order, "counts": counts}
    for part, array in vocabulary.items():
        with _create(folder / part) as file:
            _append(file, array)
    sizes = {part: (folder / part).stat().st_size for part in _DTYPES}
    about = json.dumps({"format": FORMAT, "source": name, "sizes": sizes}, indent=1).encode()
    with _create(folder / ABOUT) as file:
        _append(file, np.frombuffer(about, dtype=np.uint8))


def _create(path: Path) -> io.FileIO:
    try:
        return io.FileIO(path, "wb")
    except OSError as error:
        raise unwritable(path.parent, error) from error


def _append(file: io.FileIO, array: NDArray[Any]) -> None:
    # With write(), never through a map: a full disk is an error then, not the end of the process.
    rest = array.view(np.uint8).data
    try:
        while rest:
            rest = rest[file.write(rest) :]
    except OSError as error:
        raise unwritable(Path(str(file.name)).parent, error) from error


def unwritable(folder: Path, error: OSError) -> CorpusError:
    """The error to raise for one that the system gave while something was written in `folder`."""
    return CorpusError(
        f"{folder}: cannot be written: {error.strerror}; "
        "free some space there, or set FIRTH_CACHE (TMPDIR for what is not cached) to another folder"
    )


def _remap(path: Path, ranks: NDArray[np.uint32]) -> None:
    provisional = _mapped(path, np.uint32)
    with io.FileIO(path, "r+b") as file:
        for start in range(0, len(provisional), _BLOCK):
            _append(file, ranks[provisional[start : start + _BLOCK]])


def open_arrays(folder: Path) -> Arrays:
    """The arrays of a folder, mapped; raises `DamagedError` where one is missing or not as it was written."""
    try:
        about = json.loads((folder / ABOUT).read_bytes())
        if any((folder / part).stat().st_size != about["sizes"][part] for part in _DTYPES):
            raise DamagedError(f"{folder}: a file has another size than was written")
        arrays = {part: _mapped(folder / part, dtype) for part, dtype in _DTYPES.items()}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DamagedError(f"{folder}: {error}") from error
    ends = (arrays["offsets"][-1], arrays["counts"].sum(), arrays["word_ends"][-1])
    if ends != (len(arrays["ids"]), len(arrays["ids"]), len(arrays["word_text"])):
        raise DamagedError(f"{folder}: its arrays do not fit together")
    return arrays


def _mapped(path: Path, dtype: type[np.generic]) -> NDArray[Any]:
    return np.asarray(np.memmap(path, dtype, mode="r"))


def temporary_array(blocks: Iterable[NDArray[np.uint32]]) -> NDArray[np.uint32]:
    """The blocks one after another in a mapped file that goes with the array."""
    with scratch() as folder:
        with _create(folder / "ids") as file:
            for block in blocks:
                _append(file, block)
        return _mapped(folder / "ids", np.uint32)


@contextmanager
def scratch(*, prefix: str = "firth-", suffix: str = "", parent: Path | None = None) -> Iterator[Path]:
    """A folder that is removed in the end; what was mapped from it stays, for as long as it is used."""
    try:
        folder = tempfile.TemporaryDirectory(suffix, prefix, parent, ignore_cleanup_errors=True)
    except OSError as error:
        raise unwritable(parent or Path(tempfile.gettempdir()), error) from error
    with folder as name:
        yield Path(name)
