"""
The native loops of Firth: they see integers and floats; what a person touches is Python.
"""

from typing import Annotated

import numpy
from numpy.typing import NDArray


class InvalidByte(ValueError):
    """A byte that is not UTF-8: its line and column, from 1, and its value."""

class Ingest:
    """
    Counts and encodes text piece by piece; ids are provisional till the end.
    """

    def __init__(self) -> None: ...

    def feed(self, text: bytes) -> tuple[Annotated[NDArray[numpy.uint32], dict(shape=(None,))], Annotated[NDArray[numpy.uint64], dict(shape=(None,))]]:
        """
        Any piece of UTF-8. Gives the ids of the words that ended in it (uint32), and for each sentence that ended how many words came before its end, in all (uint64). Raises InvalidByte.
        """

    def end_text(self) -> tuple[Annotated[NDArray[numpy.uint32], dict(shape=(None,))], Annotated[NDArray[numpy.uint64], dict(shape=(None,))]]:
        """The end of a text and of its last line; gives what `feed` gives."""

    def add(self, sentences: list) -> tuple[Annotated[NDArray[numpy.uint32], dict(shape=(None,))], Annotated[NDArray[numpy.uint64], dict(shape=(None,))]]:
        """
        A list of sentences, each a sequence of tokens that may hold anything; gives what `feed` gives. Raises TypeError or ValueError for what is not such a list.
        """

    def vocabulary(self) -> tuple[Annotated[NDArray[numpy.uint8], dict(shape=(None,))], Annotated[NDArray[numpy.uint64], dict(shape=(None,))], Annotated[NDArray[numpy.uint32], dict(shape=(None,))], Annotated[NDArray[numpy.int64], dict(shape=(None,))], Annotated[NDArray[numpy.uint32], dict(shape=(None,))]]:
        """
        Words by falling count, ties by bytes: their UTF-8 text (uint8), the end of each in it (uint64), their order by bytes (uint32), their counts (int64); and the rank of each provisional id (uint32).
        """
