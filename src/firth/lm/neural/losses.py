"""Losses of batches, put together."""

from __future__ import annotations

import math
import re
from typing import Any

import numpy as np
import torch

from firth.lm.neural.devices import autocast
from firth.lm.neural.network import Batches, Loss


class Means:
    """Means of losses and their extras, each weighed by its predictions."""

    def __init__(self, sums: dict[str, float] | None = None):
        self.sums = {} if sums is None else sums

    def add(self, loss: Loss) -> None:
        """One more batch."""
        for name, mean in {"loss": float(loss.nll), **loss.extras}.items():
            name = re.sub(r"\W", "_", name)
            self.sums[name] = self.sums.get(name, 0.0) + mean * loss.predicted
        self.sums["predicted"] = self.sums.get("predicted", 0) + loss.predicted

    def found(self) -> dict[str, float]:
        """The loss, its perplexity, then the rest; NaN before the first prediction."""
        count = self.sums.get("predicted", 0)
        if not count:
            return {"loss": math.nan, "perplexity": math.nan}
        means = {name: each / count for name, each in self.sums.items() if name != "predicted"}
        loss = means.pop("loss")
        return {"loss": loss, "perplexity": perplexity(loss), **means}


def mean_losses(
    network: Any, batches: Batches, *, batch: int, device: torch.device, precision: str
) -> dict[str, float]:
    """The mean loss of all pieces, in nats a prediction, its perplexity, and the means of the extras.

    The random numbers are the same each time.
    """
    means = Means()
    with torch.inference_mode(), autocast(device, precision):
        for at in range(0, len(batches), batch):
            which = np.arange(at, min(at + batch, len(batches)))
            made = batches.make(which, np.random.default_rng([at]))
            means.add(network.loss({name: each.to(device) for name, each in made.items()}))
    return means.found()


def perplexity(loss: float) -> float:
    """e^loss, infinite where that is too large for a float."""
    return math.exp(loss) if loss < 700 else math.inf
