"""
The native loops of Firth: they see integers and floats; what a person touches is Python.
"""

from collections.abc import Sequence
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

class WordRange:
    """Words from one id to before another."""

    def __init__(self, start: int, stop: int) -> None: ...

    @property
    def start(self) -> int: ...

    @property
    def stop(self) -> int: ...

class NGramText:
    """Sentences as one stream: <s> words </s> <s> words </s> …"""

    def __init__(self, ids: Annotated[NDArray[numpy.uint32], dict(shape=(None,), order='C', device='cpu', writable=False)], offsets: Annotated[NDArray[numpy.uint64], dict(shape=(None,), order='C', device='cpu', writable=False)], table: Annotated[NDArray[numpy.uint32], dict(shape=(None,), order='C', device='cpu', writable=False)]) -> None: ...

    def read(self, start: int, out: Annotated[NDArray[numpy.uint32], dict(shape=(None,), order='C', device='cpu')]) -> None:
        """
        Fill `out` with the stream from a position, which may be below 0 (<s>).
        """

def ngram_sorted(piece: Annotated[NDArray[numpy.uint32], dict(shape=(None,), order='C', device='cpu', writable=False)], *, order: int, last: WordRange, words: int) -> Annotated[NDArray[numpy.uint32], dict(shape=(None,))]:
    """
    The n-grams of a piece of the stream that end in some words: words, the last first, and count of each.
    """

def ngram_sizes(runs: Sequence[Annotated[NDArray[numpy.uint32], dict(shape=(None,), order='C', device='cpu', writable=False)]], order: int) -> list[int]:
    """How many n-grams of each length the runs of one range of words hold."""

def ngram_log10(numbers: Annotated[NDArray[numpy.float32], dict(shape=(None,), order='C', device='cpu')]) -> None:
    """In place."""

class NGramLevels:
    """n-grams by length, used in place: see ngram.hpp."""

    def __init__(self, left: Sequence[Annotated[NDArray[numpy.uint32], dict(shape=(None,), order='C', device='cpu')]], begin: Sequence[Annotated[NDArray[numpy.uint32], dict(shape=(None,), order='C', device='cpu')]], count: Sequence[Annotated[NDArray[numpy.uint32], dict(shape=(None,), order='C', device='cpu')]], prob: Sequence[Annotated[NDArray[numpy.float32], dict(shape=(None,), order='C', device='cpu')]], backoff: Sequence[Annotated[NDArray[numpy.float32], dict(shape=(None,), order='C', device='cpu')]]) -> None: ...

    def fill(self, runs: Sequence[Annotated[NDArray[numpy.uint32], dict(shape=(None,), order='C', device='cpu', writable=False)]], *, last: WordRange, first: Sequence[int], adjusted: bool, prune: Sequence[int], kept: int) -> list[list[int]]:
        """
        Write the n-grams of runs; by length their number, that of the kept, and how many have count 0, 1, …
        """

    def estimate(self, k: int, *, last: WordRange, below: Annotated[NDArray[numpy.uint32], dict(shape=(None,), order='C', device='cpu')], here: Annotated[NDArray[numpy.uint32], dict(shape=(None,), order='C', device='cpu')], combine: str, take: Sequence[float], share: float, add: float, words: int) -> None: ...

    def ratios(self, k: int, *, last: WordRange, below: Annotated[NDArray[numpy.uint32], dict(shape=(None,), order='C', device='cpu')], here: Annotated[NDArray[numpy.uint32], dict(shape=(None,), order='C', device='cpu')], left_out: Annotated[NDArray[numpy.float32], dict(shape=(None,), order='C', device='cpu')]) -> list[float]: ...

    def leave_out(self, k: int, *, last: WordRange, here: Annotated[NDArray[numpy.uint32], dict(shape=(None,), order='C', device='cpu')], weight: float, below_left_out: Annotated[NDArray[numpy.float32], dict(shape=(None,), order='C', device='cpu')], here_left_out: Annotated[NDArray[numpy.float32], dict(shape=(None,), order='C', device='cpu')]) -> None: ...

    def compact(self, k: int, to: NGramLevels) -> None:
        """Copy level k without what is pruned."""

NGRAM_RATIO_ZERO: int = 256

