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

    def add_text(self, text: bytes) -> tuple[Annotated[NDArray[numpy.uint32], dict(shape=(None,))], Annotated[NDArray[numpy.uint64], dict(shape=(None,))]]:
        """
        A piece of UTF-8, over whose end no word reaches. Gives the ids of its words (uint32), and for each line that ended how many words of the piece came before (uint64). Raises InvalidByte.
        """

    def add_sentences(self, sentences: list[Any]) -> tuple[Annotated[NDArray[numpy.uint32], dict(shape=(None,))], Annotated[NDArray[numpy.uint64], dict(shape=(None,))]]:
        """
        A list of sentences, each a sequence of tokens that may hold anything; gives what `add_text` gives. Raises TypeError or ValueError for what is not such a list.
        """

    def drain(self) -> tuple[Annotated[NDArray[numpy.uint8], dict(shape=(None,))], Annotated[NDArray[numpy.uint64], dict(shape=(None,))], Annotated[NDArray[numpy.int64], dict(shape=(None,))], Annotated[NDArray[numpy.uint32], dict(shape=(None,))]]:
        """
        The words since the last call, sorted by bytes: their UTF-8 text (uint8), the end of each in it (uint64), their counts (int64), their ids (uint32). Ids begin anew.
        """

    @property
    def memory(self) -> int:
        """The bytes that the words take, and that `drain` needs besides."""

