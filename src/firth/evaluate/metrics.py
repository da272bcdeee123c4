"""How right predictions are: shares of what was predicted, each in [0, 1]."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np


def accuracy(gold: Sequence[str], predicted: Sequence[str]) -> float:
    """The share of labels that were predicted."""
    return float(np.mean([one == other for one, other in zip(gold, predicted, strict=True)]))


def macro_f1(gold: Sequence[str], predicted: Sequence[str]) -> float:
    """The mean over all labels that occur in either of F1 = 2·right / (given + predicted)."""
    right = Counter(one for one, other in zip(gold, predicted, strict=True) if one == other)
    occur = Counter(gold) + Counter(predicted)
    return float(np.mean([2 * right[label] / count for label, count in occur.items()]))
