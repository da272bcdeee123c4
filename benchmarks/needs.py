"""What a centre word needs: contexts, rows and multiply-adds, counted from the settings and the text itself."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import chain

import numpy as np
from numpy.typing import NDArray
from tools import Settings

from firth import Corpus, Vocabulary

CACHE_LINE = 16  # floats
Ids = NDArray[np.int64]


@dataclass(frozen=True)
class Learnt:
    """The words of one pass that are predicted, in order, and how many words each has around it.

    Subsampling is drawn once; windows are averaged over all widths that they may have.
    """

    ids: Ids
    contexts: float
    vocab: Vocabulary

    @classmethod
    def of(cls, corpus: Corpus, settings: Settings) -> Learnt:
        vocab = corpus.vocab.prune(min_count=settings.min_count)
        keep = np.append(vocab.keep_probabilities(settings.subsample), 0.0)  # a last one for the unknown
        known = np.minimum(corpus.ids, len(vocab))
        survives = np.random.default_rng(1).random(len(known)) < keep[known]
        ends = np.append(0, np.cumsum(survives))[corpus.offsets.astype(np.int64)]
        lengths = np.diff(ends)
        alone = lengths == 1  # a word without company is not predicted
        ids = known[survives].astype(np.int64)[~np.repeat(alone, lengths)]
        return cls(ids, _pairs(lengths, settings.window) / len(ids), vocab)


def _pairs(lengths: Ids, window: int) -> float:
    """Pairs of a centre and a context word: each distance k counts with the share of widths that reach it."""
    return sum(
        2 * float(np.maximum(lengths - k, 0).sum()) * (window - k + 1) / window for k in range(1, window + 1)
    )


@dataclass(frozen=True)
class Needs:
    """Means over centre words."""

    rows: float  # that come from memory and go back: the outputs, and the input that the window newly reaches
    multiply_adds: float
    row_bytes: int

    @classmethod
    def of(cls, learnt: Learnt, settings: Settings) -> Needs:
        """Two products and an update of both sides; the logistic function and the draws are not counted.

        Skip-gram: scores h·u, errors and output steps take 3·d·C·m, moving the inputs d·C. CBOW has one h, which
        takes d·C to make: d·(2·C + 3·m). Two words at a time share their negatives.
        """
        outputs = rows = _outputs(learnt, settings)
        if settings.context == "skipgram":
            each = learnt.contexts * (3 * outputs + 1)
        else:
            each = 2 * learnt.contexts + 3 * outputs
        if in_twos(settings):
            rows = (outputs + 1) / 2
        return cls(rows + 1, settings.dim * each, 4 * stride(settings))


def _outputs(learnt: Learnt, settings: Settings) -> float:
    if settings.hierarchical:
        lengths = learnt.vocab.huffman().path_sums(np.ones((2, len(learnt.vocab) - 1)))
        return float(lengths[learnt.ids].mean())
    own = learnt.vocab.noise()[learnt.ids].mean()  # a draw of the target itself is passed over
    return float(1 + settings.negatives * (1 - own))


def in_twos(settings: Settings) -> bool:
    return settings.context == "cbow" and not settings.hierarchical


def stride(settings: Settings) -> int:
    """Floats from one row to the next: whole cache lines."""
    return -(-settings.dim // CACHE_LINE) * CACHE_LINE


def row_ids(learnt: Learnt, settings: Settings, most: int = 1_000_000) -> NDArray[np.uint32]:
    """The rows that the first centre words touch, in order: the input that comes, then the outputs.

    Input rows come first in memory, output rows behind them.
    """
    centres = learnt.ids[:most]
    coming, behind = np.roll(centres, -settings.window - 1), len(learnt.vocab)
    if settings.hierarchical:
        tree = learnt.vocab.huffman()
        nodes = {word: [behind + node for node, _ in tree.path(word)] for word in np.unique(centres).tolist()}
        each = zip(coming.tolist(), centres.tolist(), strict=True)
        return np.fromiter(chain.from_iterable((come, *nodes[centre]) for come, centre in each), dtype=np.uint32)
    together = 2 if in_twos(settings) else 1
    lessons = len(centres) // together
    drawn = np.random.default_rng(1).choice(behind, size=(lessons, settings.negatives), p=learnt.vocab.noise())
    coming, centres = (each[: lessons * together].reshape(lessons, together) for each in (coming, centres))
    return np.column_stack([coming, behind + centres, behind + drawn]).astype(np.uint32).ravel()
