"""The native loops of Firth: they see integers and floats; what a person touches is Python."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

class InvalidByte(ValueError):
    """A byte that is not UTF-8: its line and column, from 1, and its value."""

class Ingest:
    """Counts and encodes text piece by piece; ids are provisional till the end."""

    def __init__(self) -> None: ...
    def feed(self, text: bytes) -> tuple[NDArray[np.uint32], NDArray[np.uint64]]: ...
    def end_text(self) -> tuple[NDArray[np.uint32], NDArray[np.uint64]]: ...
    def add(self, sentences: list[Sequence[str]]) -> tuple[NDArray[np.uint32], NDArray[np.uint64]]: ...
    def vocabulary(
        self,
    ) -> tuple[
        NDArray[np.uint8], NDArray[np.uint64], NDArray[np.uint32], NDArray[np.int64], NDArray[np.uint32]
    ]: ...
