"""Callbacks: who is told of steps and epochs, and may end the training."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from firth.errors import SettingsError
from firth.progress import Status
from firth.settings import whole
from firth.train import EpochRow

if TYPE_CHECKING:
    from firth.models.word2vec import Word2Vec


@runtime_checkable
class OnEpoch(Protocol):
    """Is told of each epoch's end."""

    def on_epoch(self, model: Word2Vec, row: EpochRow) -> bool | None:
        """Nobody learns meanwhile; a true answer ends the training."""


@runtime_checkable
class OnStep(Protocol):
    """Is told about ten times a second how far training is."""

    def on_step(self, model: Word2Vec, status: Status) -> bool | None:
        """The threads go on learning meanwhile; a true answer ends the training at the next block."""


Callback = OnEpoch | OnStep | Callable[["Word2Vec", EpochRow], bool | None]


class Callbacks:
    """Several callbacks as one of each kind; a plain function is told of epochs.

    Raises `SettingsError` for what is none.
    """

    def __init__(self, callbacks: Sequence[Callback]):
        self.each = list(callbacks)
        self._on_epoch: list[Callable[[Any, EpochRow], bool | None]] = []
        self._on_step: list[Callable[[Any, Status], bool | None]] = []
        for callback in self.each:
            if isinstance(callback, OnEpoch):
                self._on_epoch.append(callback.on_epoch)
            if isinstance(callback, OnStep):
                self._on_step.append(callback.on_step)
            elif not isinstance(callback, OnEpoch):
                if not callable(callback):
                    raise SettingsError(
                        f"callback {callback!r} has neither on_epoch nor on_step, nor can it be called"
                    )
                self._on_epoch.append(callback)

    def on_epoch(self, model: Word2Vec, row: EpochRow) -> bool:
        """Tell all of them; whether one wants to end the training."""
        return sum(bool(call(model, row)) for call in self._on_epoch) > 0

    def kept(self) -> tuple[dict[str, Any], ...]:
        """Those that a saved model can keep: each `EarlyStopping` without a measure of its own."""
        return tuple(
            each.as_dict() for each in self.each if isinstance(each, EarlyStopping) and each.measure is None
        )

    def on_step(self, model: Word2Vec, status: Status) -> bool:
        """Tell all of them; whether one wants to end the training."""
        return sum(bool(call(model, status)) for call in self._on_step) > 0


class EarlyStopping:
    """Ends training where a measure has not become better for `patience` epochs.

    The measure is the loss of the text held out, or what `measure(model)` gives, a number that is better the
    higher it is (`lower=True`: the lower). The model ends up as the last epoch left it; `best` names a directory
    where it is saved at each epoch that was better than all before.

    Raises `SettingsError` for settings that cannot work.
    """

    def __init__(
        self,
        patience: int,
        *,
        measure: Callable[[Word2Vec], float] | None = None,
        lower: bool = False,
        best: str | Path | None = None,
    ):
        self.patience, self.best = whole("patience", patience, 1), best
        self.measure, self.lower = measure, lower or measure is None
        self._values: list[float] = []

    def on_epoch(self, model: Word2Vec, row: EpochRow) -> bool:
        """Measure the model; true where it is time to stop."""
        if self.measure is not None:
            self._values = [*self._values[: row.epoch - 1], float(self.measure(model))]
        else:
            self._values = [
                math.nan if each.held_out_loss is None else each.held_out_loss for each in model.history
            ]
            if row.held_out_loss is None:
                raise SettingsError(
                    "EarlyStopping watches the loss of a text held out; pass held_out, or a measure"
                )
        cost = [math.inf if math.isnan(each) else each if self.lower else -each for each in self._values]
        since_best = len(cost) - 1 - cost.index(min(cost))
        if self.best is not None and not since_best:
            model.save(self.best)
        return since_best >= self.patience

    def as_dict(self) -> dict[str, Any]:
        """What a saved model keeps of it, so that it can be made again."""
        return {"patience": self.patience, "best": None if self.best is None else str(Path(self.best).absolute())}
