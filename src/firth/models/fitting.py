"""A model while it learns: reports, callbacks, the text held out, and checkpoints."""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from firth.checkpoint import Encoded, Origin, Unfinished
from firth.corpus import Corpus, Reading, Source
from firth.errors import FirthWarning, TrainingError
from firth.files import FileError
from firth.models.callbacks import Callbacks
from firth.progress import Status, Watcher
from firth.train import EpochRow, Position, Text
from firth.vocab import Vocabulary

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
        unfinished: Unfinished | None,
    ):
        self.model, self.watcher, self.callbacks = model, watcher, callbacks
        self.held_out_loss, self.unfinished = held_out_loss, unfinished
        self.saved, self.stopping = time.monotonic(), False

    def report(self, status: Status) -> bool:
        """Tell those who watch; true for a rest, to stop or to save."""
        self.watcher.training(status)
        self.model.changed()
        self.stopping |= self.callbacks.on_step(self.model, status)
        every = self.unfinished.every if self.unfinished else None
        return self.stopping or (every is not None and time.monotonic() - self.saved >= every)

    def epoch_ended(self, row: EpochRow) -> EpochRow:
        """The row with the loss of the text held out."""
        return replace(row, held_out_loss=self.held_out_loss()) if self.held_out_loss else row

    def rest(self, position: Position, *, ended: EpochRow | None = None, leaving: bool = False) -> bool:
        """Save where that is wanted, and tell callbacks of an epoch that ended; true to stop for good.

        While nobody learns the model knows where its training stands, and saves that too.
        """
        self.model.changed()
        if self.unfinished:
            self.model.unfinished = replace(self.unfinished, position=position)
        left = False
        try:
            if ended:
                self.stopping |= self.callbacks.on_epoch(self.model, ended)
            at_end = self.stopping or position.epoch == self.model.schedule.epochs
            if self.unfinished and not at_end:
                before = self.unfinished.position  # where the last checkpoint stands, or training began
                if leaving or (before.epoch, before.next_block) != (position.epoch, position.next_block):
                    self._save(replace(self.unfinished, position=position), leaving)
            left = leaving
        finally:
            if not left:
                self.model.unfinished = None
            self.model.changed()
        return self.stopping

    def _save(self, unfinished: Unfinished, leaving: bool) -> None:
        try:
            self.model.save(unfinished.path)
            self.unfinished = unfinished
        except FileError as error:
            if leaving:
                raise
            warnings.warn(
                f"{error}; training goes on without this checkpoint, the one before is whole",
                FirthWarning,
                stacklevel=2,
            )
        self.saved = time.monotonic()


def encoded(reading: Reading, vocab: Vocabulary, threads: int, watcher: Watcher) -> Encoded:
    """A text, read and encoded by a vocabulary."""
    return Encoded(reading, Text.of(reading.corpus(threads=threads, progress=watcher.reading), vocab))


def same_text(
    origin: Origin,
    source: Source | None,
    tokenizer: Callable[[str], Sequence[str]] | None,
    vocab: Vocabulary,
    threads: int,
    watcher: Watcher,
) -> Encoded:
    """The text of a training that goes on, from where it is now; raises `TrainingError` if it has changed."""
    reading = origin.reading.again(source, tokenizer)
    if reading.source is None or reading.tokenizer is None:
        raise TrainingError(
            "the text was sentences, standard input or made words by a function, which no checkpoint keeps; "
            "give the same again"
        )
    found = encoded(reading, vocab, threads, watcher)
    if found.text.digest != origin.digest:
        raise TrainingError(
            f"{reading.name} is no longer the text that training began with; restore it, or train from the start"
        )
    return found


def announce(watcher: Watcher, corpus: Corpus, vocab: Vocabulary, settings: dict[str, Any], started: int) -> None:
    """Tell what is to be learnt, and how."""
    kept = vocab.total / max(len(corpus.ids), 1)
    watcher.message(
        f"{len(corpus.ids):,} words in {len(corpus.offsets) - 1:,} lines; "
        f"vocabulary {len(vocab):,} of {len(corpus.vocab):,}, {100 * kept:.1f} % of the text",
        words=len(corpus.ids),
        lines=len(corpus.offsets) - 1,
        vocabulary=len(vocab),
    )
    shown = ", ".join(f"{name} {_brief(value)}" for name, value in settings.items())
    watcher.message(f"word2vec: {shown}", settings=settings)
    if started:
        watcher.message(f"{started:,} words start from the vectors they had", started=started)


def _brief(value: object) -> str:
    if isinstance(value, dict):
        rest = ", ".join(f"{key}={each}" for key, each in value.items() if key != "name")
        return f"{value['name']}({rest})"
    return f"{value:g}" if isinstance(value, float) else str(value)
