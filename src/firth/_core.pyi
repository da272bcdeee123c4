"""
The native loops of Firth: they see integers and floats; what a person touches is Python.
"""

from typing import Annotated, Any

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

    def add(self, sentences: list[Any]) -> tuple[Annotated[NDArray[numpy.uint32], dict(shape=(None,))], Annotated[NDArray[numpy.uint64], dict(shape=(None,))]]:
        """
        A list of sentences, each a sequence of tokens that may hold anything; gives what `feed` gives. Raises TypeError or ValueError for what is not such a list.
        """

    def vocabulary(self) -> tuple[Annotated[NDArray[numpy.uint8], dict(shape=(None,))], Annotated[NDArray[numpy.uint64], dict(shape=(None,))], Annotated[NDArray[numpy.uint32], dict(shape=(None,))], Annotated[NDArray[numpy.int64], dict(shape=(None,))], Annotated[NDArray[numpy.uint32], dict(shape=(None,))]]:
        """
        Words by falling count, ties by bytes: their UTF-8 text (uint8), the end of each in it (uint64), their order by bytes (uint32), their counts (int64); and the rank of each provisional id (uint32).
        """

class NoiseTable:
    """A distribution over ids, to draw from in constant time."""

    def __init__(self, q: Annotated[NDArray[numpy.float64], dict(shape=(None,), order='C', device='cpu', writable=False)], negatives: int) -> None: ...

    def draw(self, count: int, *, seed: int) -> list[int]: ...

class TreeTable:
    """Paths from the root of a Huffman tree to each word."""

    def __init__(self, offsets: Annotated[NDArray[numpy.uint64], dict(shape=(None,), order='C', device='cpu', writable=False)], nodes: Annotated[NDArray[numpy.uint32], dict(shape=(None,), order='C', device='cpu', writable=False)], signs: Annotated[NDArray[numpy.float32], dict(shape=(None,), order='C', device='cpu', writable=False)]) -> None: ...

class Task:
    """
    What one training run learns from and into; the arrays are used in place.
    """

    def __init__(self, ids: Annotated[NDArray[numpy.uint32], dict(shape=(None,), order='C', device='cpu', writable=False)], offsets: Annotated[NDArray[numpy.uint64], dict(shape=(None,), order='C', device='cpu', writable=False)], keep: Annotated[NDArray[numpy.uint32], dict(shape=(None,), order='C', device='cpu', writable=False)], input: Annotated[NDArray[numpy.float32], dict(shape=(None, None), order='C', device='cpu')], output: Annotated[NDArray[numpy.float32], dict(shape=(None, None), order='C', device='cpu')], bias: Annotated[NDArray[numpy.float32], dict(shape=(None,), order='C', device='cpu')] | None, *, context: str, window: int, shrink: bool, mean: bool, exact: bool, objective: str, noise: NoiseTable | None, tree: TreeTable | None, frozen: Annotated[NDArray[numpy.uint8], dict(shape=(None,), order='C', device='cpu', writable=False)] | None = None) -> None: ...

    def run(self, *, seed: int, epoch: int, rate_from: float, rate_to: float, next_block: Annotated[NDArray[numpy.uint64], dict(shape=(None,), order='C', device='cpu')], counters: Annotated[NDArray[numpy.uint64], dict(shape=(None,), order='C', device='cpu')], stop: Annotated[NDArray[numpy.int32], dict(shape=(None,), order='C', device='cpu')]) -> None:
        """
        Learn blocks of the text until none is left; any number of threads may do so at once, each with its
        own counters (8 numbers of 64 bits: tokens, predictions, then the loss as a double). A `stop` of 1 makes
        them leave at the next window, of 2 before the next block, from where `run` goes on when called again.
        """

class DoubleTask:
    """
    What one training run learns from and into; the arrays are used in place.
    """

    def __init__(self, ids: Annotated[NDArray[numpy.uint32], dict(shape=(None,), order='C', device='cpu', writable=False)], offsets: Annotated[NDArray[numpy.uint64], dict(shape=(None,), order='C', device='cpu', writable=False)], keep: Annotated[NDArray[numpy.uint32], dict(shape=(None,), order='C', device='cpu', writable=False)], input: Annotated[NDArray[numpy.float64], dict(shape=(None, None), order='C', device='cpu')], output: Annotated[NDArray[numpy.float64], dict(shape=(None, None), order='C', device='cpu')], bias: Annotated[NDArray[numpy.float64], dict(shape=(None,), order='C', device='cpu')] | None, *, context: str, window: int, shrink: bool, mean: bool, exact: bool, objective: str, noise: NoiseTable | None, tree: TreeTable | None, frozen: Annotated[NDArray[numpy.uint8], dict(shape=(None,), order='C', device='cpu', writable=False)] | None = None) -> None: ...

    def run(self, *, seed: int, epoch: int, rate_from: float, rate_to: float, next_block: Annotated[NDArray[numpy.uint64], dict(shape=(None,), order='C', device='cpu')], counters: Annotated[NDArray[numpy.uint64], dict(shape=(None,), order='C', device='cpu')], stop: Annotated[NDArray[numpy.int32], dict(shape=(None,), order='C', device='cpu')]) -> None:
        """
        Learn blocks of the text until none is left; any number of threads may do so at once, each with its
        own counters (8 numbers of 64 bits: tokens, predictions, then the loss as a double). A `stop` of 1 makes
        them leave at the next window, of 2 before the next block, from where `run` goes on when called again.
        """

BLOCK_TOKENS: int = 2000

def instruction_set() -> str | None:
    """
    The vector instructions in use: avx512, avx2 or plain; None where FIRTH_ISA names one that cannot run here.
    """