def read_ahead(ids: Annotated[NDArray[numpy.uint32], dict(shape=(None,), order='C', device='cpu', writable=False)], offsets: Annotated[NDArray[numpy.uint64], dict(shape=(None,), order='C', device='cpu', writable=False)], *, seed: int, epoch: int, in_rounds: bool, next_block: Annotated[NDArray[numpy.uint64], dict(shape=(None,))], stop: Annotated[NDArray[numpy.int32], dict(shape=(None,))]) -> None:
    """
    While an epoch is learnt, have the system read the blocks that come next, and unmap those that are learnt; ends with the epoch or `stop`. The ids must lie in a mapped file: in memory they would be lost.
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
    """
    A Huffman tree, to be walked from words to the root; the paths of so many words are written down.
    """

    def __init__(self, up: Annotated[NDArray[numpy.uint32], dict(shape=(None,), order='C', device='cpu', writable=False)], *, written: int) -> None: ...

class Task:
    """
    What one training run learns from and into; the arrays are used in place.
    """

    def __init__(self, ids: Annotated[NDArray[numpy.uint32], dict(shape=(None,), order='C', device='cpu', writable=False)], offsets: Annotated[NDArray[numpy.uint64], dict(shape=(None,), order='C', device='cpu', writable=False)], keep: Annotated[NDArray[numpy.uint32], dict(shape=(None,), order='C', device='cpu', writable=False)], input: Annotated[NDArray[numpy.float32], dict(shape=(None, None), order='C', device='cpu')], output: Annotated[NDArray[numpy.float32], dict(shape=(None, None), order='C', device='cpu')], bias: Annotated[NDArray[numpy.float32], dict(shape=(None,), order='C', device='cpu')] | None, *, context: str, window: int, shrink: bool, mean: bool, exact: bool, objective: str, noise: NoiseTable | None, tree: TreeTable | None, frozen: Annotated[NDArray[numpy.uint8], dict(shape=(None,), order='C', device='cpu', writable=False)] | None = None) -> None: ...

    def run(self, *, seed: int, epoch: int, rate_from: float, rate_to: float, next_block: Annotated[NDArray[numpy.uint64], dict(shape=(None,), order='C', device='cpu')], counters: Annotated[NDArray[numpy.uint64], dict(shape=(None,), order='C', device='cpu')], stop: Annotated[NDArray[numpy.int32], dict(shape=(None,), order='C', device='cpu')], thread: int = 0, threads: int = 1, meeting: Annotated[NDArray[numpy.uint64], dict(shape=(None,), order='C', device='cpu')] | None = None) -> None:
        """
        Learn blocks of the text until none is left; any number of threads may do so at once, each with its
        own counters (8 numbers of 64 bits: tokens, predictions, then the loss as a double). A `stop` of 1 makes
        them leave at the next window, of 2 before the next block, from where `run` goes on when called again.
        With a `meeting` (MEETING_SIZE zeros, shared) what they learn does not depend on their number.
        """

class DoubleTask:
    """
    What one training run learns from and into; the arrays are used in place.
    """

    def __init__(self, ids: Annotated[NDArray[numpy.uint32], dict(shape=(None,), order='C', device='cpu', writable=False)], offsets: Annotated[NDArray[numpy.uint64], dict(shape=(None,), order='C', device='cpu', writable=False)], keep: Annotated[NDArray[numpy.uint32], dict(shape=(None,), order='C', device='cpu', writable=False)], input: Annotated[NDArray[numpy.float64], dict(shape=(None, None), order='C', device='cpu')], output: Annotated[NDArray[numpy.float64], dict(shape=(None, None), order='C', device='cpu')], bias: Annotated[NDArray[numpy.float64], dict(shape=(None,), order='C', device='cpu')] | None, *, context: str, window: int, shrink: bool, mean: bool, exact: bool, objective: str, noise: NoiseTable | None, tree: TreeTable | None, frozen: Annotated[NDArray[numpy.uint8], dict(shape=(None,), order='C', device='cpu', writable=False)] | None = None) -> None: ...

    def run(self, *, seed: int, epoch: int, rate_from: float, rate_to: float, next_block: Annotated[NDArray[numpy.uint64], dict(shape=(None,), order='C', device='cpu')], counters: Annotated[NDArray[numpy.uint64], dict(shape=(None,), order='C', device='cpu')], stop: Annotated[NDArray[numpy.int32], dict(shape=(None,), order='C', device='cpu')], thread: int = 0, threads: int = 1, meeting: Annotated[NDArray[numpy.uint64], dict(shape=(None,), order='C', device='cpu')] | None = None) -> None:
        """
        Learn blocks of the text until none is left; any number of threads may do so at once, each with its
        own counters (8 numbers of 64 bits: tokens, predictions, then the loss as a double). A `stop` of 1 makes
        them leave at the next window, of 2 before the next block, from where `run` goes on when called again.
        With a `meeting` (MEETING_SIZE zeros, shared) what they learn does not depend on their number.
        """

MEETING_SIZE: int = 16

def block_tokens(text: int, *, in_rounds: bool) -> int:
    """Tokens of a block of a text of so many."""

def instruction_set() -> str | None:
    """
    The vector instructions in use: avx512, avx2 or plain; None where FIRTH_ISA names one that cannot run here.
    """

def order_words(text: Annotated[NDArray[numpy.uint8], dict(shape=(None,), order='C', device='cpu', writable=False)], ends: Annotated[NDArray[numpy.uint64], dict(shape=(None,), order='C', device='cpu', writable=False)]) -> Annotated[NDArray[numpy.uint32], dict(shape=(None,))]:
    """The positions of the words sorted by their bytes (uint32)."""

def find_words(text: Annotated[NDArray[numpy.uint8], dict(shape=(None,), order='C', device='cpu', writable=False)], ends: Annotated[NDArray[numpy.uint64], dict(shape=(None,), order='C', device='cpu', writable=False)], order: Annotated[NDArray[numpy.uint32], dict(shape=(None,), order='C', device='cpu', writable=False)], wanted_text: Annotated[NDArray[numpy.uint8], dict(shape=(None,), order='C', device='cpu', writable=False)], wanted_ends: Annotated[NDArray[numpy.uint64], dict(shape=(None,), order='C', device='cpu', writable=False)], wanted_order: Annotated[NDArray[numpy.uint32], dict(shape=(None,), order='C', device='cpu', writable=False)]) -> Annotated[NDArray[numpy.uint32], dict(shape=(None,))]:
    """
    The position in the first list of each word of the second, 0xFFFFFFFF for none (uint32); the orders are those of `order_words`.
    """

def renumber(ids: Annotated[NDArray[numpy.uint32], dict(shape=(None,), order='C', device='cpu')], table: Annotated[NDArray[numpy.uint32], dict(shape=(None,), order='C', device='cpu', writable=False)]) -> None:
    """Each id (uint32) becomes table[id], in place."""

def huffman(counts: Annotated[NDArray[numpy.int64], dict(shape=(None,), order='C', device='cpu', writable=False)]) -> Annotated[NDArray[numpy.uint32], dict(shape=(None,))]:
    """
    The Huffman tree of falling counts: the step up from each word, then from each inner node (uint32); see task.hpp.
    """

class Merge:
    """
    Counted lists of words, each sorted by bytes, become one by falling count, ties by bytes.
    """

    def __init__(self, runs: Sequence[tuple[Annotated[NDArray[numpy.uint8], dict(shape=(None,), order='C', device='cpu', writable=False)], Annotated[NDArray[numpy.uint64], dict(shape=(None,), order='C', device='cpu', writable=False)], Annotated[NDArray[numpy.int64], dict(shape=(None,), order='C', device='cpu', writable=False)]]]) -> None:
        """For each list text, ends and counts, which it reads in place."""

    def survey(self, most: int) -> bool:
        """
        Look at that many words more, to know how many there are; says whether some are left.
        """

    @property
    def words(self) -> int: ...

    @property
    def bytes(self) -> int: ...

    def place(self, text: Annotated[NDArray[numpy.uint8], dict(shape=(None,), order='C', device='cpu')], ends: Annotated[NDArray[numpy.uint64], dict(shape=(None,), order='C', device='cpu')], order: Annotated[NDArray[numpy.uint32], dict(shape=(None,), order='C', device='cpu')], counts: Annotated[NDArray[numpy.int64], dict(shape=(None,), order='C', device='cpu')], ranks: Annotated[NDArray[numpy.uint32], dict(shape=(None,), order='C', device='cpu')], most: int) -> bool:
        """
        After the survey, put that many words more where they belong; says whether some are left. `text`, `ends` and `counts` are by rank, `order` is the ranks of the words sorted by bytes, `ranks` those of the words of all lists, one list after another.
        """
