"""Estimation: counts and a smoothing become probabilities and back-offs, from short n-grams to long ones."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from firth._core import NGRAM_RATIO_ZERO, NGramLevels, ngram_log10
from firth.lm.ngram.counting import Counts
from firth.lm.ngram.smoothing import Combine, Discount, JelinekMercer, Smoothing
from firth.lm.ngram.workspace import Array, Workspace

PRUNED = 1 << 31  # the bit of a count that says so
START = 1  # the id of <s>, which is never predicted
_STEPS = 50  # of expectation and maximisation
_SLICE = 1 << 22  # numbers of which logarithms are taken at a time


@dataclass
class Tables:
    """A finished model, without what was pruned: log10 of probabilities and back-offs."""

    left: list[Array]
    begin: list[Array]
    prob: list[Array]
    backoff: list[Array]


def estimate(counts: Counts, smoothing: Smoothing, room: Workspace) -> tuple[Tables, list[Discount]]:
    """The tables, and what was taken from the counts of each length."""
    levels, words = counts.levels(), counts.kept[0] - 1
    weights = _Weights(counts, levels, room) if _estimates_weights(smoothing) else None
    discounts: list[Discount] = []
    below = np.zeros(0, np.uint32)
    for k in range(1, len(counts.count) + 1):
        discount = weights.discount(k) if weights else smoothing.discount(k, counts.of_count[k - 1])
        discounts.append(discount)
        if k == 1:
            counts.prob[0][: counts.kept[0]] = unigrams(
                counts.count[0] & ~np.uint32(PRUNED), counts.kept[0], smoothing.combine, discount
            )
            continue
        here = room.array(len(counts.count[k - 1]), np.uint32)
        task = partial(
            levels.estimate,
            k,
            below=below,
            here=here,
            combine=smoothing.combine,
            take=list(discount.take),
            share=discount.share,
            add=discount.add,
            words=words,
        )
        room.run([partial(task, last=last) for last in counts.shards])
        below = here
    return _finished(counts, levels, room), discounts


def unigrams(counts: NDArray[np.uint32], kept: int, combine: Combine, discount: Discount) -> NDArray[np.float64]:
    """P(w) of the `kept` words: the history is empty, and what is shorter still is the uniform distribution.

    As KenLM has it, <unk> is a word among the others there, and <s>, which is never predicted, has probability 1.
    """
    known, words = counts[:kept].astype(np.float64), kept - 1
    if combine == "alone":
        found = (known + discount.add) / (known.sum() + discount.add * words)
    else:
        taken = (
            np.asarray(discount.take)[np.minimum(counts[:kept], len(discount.take) - 1)] + discount.share * known
        )
        total = float(counts.sum(dtype=np.int64))
        left = float(taken.sum()) + float(counts[kept:].sum(dtype=np.int64))
        if combine == "interpolate":
            found = (known - taken) / total + left / total / words
        else:
            unseen = int((known == 0).sum()) - 1
            if not unseen:
                total -= left
            elif left <= 0:
                left, total = 1.0, total + 1
            found = np.where(known > 0, (known - taken) / total, left / total / max(unseen, 1))
    found[START] = 1
    return np.asarray(found)


def _finished(counts: Counts, levels: NGramLevels, room: Workspace) -> Tables:
    lengths = [len(each) for each in counts.count]
    tables = Tables(counts.left, counts.begin, counts.prob, counts.backoff)
    if counts.kept != lengths:
        first = slice(counts.kept[0])
        tables = Tables(
            left=[room.array(size, np.uint32) for size in counts.kept[1:]],
            begin=[room.array(size + 1, np.uint32) for size in counts.kept[:-1]],
            prob=[counts.prob[0][first], *(room.array(size, np.float32) for size in counts.kept[1:])],
            backoff=[
                array[first] if not k else room.array(size, np.float32)
                for k, (array, size) in enumerate(zip(counts.backoff, counts.kept, strict=False))
            ],
        )
        target = NGramLevels(tables.left, tables.begin, [], tables.prob, tables.backoff)
        room.run([partial(levels.compact, k, target) for k in range(2, len(lengths) + 1)])
    room.run(
        [
            partial(ngram_log10, array[start : start + _SLICE])
            for array in (*tables.prob, *tables.backoff)
            for start in range(0, len(array), _SLICE)
        ]
    )
    return tables


def _estimates_weights(smoothing: Smoothing) -> bool:
    return isinstance(smoothing, JelinekMercer) and smoothing.weights is None


class _Weights:
    """The weights of Jelinek-Mercer, a length of n-grams at a time, each occurrence predicted without itself.

    An occurrence of hw has the probability λ(c(hw) − 1)/(c(h) − 1) + (1 − λ) P′(w|h′) then, and λ is the one under
    which all of them together are likeliest, found by expectation and maximisation.
    """

    def __init__(self, counts: Counts, levels: NGramLevels, room: Workspace):
        self.counts, self.levels, self.room = counts, levels, room
        self.histories, self.left_out = np.zeros(0, np.uint32), np.zeros(0, np.float32)

    def discount(self, k: int) -> Discount:
        """1 − λ of the counts of n-grams of length k; to be asked for k = 1, 2, …"""
        return Discount(share=1 - (self._pairs_and_more(k) if k > 1 else self._words()))

    def _words(self) -> float:
        found = self.counts.count[0] & ~np.uint32(PRUNED)
        frequency = np.maximum(found.astype(np.float64) - 1, 0) / max(int(found.sum(dtype=np.int64)) - 1, 1)
        uniform = 1 / (self.counts.kept[0] - 1)
        weight = _likeliest(frequency / uniform, found)
        self.left_out = (weight * frequency + (1 - weight) * uniform).astype(np.float32)
        return weight

    def _pairs_and_more(self, k: int) -> float:
        size, shards = len(self.counts.count[k - 1]), self.counts.shards
        here, left_out = self.room.array(size, np.uint32), self.room.array(size, np.float32)
        ratios = partial(self.levels.ratios, k, below=self.histories, here=here, left_out=self.left_out)
        bins = np.sum(self.room.run([partial(ratios, last=last) for last in shards]), axis=0)
        ratio = 2.0 ** ((np.arange(len(bins)) - NGRAM_RATIO_ZERO) / 8)
        ratio[0] = 0
        weight = _likeliest(ratio, bins)
        leave_out = partial(
            self.levels.leave_out,
            k,
            here=here,
            weight=weight,
            below_left_out=self.left_out,
            here_left_out=left_out,
        )
        self.room.run([partial(leave_out, last=last) for last in shards])
        self.histories, self.left_out = here, left_out
        return weight


def _likeliest(ratio: Array, times: Array) -> float:
    """The λ that maximises Σ times · log(λ ratio + 1 − λ), kept away from 0 and 1."""
    weight = 0.5
    if not times.any():  # no n-gram is so long
        return weight
    for _ in range(_STEPS):
        weight = float(np.average(weight * ratio / (weight * ratio + 1 - weight), weights=times))
        weight = min(max(weight, 1e-3), 1 - 1e-3)
    return weight
