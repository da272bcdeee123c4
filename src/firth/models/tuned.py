"""Settings that follow from others where a person gives none."""

from __future__ import annotations

from typing import NamedTuple

from firth.contexts import Context, SkipGram
from firth.objectives import HierarchicalSoftmax, Objective


class Tuned(NamedTuple):
    """What was found best for a combination of context and objective."""

    learning_rate: float
    subsample: float


def tuned(context: Context, objective: Objective) -> Tuned:
    """The settings that gave the best analogies and similarities in 5 epochs, as docs/quality.md tells."""
    hierarchical = isinstance(objective, HierarchicalSoftmax)
    if isinstance(context, SkipGram):
        return Tuned(0.03 if hierarchical else 0.04, subsample=5e-5)
    if context.combine == "sum":
        return Tuned(0.02, subsample=1e-4)
    if context.gradient == "exact":
        return Tuned(0.15, subsample=1e-4)
    return Tuned(0.05 if hierarchical else 0.06, subsample=1e-4)
