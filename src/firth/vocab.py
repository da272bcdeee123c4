"""The vocabulary: words in order of frequency, their counts, and what training derives from the counts."""

from __future__ import annotations

import itertools
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from firth._core import huffman
from firth.errors import SettingsError, VocabularyError
from firth.files import COMPRESSED, READING_ERRORS, atomic_write, open_binary
from firth.words import PackedWords, decode

_LINES = 1 << 16  # written at a time

Number = TypeVar("Number", bound=np.generic)


@dataclass(frozen=True, eq=False)
class Vocabulary:
    """Words sorted by falling count, ties by their bytes; a word's position is its id.

    `counts` is int64 of shape (V,).
    """

    words: PackedWords
    counts: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.words)

    @classmethod
    def from_counts(cls, counts: Mapping[str, int]) -> Vocabulary:
        """The vocabulary of these counts, put in order."""
        return cls._ranked(list(counts), np.fromiter(counts.values(), dtype=np.int64, count=len(counts)))

    @classmethod
    def _ranked(cls, words: list[str], counts: NDArray[np.int64]) -> Vocabulary:
        packed = PackedWords.pack(words)
        order = packed.order[np.argsort(-counts[packed.order], kind="stable")]
        return cls(PackedWords.pack([words[position] for position in order.tolist()]), counts[order])

    @cached_property
    def total(self) -> int:
        """Occurrences of all words together."""
        return int(self.counts.sum())

    def prune(self, *, min_count: int = 1, max_size: int | None = None) -> Vocabulary:
        """The words that occur at least `min_count` times, of these the `max_size` most frequent.

        Raises `VocabularyError` where nothing is left.
        """
        if min_count < 1:
            raise SettingsError(f"min_count={min_count} must be at least 1")
        if max_size is not None and max_size < 1:
            raise SettingsError(f"max_size={max_size} must be at least 1")
        size = len(self) - int(np.searchsorted(self.counts[::-1], min_count))
        size = size if max_size is None else min(size, max_size)
        if size == 0:
            raise VocabularyError(
                f"no word is left: min_count={min_count}, but the most frequent of {len(self):,} words "
                f"occurs {int(self.counts[0]) if len(self) else 0} times; lower min_count or give more text"
            )
        return self if size == len(self) else Vocabulary(self.words.first(size), self.counts[:size])

    def keep_probabilities(self, subsample: float) -> NDArray[np.float64]:
        """The probability, shape (V,), that an occurrence survives subsampling; all ones for `subsample=0`.

        min(1, √(t/f) + t/f) with f the relative frequency: word2vec.c's form of Mikolov et al. 2013b, §2.3.
        """
        if subsample == 0:
            return np.ones(len(self))
        ratio = subsample * self.total / self.counts
        return np.minimum(1.0, np.sqrt(ratio) + ratio)

    def noise(self, exponent: float = 0.75) -> NDArray[np.float64]:
        """The distribution, shape (V,), that negatives are drawn from: q ∝ counts^exponent, summing to 1."""
        weights = self.counts.astype(np.float64) ** exponent
        return weights / float(weights.sum())

    def huffman(self) -> HuffmanTree:
        """The tree of hierarchical softmax over these counts."""
        return HuffmanTree.build(self.counts)

    def save(self, path: str | Path) -> None:
        """Write a line `word<TAB>count` for each word, in order."""
        with atomic_write(path) as file:
            lines = zip(self.words.encoded(), self.counts.tolist(), strict=True)
            for block in iter(lambda: list(itertools.islice(lines, _LINES)), []):
                file.write(b"".join([b"%s\t%d\n" % (_escape(word), count) for word, count in block]))

    @classmethod
    def load(cls, path: str | Path) -> Vocabulary:
        """Read what `save` wrote, or any `word count` lines; raises `VocabularyError` with the line."""
        words: list[str] = []
        counts: list[int] = []
        with open_binary(path) as file:
            try:
                for line in file:
                    word, count = _parse(line, path, len(words) + 1)
                    words.append(word)
                    counts.append(count)
            except READING_ERRORS as error:
                raise VocabularyError(
                    f"{path}: cannot be read to its end: {error}; it is damaged or cut short, write it anew"
                ) from error
        if not words:
            raise VocabularyError(f"{path}: the vocabulary is empty; write one with firth vocab")
        _check_distinct(words, path)
        return cls._ranked(words, np.array(counts, dtype=np.int64))


