"""How right predictions are: shares of what was predicted, each in [0, 1]."""

from __future__ import annotations

import string
from collections import Counter
from collections.abc import Sequence

import numpy as np


def accuracy(gold: Sequence[object], predicted: Sequence[object]) -> float:
    """The share of labels that were predicted."""
    return float(np.mean([one == other for one, other in zip(gold, predicted, strict=True)]))


def macro_f1(gold: Sequence[str], predicted: Sequence[str]) -> float:
    """The mean over all labels that occur in either of F1 = 2·right / (given + predicted)."""
    right = Counter(one for one, other in zip(gold, predicted, strict=True) if one == other)
    occur = Counter(gold) + Counter(predicted)
    return float(np.mean([2 * right[label] / count for label, count in occur.items()]))


def pearson(gold: Sequence[float], predicted: Sequence[float]) -> float:
    """The correlation of two lists of numbers, in [−1, 1]; 0 where one of them has no differences."""
    one, other = (np.asarray(each, np.float64) - np.mean(each) for each in (gold, predicted))
    lengths = np.linalg.norm(one) * np.linalg.norm(other)
    return float(one @ other / lengths) if lengths else 0.0


def spearman(gold: Sequence[float], predicted: Sequence[float]) -> float:
    """The correlation of ranks, equal numbers sharing the mean of theirs."""
    return pearson(_ranks(gold), _ranks(predicted))


def _ranks(values: Sequence[float]) -> list[float]:
    _, places, counts = np.unique(values, return_inverse=True, return_counts=True)
    ranks: list[float] = (counts.cumsum() - (counts - 1) / 2)[places].tolist()
    return ranks


def entities(tags: Sequence[str]) -> set[tuple[int, int, str]]:
    """The (begin, end, type) of the entities in B-, I- and O tags, as CoNLL's conlleval counts them.

    An entity begins at a B-, and at an I- that goes on from no entity of its type.
    """
    found, begin, inside = set(), 0, ""
    for place, tag in enumerate([*tags, "O"]):
        prefix, _, kind = tag.partition("-")
        if inside and (prefix != "I" or kind != inside):
            found.add((begin, place, inside))
            inside = ""
        if prefix in ("B", "I") and not inside:
            begin, inside = place, kind
    return found


def entity_f1(gold: Sequence[Sequence[str]], predicted: Sequence[Sequence[str]]) -> float:
    """F1 of all sentences' entities, of which one is right if its ends and its type are."""
    pairs = [(entities(one), entities(other)) for one, other in zip(gold, predicted, strict=True)]
    right = sum(len(one & other) for one, other in pairs)
    occur = sum(len(one) + len(other) for one, other in pairs)
    return 2 * right / occur if occur else 1.0


def exact_match(answers: Sequence[str], predicted: str) -> float:
    """1 if the text is one of the answers, but for case, punctuation, articles, spaces; no answers: if empty."""
    return float(_plain(predicted) in [_plain(each) for each in answers or [""]])


def overlap_f1(answers: Sequence[str], predicted: str) -> float:
    """SQuAD's F1 of the words of a text and of the answer most like it; no answers: 1 if it is empty, else 0."""
    return max(_overlap(_plain(each).split(), _plain(predicted).split()) for each in answers or [""])


def _overlap(one: list[str], other: list[str]) -> float:
    if not one or not other:
        return float(one == other)
    return 2 * (Counter(one) & Counter(other)).total() / (len(one) + len(other))


def _plain(text: str) -> str:
    kept = "".join(each for each in text.lower() if each not in string.punctuation)
    return " ".join(word for word in kept.split() if word not in ("a", "an", "the"))
