"""What is learnt: the matrices, where they lie in memory, and what they start from."""

from __future__ import annotations

import mmap
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from firth.errors import SettingsError, TrainingError
from firth.extend import same_words
from firth.objectives import Objective
from firth.vectors import Vectors
from firth.vectors.search import not_finite
from firth.vocab import Vocabulary
from firth.words import NOWHERE, PackedWords

START = 5.0  # input vectors start uniformly within ±START/dim
ROW_BYTES = 64  # rows are padded to whole cache lines
HUGE_PAGE = 2 << 20


@dataclass
class Weights:
    """What is learnt: `input` (V, stride), `output` (rows, stride) and perhaps `bias` (rows,), all of one dtype.

    Rows are padded with zeros from `dim` to `stride` numbers. `frozen` (V,), where given, is 1 for each
    input row that is not learnt.
    """

    input: NDArray[np.floating]
    output: NDArray[np.floating]
    bias: NDArray[np.floating] | None
    dim: int
    frozen: NDArray[np.uint8] | None = None

    @classmethod
    def start(
        cls, vocab: Vocabulary, dim: int, objective: Objective, seed: int, dtype: type = np.float32
    ) -> Weights:
        """Input rows uniform in ±START/dim, output rows zero.

        word2vec.c starts from ±0.5/dim; from ten times that the first epoch loses less time in getting away from
        zero, which docs/quality.md measures.
        """
        rows, start_bias = objective.output_rows(vocab), objective.start_bias(vocab)
        weights = cls(aligned(len(vocab), dim, dtype), aligned(rows, dim, dtype), None, dim)
        random = np.random.default_rng(seed)
        for begin in range(0, len(vocab), 10_000):
            block = weights.input[begin : begin + 10_000, :dim]
            block[:] = (random.random(block.shape, dtype=np.float32) * 2 - 1) * (START / dim)
        if start_bias is not None:
            weights.bias = np.full(rows, start_bias, dtype)
        return weights

    @classmethod
    def extended(
        cls, old: Weights, before: Vocabulary, after: Vocabulary, objective: Objective, seed: int
    ) -> Weights:
        """Those of a larger vocabulary: words go on where they were, new ones start as usual.

        Output rows carry over what `objective` can.
        """
        weights = cls.start(after, old.dim, objective, seed)
        words = same_words(before, after)
        weights.input[words.after, : old.dim] = old.input[words.before, : old.dim]
        objective.carry(old.output[:, : old.dim], before, weights.output[:, : old.dim], after)
        if weights.bias is not None and old.bias is not None:  # a number a word, where there is one
            weights.bias[words.after] = old.bias[words.before]
        return weights

    def learnable(self) -> Weights:
        """A copy that can be learnt further: those of a model on disk are mapped, read-only and not padded."""
        bias = None if self.bias is None else self.bias.copy()
        copy = Weights(
            aligned(len(self.input), self.dim), aligned(len(self.output), self.dim), bias, self.dim, self.frozen
        )
        copy.input[:, : self.dim] = self.input[:, : self.dim]
        copy.output[:, : self.dim] = self.output[:, : self.dim]
        return copy


def aligned(rows: int, columns: int, dtype: type = np.float32) -> NDArray[np.floating]:
    """Zeros of shape (rows, columns padded to whole cache lines), on huge pages where the system gives them.

    Raises `TrainingError` where memory does not hold them.
    """
    stride = padded(columns, dtype)
    size = rows * stride * np.dtype(dtype).itemsize
    try:  # private: for shared memory the system has another setting, by default against huge pages
        memory = mmap.mmap(-1, size + HUGE_PAGE, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    except (OSError, OverflowError):
        raise TrainingError(
            f"{rows:,} rows of {columns:,} numbers need {size / 1e9:,.1f} GB, which this machine does not give; "
            "lower dim, or the number of words with min_count or max_size"
        ) from None
    if hasattr(mmap, "MADV_HUGEPAGE"):
        memory.madvise(mmap.MADV_HUGEPAGE)
    whole = np.frombuffer(memory, dtype=np.uint8)
    begin = -whole.ctypes.data % HUGE_PAGE
    return whole[begin : begin + size].view(dtype).reshape(rows, stride)


def padded(columns: int, dtype: type = np.float32) -> int:
    """How many numbers a row of so many takes."""
    item = np.dtype(dtype).itemsize
    return -(-columns * item // ROW_BYTES) * ROW_BYTES // item


def copy_rows(start: Vectors, weights: Weights, vocab: Vocabulary) -> list[str]:
    """Give the words that `start` knows its vectors as first input rows; returns these words.

    Raises `SettingsError` for vectors of another dimension, of none of these words, or that are not finite.
    """
    if start.dim != weights.dim:
        raise SettingsError(
            f"the starting vectors have {start.dim} dimensions, the model dim={weights.dim}; make them equal"
        )
    found = PackedWords.pack(start.words).find_all(vocab.words)
    rows = np.flatnonzero(found != NOWHERE)
    if not len(rows):
        raise SettingsError(
            "the starting vectors know none of the vocabulary's words; are they of another language or case?"
        )
    positions = found[rows]
    given = start.matrix[positions]
    damaged = not_finite(given)
    if damaged is not None:
        raise SettingsError(
            f"the starting vector of {vocab.words[rows[damaged]]!r} holds NaN or infinity; give finite numbers"
        )
    weights.input[rows, : weights.dim] = given
    return [vocab.words[int(row)] for row in rows]


def frozen_rows(
    frozen: Iterable[str] | Literal["old"], known: Iterable[str], vocab: Vocabulary
) -> NDArray[np.uint8] | None:
    """1 for each word of `vocab` whose input row is not to be learnt, shape (V,); None where all are.

    "old" stands for those of the `known` words that are in the vocabulary. Raises `SettingsError` where there are
    none, and `UnknownWordError` for a word that has no vector.
    """
    rows: list[int] = []
    if isinstance(frozen, str):
        if frozen != "old":
            raise SettingsError(f'frozen={frozen!r} must be "old" or words, as [{frozen!r}]')
        rows = [row for word in known if (row := vocab.words.find(word)) is not None]
        if not rows:
            raise SettingsError('frozen="old": no word has a vector yet; pass update=True or start=vectors')
    else:
        rows = [vocab.words.position(word) for word in frozen]
    if not rows:
        return None
    mask = np.zeros(len(vocab), dtype=np.uint8)
    mask[rows] = 1
    return mask