def _check_distinct(words: list[str], path: str | Path) -> None:
    if len(set(words)) == len(words):
        return
    seen: set[str] = set()
    for number, word in enumerate(words, start=1):
        if word in seen:
            raise VocabularyError(f"{path}:{number}: {word!r} stands here for the second time; keep one of them")
        seen.add(word)


def _escape(word: bytes) -> bytes:
    """The word without line ends, and not as the first bytes of a compressed file."""
    escaped = word.replace(b"\\", b"\\\\").replace(b"\n", b"\\n").replace(b"\r", b"\\r")
    return b"\\" + escaped if escaped.startswith(COMPRESSED) else escaped


def _unescape(word: bytes) -> bytes:
    if b"\\" not in word:
        return word
    return re.sub(rb"\\(.)", lambda m: {b"n": b"\n", b"r": b"\r"}.get(m[1], m[1]), word)


def _parse(line: bytes, path: str | Path, number: int) -> tuple[str, int]:
    line = line.rstrip(b"\r\n")
    separator = b"\t" if b"\t" in line else b" "
    word, _, count = line.rpartition(separator)
    if not word or not count.isdigit() or len(count) > 19 or not 1 <= int(count) < 1 << 63:
        raise VocabularyError(f"{path}:{number}: {decode(line)!r} is not a word, a tab and a positive count")
    # Other tools put a space and escape nothing.
    return decode(_unescape(word) if separator == b"\t" else word), int(count)


@dataclass(frozen=True, eq=False)
class HuffmanTree:
    """A Huffman tree: its V leaves are the words, its V−1 inner nodes numbered by falling weight.

    So node 0 is the root, no node comes before the one above it, and the nodes that most paths go through lie side
    by side. `up` is uint32 (2V−1,), the step up from each word, then from each inner node: twice the node above,
    and one more where the code bit is 1; 0xFFFFFFFF from the root. P(w|h) = Π σ(±θ_node·h) over the steps from w
    to the root, with − where the bit is 1.
    """

    up: NDArray[np.uint32]

    @classmethod
    def build(cls, counts: NDArray[np.int64]) -> HuffmanTree:
        """The tree of counts sorted in falling order; of equals the leaf is merged before the inner node."""
        return cls(huffman(np.ascontiguousarray(counts, dtype=np.int64)))

    def __len__(self) -> int:
        """The number of words."""
        return (len(self.up) + 1) // 2

    def path(self, word: int) -> list[tuple[int, int]]:
        """The inner nodes from the root to a word, each with the code bit that leads on."""
        steps, at = [], word
        while len(self) > 1 and at != len(self):
            node, bit = divmod(int(self.up[at]), 2)
            steps.append((node, bit))
            at = len(self) + node
        return steps[::-1]

    def path_sums(self, terms: NDArray[Number]) -> NDArray[Number]:
        """For each word the sum over its path of `terms` (2, V−1, …), by code bit and node; shape (V, …)."""
        above = np.zeros(terms.shape[1:], terms.dtype)
        for nodes in self._levels[1:]:
            node, bit = self._steps(len(self) + nodes)
            above[nodes] = above[node] + terms[bit, node]
        node, bit = self._steps(np.arange(len(self)))
        return np.asarray(above[node] + terms[bit, node])

    def sides(self, leaves: NDArray[Number]) -> NDArray[Number]:
        """For each code bit and inner node the sum of `leaves` (V, …) over the words there; shape (2, V−1, …)."""
        sums = np.zeros((2, len(self) - 1, *leaves.shape[1:]), leaves.dtype)
        node, bit = self._steps(np.arange(len(self)))
        sums[bit, node] = leaves
        for nodes in reversed(self._levels[1:]):
            node, bit = self._steps(len(self) + nodes)
            sums[bit, node] = sums[0, nodes] + sums[1, nodes]
        return sums

    def _steps(self, at: NDArray[np.integer]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """The nodes above, and the code bits that lead from there."""
        steps = self.up[at].astype(np.int64)
        return steps >> 1, steps & 1

    @cached_property
    def _levels(self) -> list[NDArray[np.int64]]:
        """The inner nodes by their depth."""
        above = self.up[len(self) :] >> 1
        depths = np.zeros(len(above), dtype=np.uint8)  # 64-bit counts make less than 100 of them
        below = np.arange(1, len(above))
        at = above[below]
        while len(below):
            depths[below] += 1
            below, at = below[at > 0], above[at[at > 0]]
        order = np.argsort(depths, kind="stable")
        return np.split(order, np.searchsorted(depths[order], np.arange(1, depths.max(initial=0) + 1)))