class NGramModel:
    """A model's arrays, to ask. A history may begin with <s>."""

    def __init__(self, left: Sequence[Annotated[NDArray[numpy.uint32], dict(shape=(None,), order='C', device='cpu', writable=False)]], begin: Sequence[Annotated[NDArray[numpy.uint32], dict(shape=(None,), order='C', device='cpu', writable=False)]], prob: Sequence[Annotated[NDArray[numpy.float32], dict(shape=(None,), order='C', device='cpu', writable=False)]], backoff: Sequence[Annotated[NDArray[numpy.float32], dict(shape=(None,), order='C', device='cpu', writable=False)]], *, alone: bool, unseen: float) -> None: ...

    def score(self, ids: Annotated[NDArray[numpy.uint32], dict(shape=(None,), order='C', device='cpu', writable=False)], offsets: Annotated[NDArray[numpy.uint64], dict(shape=(None,), order='C', device='cpu', writable=False)], *, sentences: tuple[int, int], before: Annotated[NDArray[numpy.uint32], dict(shape=(None,), order='C', device='cpu', writable=False)], ends: bool, log10: Annotated[NDArray[numpy.float32], dict(shape=(None,), order='C', device='cpu')], length: Annotated[NDArray[numpy.uint8], dict(shape=(None,), order='C', device='cpu')]) -> None:
        """
        Score sentences into `log10` and `length`: every word, and the end where `ends`.
        """

    def follow(self, history: Annotated[NDArray[numpy.uint32], dict(shape=(None,), order='C', device='cpu', writable=False)], log10: Annotated[NDArray[numpy.float32], dict(shape=(None,), order='C', device='cpu')]) -> None:
        """log10 P(w | history) of every word w."""

    def lines(self, k: int, start: int, stop: int, text: Annotated[NDArray[numpy.uint8], dict(shape=(None,), order='C', device='cpu', writable=False)], ends: Annotated[NDArray[numpy.uint64], dict(shape=(None,), order='C', device='cpu', writable=False)]) -> bytes:
        """n-grams of length k as lines of an ARPA file."""

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

    def __init__(self, ids: Annotated[NDArray[numpy.uint32], dict(shape=(None,), order='C', device='cpu', writable=False)], offsets: Annotated[NDArray[numpy.uint64], dict(shape=(None,), order='C', device='cpu', writable=False)], keep: Annotated[NDArray[numpy.uint32], dict(shape=(None,), order='C', device='cpu', writable=False)], input: Annotated[NDArray[numpy.float32], dict(shape=(None, None), order='C', device='cpu')], output: Annotated[NDArray[numpy.float32], dict(shape=(None, None), order='C', device='cpu')], bias: Annotated[NDArray[numpy.float32], dict(shape=(None,), order='C', device='cpu')] | None, *, context: str, window: int, shrink: bool, mean: bool, exact: bool, objective: str, noise: NoiseTable | None, tree: TreeTable | None) -> None: ...

    def run(self, *, seed: int, epoch: int, rate_from: float, rate_to: float, next_block: Annotated[NDArray[numpy.uint64], dict(shape=(None,), order='C', device='cpu')], counters: Annotated[NDArray[numpy.uint64], dict(shape=(None,), order='C', device='cpu')], stop: Annotated[NDArray[numpy.int32], dict(shape=(None,), order='C', device='cpu')]) -> None:
        """
        Learn blocks of the text until none is left; any number of threads may do so at once, each with its
        own counters (8 numbers of 64 bits: tokens, predictions, then the loss as a double).
        """

class DoubleTask:
    """
    What one training run learns from and into; the arrays are used in place.
    """

    def __init__(self, ids: Annotated[NDArray[numpy.uint32], dict(shape=(None,), order='C', device='cpu', writable=False)], offsets: Annotated[NDArray[numpy.uint64], dict(shape=(None,), order='C', device='cpu', writable=False)], keep: Annotated[NDArray[numpy.uint32], dict(shape=(None,), order='C', device='cpu', writable=False)], input: Annotated[NDArray[numpy.float64], dict(shape=(None, None), order='C', device='cpu')], output: Annotated[NDArray[numpy.float64], dict(shape=(None, None), order='C', device='cpu')], bias: Annotated[NDArray[numpy.float64], dict(shape=(None,), order='C', device='cpu')] | None, *, context: str, window: int, shrink: bool, mean: bool, exact: bool, objective: str, noise: NoiseTable | None, tree: TreeTable | None) -> None: ...

    def run(self, *, seed: int, epoch: int, rate_from: float, rate_to: float, next_block: Annotated[NDArray[numpy.uint64], dict(shape=(None,), order='C', device='cpu')], counters: Annotated[NDArray[numpy.uint64], dict(shape=(None,), order='C', device='cpu')], stop: Annotated[NDArray[numpy.int32], dict(shape=(None,), order='C', device='cpu')]) -> None:
        """
        Learn blocks of the text until none is left; any number of threads may do so at once, each with its
        own counters (8 numbers of 64 bits: tokens, predictions, then the loss as a double).
        """

BLOCK_TOKENS: int = 2000

def instruction_set() -> str | None:
    """
    The vector instructions in use: avx512, avx2 or plain; None where FIRTH_ISA names one that cannot run here.
    """
