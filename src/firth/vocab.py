"""The vocabulary: words in order of frequency, their counts, and what training derives from the counts."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from firth.errors import SettingsError, VocabularyError
from firth.files import READING_ERRORS, atomic_write, open_binary
from firth.words import Words, decode, encode


@dataclass(frozen=True, eq=False)
class Vocabulary:
    """Words sorted by falling count, ties by their bytes; a word's position is its id.

    `counts` is int64 of shape (V,).
    """

    words: Words
    counts: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.words)

    @classmethod
    def from_counts(cls, counts: dict[str, int]) -> Vocabulary:
        """The vocabulary of these counts, put in order."""
        ranked = sorted(counts.items(), key=lambda item: (-item[1], encode(item[0])))
        return cls(Words(word for word, _ in ranked), np.array([count for _, count in ranked], dtype=np.int64))

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
        size = int(np.count_nonzero(self.counts >= min_count))
        size = size if max_size is None else min(size, max_size)
        if size == 0:
            raise VocabularyError(
                f"no word is left: min_count={min_count}, but the most frequent of {len(self):,} words "
                f"occurs {int(self.counts[0]) if len(self) else 0} times; lower min_count or give more text"
            )
        return self if size == len(self) else Vocabulary(Words(self.words[:size]), self.counts[:size])

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
            for word, count in zip(self.words, self.counts.tolist(), strict=True):
                file.write(b"%s\t%d\n" % (_escape(encode(word)), count))

    @classmethod
    def load(cls, path: str | Path) -> Vocabulary:
        """Read what `save` wrote, or any `word count` lines; raises `VocabularyError` with the line."""
        counts: dict[str, int] = {}
        with open_binary(path) as file:
            try:
                for number, line in enumerate(file, start=1):
                    word, count = _parse(line, f"{path}:{number}")
                    if word in counts:
                        raise VocabularyError(
                            f"{path}:{number}: {word!r} stands here for the second time; keep one of them"
                        )
                    counts[word] = count
            except READING_ERRORS as error:
                raise VocabularyError(
                    f"{path}: cannot be read to its end: {error}; it is damaged or cut short, write it anew"
                ) from error
        if not counts:
            raise VocabularyError(f"{path}: the vocabulary is empty; write one with firth vocab")
        return cls.from_counts(counts)


def _escape(word: bytes) -> bytes:
    return word.replace(b"\\", b"\\\\").replace(b"\n", b"\\n").replace(b"\r", b"\\r")


def _unescape(word: bytes) -> bytes:
    return re.sub(rb"\\(.)", lambda m: {b"n": b"\n", b"r": b"\r"}.get(m[1], m[1]), word)


def _parse(line: bytes, place: str) -> tuple[str, int]:
    line = line.rstrip(b"\r\n")
    separator = b"\t" if b"\t" in line else b" "
    word, _, count = line.rpartition(separator)
    if not word or not count.isdigit() or len(count) > 19 or not 1 <= int(count) < 1 << 63:
        raise VocabularyError(f"{place}: {decode(line)!r} is not a word, a tab and a positive count")
    # Other tools put a space and escape nothing.
    return decode(_unescape(word) if separator == b"\t" else word), int(count)


@dataclass(frozen=True, eq=False)
class HuffmanTree:
    """Each word's path from the root of a Huffman tree: V−1 inner nodes, V leaves.

    The path of word w is `nodes[offsets[w]:offsets[w + 1]]` (uint32, inner nodes) with `signs` alongside
    (float32): +1 where the code bit is 0, −1 where it is 1, so that P(w|h) = Π σ(sign · θ_node·h).
    """

    offsets: NDArray[np.uint64]
    nodes: NDArray[np.uint32]
    signs: NDArray[np.float32]

    @classmethod
    def build(cls, counts: NDArray[np.int64]) -> HuffmanTree:
        """The tree of counts sorted in falling order; of equals the leaf is merged before the inner node."""
        size = len(counts)
        parents, bits = _merge(counts.tolist())
        depth = np.zeros(2 * size - 1, dtype=np.int64)
        for node in range(2 * size - 3, -1, -1):
            depth[node] = depth[parents[node]] + 1
        lengths = depth[:size]
        offsets = np.concatenate(([0], np.cumsum(lengths))).astype(np.uint64)
        nodes = np.empty(int(offsets[-1]), dtype=np.uint32)
        signs = np.empty(int(offsets[-1]), dtype=np.float32)
        at, words = np.arange(size), np.arange(size)
        for level in range(1, int(lengths.max()) + 1):  # from the leaves up, all words at once
            climbing = lengths[words] >= level
            at, words = at[climbing], words[climbing]
            slots = offsets[words + 1].astype(np.int64) - level
            signs[slots] = 1.0 - 2.0 * bits[at]
            at = parents[at]
            nodes[slots] = at - size
        return cls(offsets, nodes, signs)


def _merge(counts: list[int]) -> tuple[NDArray[np.int64], NDArray[np.int8]]:
    """Parent and code bit of each node: leaves 0…V−1, then inner nodes in the order in which they arise."""
    size = len(counts)
    weights = counts + [0] * (size - 1)
    parents, bits = np.zeros(2 * size - 1, dtype=np.int64), np.zeros(2 * size - 1, dtype=np.int8)
    leaf, inner = size - 1, size  # the lightest of each kind that still has no parent

    for new in range(size, 2 * size - 1):
        pair = []
        for _ in range(2):
            if leaf >= 0 and (inner >= new or weights[leaf] <= weights[inner]):
                pair.append(leaf)
                leaf -= 1
            else:
                pair.append(inner)
                inner += 1
        light, heavy = pair
        weights[new] = weights[light] + weights[heavy]
        parents[light] = parents[heavy] = new
        bits[heavy] = 1
    return parents, bits
