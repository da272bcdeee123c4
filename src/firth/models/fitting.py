"""A model while it learns: reports, callbacks, the text held out, and checkpoints."""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

from firth.models.callbacks import Callbacks
from firth.checkpoint import Checkpoint, Unfinished
from firth.errors import FirthWarning
from firth.files import FileError
from firth.progress import Status, Watcher
from firth.train import EpochRow, Position

if TYPE_CHECKING:
    from firth.models.word2vec import Word2Vec


class Fitting:
    """The attendant of a model's training (`firth.train.Attendant`)."""

    def __init__(
        self,
        model: Word2Vec,
        watcher: Watcher,
        *,
        callbacks: Callbacks,
        held_out_loss: Callable[[], float] | None,
        checkpoint: Checkpoint | None,
        unfinished: Unfinished | None,
    ):
        self.model, self.watcher, self.callbacks = model, watcher, callbacks
        self.held_out_loss, self.checkpoint, self.unfinished = held_out_loss, checkpoint, unfinished
        self.saved, self.stopping = time.monotonic(), False

    def report(self, status: Status) -> bool:
        """Tell those who watch; true for a rest, to stop or to save."""
        self.watcher.training(status)
        self.model.changed()
        self.stopping |= self.callbacks.on_step(self.model, status)
        every = self.checkpoint.every if self.checkpoint else None
        return self.stopping or (every is not None and time.monotonic() - self.saved >= every)

    def epoch_ended(self, row: EpochRow) -> EpochRow:
        """The row with the loss of the text held out."""
        return replace(row, held_out_loss=self.held_out_loss()) if self.held_out_loss else row

    def rest(self, position: Position, *, leaving: bool) -> bool:
        """Save where that is wanted, and tell callbacks of an epoch that ended; true to stop for good.

        While nobody learns the model knows where its training stands, and saves that too.
        """
        self.model.changed()
        if self.unfinished:
            self.model.unfinished = replace(self.unfinished, position=position)
        if not leaving and not position.next_block:
            self.stopping |= self.callbacks.on_epoch(self.model, self.model.history[-1])
        at_end = self.stopping or position.epoch == self.model.schedule.epochs
        if self.checkpoint and not at_end:
            self._save(self.checkpoint, leaving)
        if not leaving:
            self.model.unfinished = None
        self.model.changed()
        return self.stopping

    def _save(self, checkpoint: Checkpoint, leaving: bool) -> None:
        try:
            self.model.save(checkpoint.path)
        except FileError as error:
            if leaving:
                raise
            warnings.warn(
                f"{error}; training goes on without this checkpoint, the one before is whole",
                FirthWarning,
                stacklevel=2,
            )
        self.saved = time.monotonic()
