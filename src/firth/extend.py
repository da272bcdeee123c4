"""More text for a model that has learnt: its vocabulary extended, and what of its output rows can be kept."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from firth.vocab import Vocabulary
from firth.words import NOWHERE

_COLUMNS = 16  # of the tree's vectors that are carried over at once

Floats = NDArray[np.floating]


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
    old, new = before.huffman().sides(marks), after.huffman().sides(carried)  # modulo 2^64
    known = {sides: node for node, sides in enumerate(zip(*old.tolist(), strict=True))}
    kept = []
    for node, (left, right) in enumerate(zip(*new.tolist(), strict=True)):
        if left and right:  # old words on both sides
            for sides, sign in (((left, right), 1), ((right, left), -1)):
                if (match := known.get(sides)) is not None:
                    kept.append((match, node, sign))
                    break
    rows = np.array(kept, dtype=np.int64).reshape(-1, 3).T
    return Kept(rows[0], rows[1], rows[2].astype(np.float32))


def carry_tree(old: Floats, before: Vocabulary, new: Floats, after: Vocabulary) -> None:
    """Give the inner nodes of `after`'s tree vectors, `new` (V'−1, N), by those of `before`'s, `old` (V−1, N).

    A node that asks what a node of `before`'s asked has its vector. Any other predicts, to first order around
    h = 0, what the old tree did. There log P(w|h) = Σ log σ(±θ·h) over w's path is v_w·h plus a constant, with
    v_w = ½ Σ ±θ, and so the log odds of a set of words A against another B are (v_A − v_B)·h, with v_A the mean of
    its words' v weighted by their counts. A node with only new words on a side knows nothing, and starts at zero.
    """
    words, kept = same_words(before, after), same_splits(before, after)
    was, now = before.huffman(), after.huffman()
    weights = np.zeros((len(after), 1))
    weights[words.after, 0] = before.counts[words.before]
    share = [np.divide(1.0, side, out=np.zeros_like(side), where=side > 0) for side in now.sides(weights)]
    known = (share[0] > 0) & (share[1] > 0)
    for begin in range(0, old.shape[1], _COLUMNS):
        columns = old[:, begin : begin + _COLUMNS].astype(np.float64)
        leaves = np.zeros((len(after), columns.shape[1]))
        leaves[words.after] = was.path_sums(np.stack([columns, -columns]))[words.before] / 2
        left, right = now.sides(weights * leaves)
        new[:, begin : begin + _COLUMNS] = np.where(known, share[0] * left - share[1] * right, 0)
    new[kept.after] = kept.signs[:, None] * old[kept.before]
