"""More text for a model that has learnt: its vocabulary extended, and what of its output rows can be kept."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from firth.vocab import HuffmanTree, Vocabulary
from firth.words import NOWHERE

_WORDS = 100_000  # whose paths are looked at at once


class Kept(NamedTuple):
    """Rows that go on as others: row `after[i]` starts as `signs[i]` times the old row `before[i]`."""

    before: NDArray[np.int64]
    after: NDArray[np.int64]
    signs: NDArray[np.float32]


def extended(old: Vocabulary, more: Vocabulary, *, min_count: int, max_size: int | None) -> Vocabulary:
    """The words of both with the sums of their counts.

    All of `old` stay. Words that only `more` has must occur `min_count` times there, and the most frequent of
    them fill what `max_size` leaves.
    """
    counts = dict(zip(old.words, old.counts.tolist(), strict=True))
    room = len(more) if max_size is None else max(0, max_size - len(old))
    for word, count in zip(more.words, more.counts.tolist(), strict=True):
        if word in counts:
            counts[word] += count
        elif count >= min_count and room:
            counts[word] = count
            room -= 1
    return Vocabulary.from_counts(counts)


def same_words(before: Vocabulary, after: Vocabulary) -> Kept:
    """The rows of the words that both have."""
    found = after.words.find_all(before.words)
    rows = np.flatnonzero(found != NOWHERE)
    return Kept(rows, found[rows].astype(np.int64), np.ones(len(rows), dtype=np.float32))


def same_splits(before: Vocabulary, after: Vocabulary) -> Kept:
    """The inner nodes of `after`'s Huffman tree that ask what a node of `before`'s asked.

    A node asks which of two sets of words a word is in. It is the same question where the old words among them
    are parted in the same way, whatever new words have come to either side; with the sides exchanged the vector
    changes its sign.
    """
    random = np.random.default_rng(0)
    marks = random.integers(2**64, size=len(before), dtype=np.uint64)
    words = same_words(before, after)
    carried = np.zeros(len(after), dtype=np.uint64)
    carried[words.after] = marks[words.before]
    old, new = _sides(before.huffman(), marks), _sides(after.huffman(), carried)
    known = {sides: node for node, sides in enumerate(map(tuple, old.tolist()))}
    kept = []
    for node, (left, right) in enumerate(new.tolist()):
        if left and right:  # old words on both sides
            for sides, sign in (((left, right), 1), ((right, left), -1)):
                if (match := known.get(sides)) is not None:
                    kept.append((match, node, sign))
                    break
    rows = np.array(kept, dtype=np.int64).reshape(-1, 3).T
    return Kept(rows[0], rows[1], rows[2].astype(np.float32))


def _sides(tree: HuffmanTree, marks: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """For each inner node the sums modulo 2^64 of the marks of the words on its two sides, shape (V−1, 2)."""
    sums = np.zeros((len(marks) - 1, 2), dtype=np.uint64)
    for begin in range(0, len(marks), _WORDS):
        bounds = tree.offsets[begin : begin + _WORDS + 1].astype(np.int64)
        path = slice(bounds[0], bounds[-1])
        each = np.repeat(marks[begin : begin + _WORDS], np.diff(bounds))
        np.add.at(sums, (tree.nodes[path], (tree.signs[path] < 0).astype(np.intp)), each)
    return sums
