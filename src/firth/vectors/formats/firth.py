"""Firth's own format: a directory with config.json and a safetensors file that is mapped, not read."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from firth.errors import FormatError
from firth.files import read_directory, write_directory
from firth.tensors import open_tensors, write_tensors
from firth.vectors.store import Vectors
from firth.words import PackedWords

_DTYPES = {
    "matrix": np.float32, "norms": np.float32, "counts": np.int64,
    "text": np.uint8, "ends": np.uint64, "order": np.uint32,
}  # fmt: skip

FILE = "vectors.safetensors"  # in every saved model's directory too


def write(vectors: Vectors, path: Path) -> None:
    """Write a directory of vectors alone."""
    config = {"kind": "vectors", "rows": len(vectors), "dim": vectors.dim, "info": vectors.info}
    write_directory(path, config, {FILE: partial(write_tensors, tensors=to_tensors(vectors))})


def read(path: Path, limit: int | None) -> Vectors:
    """Open the vectors of a directory, whatever else is saved in it."""
    config, files = read_directory(path)
    if FILE not in files:
        raise FormatError(f"{path}: holds no vectors, but {config.get('kind', 'something')!r}; check the path")
    vectors = from_tensors(open_tensors(files[FILE]), files[FILE], info=config.get("info"))
    return vectors if limit is None else vectors.restrict(limit)


def to_tensors(vectors: Vectors) -> dict[str, NDArray[Any]]:
    """Vectors as named arrays: matrix (V, N), norms (V,), counts (V,) if known, and the packed words."""
    words = vectors.words if isinstance(vectors.words, PackedWords) else PackedWords.pack(vectors.words)
    tensors: dict[str, NDArray[Any]] = {"matrix": vectors.matrix, "norms": vectors.norms}
    if vectors.counts is not None:
        tensors["counts"] = vectors.counts
    return tensors | {"text": words.text, "ends": words.ends, "order": words.order}


def from_tensors(tensors: dict[str, NDArray[Any]], path: Path, *, info: dict[str, Any] | None) -> Vectors:
    """The vectors of `to_tensors`; looks at sizes only, so that opening takes no longer for more words.

    Raises `FormatError`, naming `path`, for arrays that do not fit together.
    """
    try:
        if any(tensors[name].dtype != dtype for name, dtype in _DTYPES.items() if name in tensors):
            raise ValueError("of another type of number")
        text, ends, order = (tensors[name] for name in ("text", "ends", "order"))
        if ends.shape != order.shape or text.shape != (int(ends[-1]) if len(ends) else 0,):
            raise ValueError("words of differing sizes")
        words = PackedWords(text, ends, order)
        return Vectors(words, tensors["matrix"], norms=tensors["norms"], counts=tensors.get("counts"), info=info)
    except (KeyError, ValueError, TypeError) as error:
        raise FormatError(
            f"{path}: its arrays do not make vectors ({error}); save or copy the directory again"
        ) from None
