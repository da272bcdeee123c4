"""Counting: an encoded corpus becomes n-grams of all lengths, sorted, with their counts.

The text is sorted piece by piece; what is sorted goes to disk where memory does not hold it, and is merged. Work
is shared out by the last words of n-grams.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from firth._core import NGramLevels, NGramText, WordRange, ngram_sizes, ngram_sorted
from firth.errors import TrainingError
from firth.lm.ngram.workspace import Array, Workspace

MOST = 2**32 - 2  # n-grams of a length
_SHARD = 2_000_000  # words of the text for which n-grams are sorted at a time
_LEAST_PIECE = 4_096


@dataclass(frozen=True)
class Shape:
    """Which n-grams there are to be: up to `order` words, more than `prune[k − 1]` occurrences, ids below `kept`.

    `adjusted` counts are those of Kneser-Ney.
    """

    order: int
    prune: tuple[int, ...]
    kept: int
    adjusted: bool


@dataclass
class Counts:
    """n-grams by length, as `cpp/ngram.hpp` describes them.

    Of length k, `kept[k − 1]` are not pruned, and `of_count[k − 1][c]` have the count c, the last that or more.
    `shards` are ranges of words between which work is shared out, since as much of the text lies in each.
    """

    left: list[Array]
    begin: list[Array]
    count: list[Array]
    prob: list[Array]
    backoff: list[Array]
    kept: list[int]
    of_count: list[list[int]]
    shards: list[WordRange]

    def levels(self) -> NGramLevels:
        """The arrays for the native loops."""
        return NGramLevels(self.left, self.begin, self.count, self.prob, self.backoff)


def count(
    ids: NDArray[np.uint32],
    offsets: NDArray[np.uint64],
    table: NDArray[np.uint32],
    occurrences: NDArray[np.int64],
    shape: Shape,
    room: Workspace,
) -> Counts:
    """The n-grams of sentences of `ids`, which `table` turns into words; those occur so often.

    Raises `TrainingError` for more n-grams than can be numbered, `CorpusError` for a full disk.
    """
    words = len(occurrences)
    shards = _shards(occurrences, max(2 * room.threads, len(ids) // _SHARD))
    runs = _runs(
        NGramText(ids, offsets, table), len(ids) + 2 * (len(offsets) - 1), words, shards, shape.order, room
    )
    sizes = np.array(room.run([partial(ngram_sizes, each, shape.order) for each in runs]), dtype=np.int64)
    sizes[:, 0] = [shard.stop - shard.start for shard in shards]
    total = sizes.sum(axis=0).tolist()
    if max(total) > MOST:
        raise TrainingError(
            f"there are {max(total):,} n-grams of one length, and at most {MOST:,} can be numbered; "
            "lower order, or give less text"
        )
    counts = _empty(total, shards, room)
    levels = counts.levels()
    first = (np.cumsum(sizes, axis=0) - sizes).tolist()
    fill = partial(levels.fill, adjusted=shape.adjusted, prune=list(shape.prune), kept=shape.kept)
    tallies = np.array(
        room.run(
            [partial(fill, each, last=last, first=at) for each, last, at in zip(runs, shards, first, strict=True)]
        ),
        dtype=np.int64,
    ).sum(axis=0)
    for begin, size in zip(counts.begin, total[1:], strict=True):
        begin[-1] = size
    counts.kept = [shape.kept, *tallies[1:, 1].tolist()]
    counts.of_count = tallies[:, 2:].tolist()
    return counts


def _shards(occurrences: NDArray[np.int64], parts: int) -> list[WordRange]:
    ends = np.cumsum(occurrences)
    inner = np.searchsorted(ends, np.arange(1, parts) * (ends[-1] / parts)) + 1
    bounds = np.unique(np.clip([0, *inner, len(occurrences)], 0, len(occurrences))).tolist()
    return [WordRange(start, stop) for start, stop in pairwise(bounds)]


def _runs(
    text: NGramText, size: int, words: int, shards: list[WordRange], order: int, room: Workspace
) -> list[list[Array]]:
    """For each shard, the sorted n-grams of each piece of the text."""
    step = max(_LEAST_PIECE, room.memory // (4 * (order + 1) + 12))
    step = min(step, 2**31)
    runs: list[list[Array]] = [[] for _ in shards]
    for start in range(0, size, step):
        piece = np.empty(min(step, size - start) + order - 1, dtype=np.uint32)
        text.read(start - (order - 1), piece)
        sort = partial(ngram_sorted, piece, order=order, words=words)
        found = room.run([partial(sort, last=last) for last in shards])
        for run, array in zip(runs, room.keep(found), strict=True):
            run.append(array)
    return runs


def _empty(sizes: list[int], shards: list[WordRange], room: Workspace) -> Counts:
    lower = sizes[:-1]
    return Counts(
        left=[room.array(size, np.uint32) for size in sizes[1:]],
        begin=[room.array(size + 1, np.uint32) for size in lower],
        count=[room.array(size, np.uint32) for size in sizes],
        prob=[room.array(size, np.float32) for size in sizes],
        backoff=[room.array(size, np.float32) for size in lower],
        kept=[],
        of_count=[],
        shards=shards,
    )
