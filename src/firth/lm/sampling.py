"""Drawing the next word from a distribution: temperature, top-k, top-p."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from firth.errors import SettingsError
from firth.settings import real, whole


@dataclass(frozen=True)
class Sampling:
    """How words are drawn: from P^(1/temperature), of the likeliest ones alone if so wished.

    `temperature` 0 takes the likeliest word each time.
    """

    temperature: float = field(
        default=1.0, metadata={"help": "below 1 keeps to likely words; 0 takes the likeliest"}
    )
    top_k: int | None = field(default=None, metadata={"help": "only among the k likeliest words"})
    top_p: float | None = field(
        default=None, metadata={"help": "only among the likeliest words that have this probability together"}
    )

    def __post_init__(self) -> None:
        if not 0 <= real("temperature", self.temperature) < 1e6:
            raise SettingsError(f"temperature={self.temperature} must be 0 or above; 1 draws as the model says")
        if self.top_k is not None:
            whole("top_k", self.top_k, 1)
        if self.top_p is not None and not 0 < real("top_p", self.top_p) <= 1:
            raise SettingsError(f"top_p={self.top_p} must be above 0 and at most 1; 0.9 is customary")

    def draw(self, log: NDArray[np.floating], random: np.random.Generator) -> int:
        """An index, by natural logarithms of probabilities that need not sum to 1; −inf is never drawn."""
        if self.temperature == 0:
            return int(np.argmax(log))
        weights = np.exp((log.astype(np.float64) - log.max()) / self.temperature)
        if self.top_k is None and self.top_p is None:
            kept = np.flatnonzero(weights)
        else:
            kept = np.flatnonzero(weights >= self._least(weights))
            kept = kept[np.argsort(-weights[kept], kind="stable")][: self.top_k]
        sums = np.cumsum(weights[kept])
        if self.top_p is not None:
            total = weights.sum() if self.top_k is None else sums[-1]
            enough = int(np.searchsorted(sums, self.top_p * total)) + 1
            kept, sums = kept[:enough], sums[:enough]
        at = int(np.searchsorted(sums, random.random() * sums[-1], side="right"))
        return int(kept[min(at, len(kept) - 1)])

    def _least(self, weights: NDArray[np.float64]) -> float:
        """A weight below which no word can be among those kept, so that only few need be sorted."""
        if self.top_k is not None:
            return float(np.partition(weights, -self.top_k)[-self.top_k]) if self.top_k < len(weights) else 0.0
        # All words below this have less than 1 − top_p together.
        return float((1 - (self.top_p or 1)) * weights.sum() / len(weights))
