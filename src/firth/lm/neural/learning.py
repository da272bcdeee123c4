"""How a network learns, and where a training stands."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from torch import Tensor

from firth.errors import SettingsError
from firth.lm.neural.devices import TYPES
from firth.settings import real, whole


@dataclass(frozen=True)
class Learning:
    """How a network learns. Raises `SettingsError` for what cannot work."""

    epochs: int = field(default=10, metadata={"help": "passes over the text"})
    batch: int = field(default=32, metadata={"help": "pieces of text that are learnt at once"})
    accumulate: int = field(default=1, metadata={"help": "batches whose gradients make a step"})
    learning_rate: float = field(
        default=1e-3, metadata={"help": "of AdamW at its highest; it falls to 0 as a cosine"}
    )
    warmup: float = field(default=0.02, metadata={"help": "share of all steps in which the rate rises"})
    weight_decay: float = field(default=0.01, metadata={"help": "of matrices, not of biases and gains"})
    clip: float = field(default=1.0, metadata={"help": "longest gradient; 0 for any"})
    precision: Literal["float32", "bfloat16", "float16"] = field(
        default="float32", metadata={"help": "of matrix products; float16 on a GPU alone"}
    )
    patience: int | None = field(
        default=None, metadata={"help": "stop when the held-out loss has not fallen for N epochs"}
    )
    seed: int = field(default=1, metadata={"help": "of everything random"})

    def __post_init__(self) -> None:
        for name, low in (("epochs", 1), ("batch", 1), ("accumulate", 1), ("seed", 0)):
            object.__setattr__(self, name, whole(name, getattr(self, name), low))
        if self.patience is not None:
            object.__setattr__(self, "patience", whole("patience", self.patience, 1))
        for name, most in (
            ("learning_rate", math.inf),
            ("warmup", 1),
            ("weight_decay", math.inf),
            ("clip", math.inf),
        ):
            value = real(name, getattr(self, name))
            if not 0 <= value < most or (name == "learning_rate" and not value):
                raise SettingsError(f"{name}={value:g} must be 0 or above and below {most:g}; see the defaults")
            object.__setattr__(self, name, value)
        if self.precision not in ("float32", *TYPES):
            raise SettingsError(f"precision={self.precision!r} must be float32, bfloat16 or float16")

    def rate(self, step: int, steps: int) -> float:
        """The learning rate of a step, from 0: a line up in the warm-up, a cosine down to 0 at the end."""
        rising = max(1, round(self.warmup * steps))
        if step < rising:
            return self.learning_rate * (step + 1) / rising
        return self.learning_rate * 0.5 * (1 + math.cos(math.pi * (step - rising) / max(1, steps - rising)))


@dataclass
class Standing:
    """Where a training stands between two steps: all that it takes to go on, beside the weights.

    `tensors` are AdamW's moments ("first." and "second." with a parameter's name) and the best weights so far
    ("best."), on the CPU; `sums` is what the epoch's mean losses are made of.
    """

    step: int = 0
    noted: int = 0  # the step that `tensors` are of
    read: int = 0  # tokens, over all epochs
    seconds: float = 0.0
    updates: int = 0  # of AdamW: float16 leaves steps out
    scale: float | None = None  # of float16's gradients
    growth: int = 0  # steps since that scale changed
    sums: dict[str, float] = field(default_factory=dict)
    history: list[dict[str, Any]] = field(default_factory=list)
    best: float = math.inf
    since_best: int = 0
    tensors: dict[str, Tensor] = field(default_factory=dict)

    def as_dict(self) -> dict[str, Any]:
        """Everything but the tensors, for JSON."""
        found = {name: value for name, value in vars(self).items() if name != "tensors"}
        return {**found, "best": None if math.isinf(self.best) else self.best}

    @classmethod
    def from_dict(cls, saved: Mapping[str, Any], tensors: dict[str, Tensor]) -> Standing:
        """What `as_dict` gave, with the tensors; raises `TypeError` or `KeyError` for anything else."""
        return cls(**{**saved, "best": math.inf if saved["best"] is None else saved["best"]}, tensors=tensors)
