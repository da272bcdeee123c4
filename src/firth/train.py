"""Training: epochs and their learning rates around the native loop, and where it stands when nobody learns."""

from __future__ import annotations

import hashlib
import math
import os
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from functools import cached_property, partial
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from firth._core import MEETING_SIZE, DoubleTask, Task, instruction_set
from firth.contexts import CBOW, Context
from firth.corpus import Corpus
from firth.crew import AFTER_BLOCK, AT_ONCE, Crew, Job
from firth.errors import SettingsError, TrainingError
from firth.objectives import Objective
from firth.paging import readers_ahead
from firth.progress import Status
from firth.settings import real, whole
from firth.vocab import Vocabulary
from firth.weights import Weights, aligned

ISA_VARIABLE = "FIRTH_ISA"  # names the vector instructions to use
_HASHED = 1 << 22  # ids at once


@dataclass(frozen=True)
class EpochRow:
    """A row of a model's history."""

    epoch: int  # from 1
    loss: float  # mean over predictions: a pair for skip-gram, a position for CBOW
    words: int  # words of the text that were passed
    seconds: float
    learning_rate: float  # at the end
    held_out_loss: float | None = None  # of the text held out, at the end

    def as_dict(self) -> dict[str, Any]:
        """The row for JSON, which knows no NaN: a loss of nothing is None."""
        return asdict(self) | {"loss": None if math.isnan(self.loss) else self.loss}

    @classmethod
    def from_dict(cls, row: Mapping[str, Any]) -> EpochRow:
        """The row that `as_dict` gave."""
        return cls(**{**row, "loss": math.nan if row["loss"] is None else row["loss"]})


@dataclass(frozen=True)
class Position:
    """Where training stands while nobody learns: all that is known of an epoch begun.

    Learning rates and random numbers follow from the seed, the epoch and the block, so that with this, the weights
    and the text it goes on as if it had never stopped.
    """

    epoch: int = 0  # epochs learnt
    next_block: int = 0  # of the next one, the first block that is not learnt
    words: int = 0
    predictions: int = 0
    loss: float = 0.0  # their sum
    seconds: float = 0.0


class Attendant(Protocol):
    """Who is with training while it goes on."""

    def report(self, status: Status) -> bool:
        """Called about ten times a second; a true answer makes the threads rest at the next block."""

    def epoch_ended(self, row: EpochRow) -> EpochRow:
        """Nobody learns, an epoch is over: the row to keep in the history."""

    def rest(self, position: Position, *, ended: EpochRow | None = None, leaving: bool = False) -> bool:
        """Nobody learns: after a true report, when an epoch has `ended`, and when Ctrl-C makes all leave.

        A true answer ends the training.
        """


@dataclass(frozen=True)
class Schedule:
    """Learning rate falling linearly from `start` to `end`, if that is lower, over all words of all epochs."""

    start: float
    end: float
    epochs: int

    def __post_init__(self) -> None:
        start, end = real("learning_rate", self.start), real("min_learning_rate", self.end)
        if not 0 < start <= 100:
            raise SettingsError(
                f"learning_rate={start:g} must be above 0 and at most 100; 0.025 to 0.1 is customary"
            )
        if not 0 <= end < math.inf:
            raise SettingsError(f"min_learning_rate={end:g} must be 0 or above; 1e-4 is customary")
        object.__setattr__(self, "start", start)
        object.__setattr__(self, "end", min(end, start))
        object.__setattr__(self, "epochs", whole("epochs", self.epochs, 1))

    def at(self, epochs_done: float) -> float:
        """The rate after so many epochs and a fraction."""
        return self.start + (self.end - self.start) * epochs_done / self.epochs


@dataclass(frozen=True)
class Text:
    """Encoded text: `ids` uint32 (T,), and `offsets` uint64 (S+1,), where each sentence begins.

    Ids of the vocabulary's length or more stand for words that are not learnt.
    """

    ids: NDArray[np.uint32]
    offsets: NDArray[np.uint64]

    @classmethod
    def of(cls, corpus: Corpus, vocab: Vocabulary) -> Text:
        """A corpus encoded by a vocabulary."""
        return cls(corpus.encoded(vocab), corpus.offsets)

    @cached_property
    def digest(self) -> str:
        """What tells this text from any other that could be learnt instead."""
        digest = hashlib.blake2b(digest_size=16)
        for array in (self.ids, self.offsets):
            digest.update(len(array).to_bytes(8, "little"))
            for begin in range(0, len(array), _HASHED):
                digest.update(np.ascontiguousarray(array[begin : begin + _HASHED]).view(np.uint8).data)
        return digest.hexdigest()


class Loop:
    """Weights, and how the native loop learns them from texts of their vocabulary.

    Its random tables and trees are made once, for all texts. Raises `SettingsError` where the environment asks for
    vector instructions that are none.
    """

    def __init__(
        self,
        weights: Weights,
        vocab: Vocabulary,
        *,
        context: Context,
        objective: Objective,
        subsample: float,
        threads: int,
        deterministic: bool,
        seed: int,
    ):
        if instruction_set() is None:
            raise SettingsError(
                f"{ISA_VARIABLE}={os.environ[ISA_VARIABLE]} does not name a set of vector instructions that this "
                "machine runs; choose avx512, avx2 or plain, or unset it"
            )
        self.weights, self.subsample = weights, subsample
        self.threads, self.deterministic, self.seed = threads, deterministic, seed
        keep = np.minimum(np.floor(vocab.keep_probabilities(subsample) * 2.0**32), 2.0**32 - 1)
        cbow = context if isinstance(context, CBOW) else CBOW()
        self.settings: dict[str, Any] = {
            "keep": keep.astype(np.uint32),
            "input": weights.input,
            "output": weights.output,
            "bias": weights.bias,
            "frozen": weights.frozen,
            "context": context.name,
            "window": context.window,
            "shrink": context.shrink,
            "mean": cbow.combine == "mean",
            "exact": cbow.gradient == "exact",
            "objective": objective.name,
            "noise": objective.noise(vocab),
            "tree": objective.tree(vocab),
        }

    def train(
        self,
        text: Text,
        *,
        schedule: Schedule,
        history: list[EpochRow],
        attendant: Attendant,
        position: Position = Position(),
        exact: bool = False,
    ) -> None:
        """Learn the weights in place, from `position` on, and append a row an epoch to `history`.

        With one thread the same seed gives the same bytes; several threads race (Hogwild, Niu et al. 2011), unless
        `deterministic` has them learn in rounds, which give the same bytes whatever their number. Raises
        `TrainingError` where the loss is no longer a number, or there was nothing to predict. On
        KeyboardInterrupt, which is raised again, the weights are whole and hold what was learnt, and the epoch
        begun has its row. With `exact` the threads leave at the end of a block then, unless it comes twice, and
        `attendant` is told where.
        """
        task = self._task(text)
        began = time.perf_counter() - sum(row.seconds for row in history) - position.seconds
        for number in range(position.epoch, schedule.epochs):
            epoch = _Epoch(self, task, text, schedule, position, began)
            try:
                if _learn(epoch, attendant, exact):
                    return
            except KeyboardInterrupt:
                if exact and epoch.at_block:
                    attendant.rest(epoch.position(), leaving=True)
                raise
            finally:
                history.append(epoch.row())
            history[-1] = attendant.epoch_ended(history[-1])
            position = Position(number + 1)
            try:
                if attendant.rest(position, ended=history[-1]):
                    break
            except KeyboardInterrupt:
                if exact:
                    attendant.rest(position, leaving=True)
                raise
        if all(math.isnan(row.loss) for row in history):
            raise TrainingError(
                f"nothing was learnt: of {len(text.ids):,} words no two of the vocabulary were left in one "
                f"sentence; lower min_count, turn off subsample={self.subsample:g} (0), or give longer sentences"
            )

    def mean_loss(self, text: Text) -> float:
        """The mean loss of a prediction on a text that is not learnt; nan where there is nothing to predict.

        It is training's own loss: one epoch, always the same, with a learning rate of 0, which changes no weight.
        """
        epoch = _Epoch(self, self._task(text), text, None, Position(), 0.0)
        epoch.learn(lambda: False, exact=False)
        return epoch.loss

    def _task(self, text: Text) -> Task | DoubleTask:
        kind = Task if self.weights.input.dtype == np.float32 else DoubleTask
        return kind(text.ids, text.offsets, **self.settings)


def _learn(epoch: _Epoch, attendant: Attendant, exact: bool) -> bool:
    """Learn an epoch; true if `attendant` ended the training within."""
    while not epoch.learn(lambda: attendant.report(epoch.status()), exact):
        epoch.check()
        if attendant.rest(epoch.position()):
            return True
    attendant.report(epoch.status())  # the end, however short the epoch was
    epoch.check()
    return False


class _Epoch:
    """One pass over the text, begun at a position: the counters that its threads share with whoever watches.

    Without a schedule the learning rate is 0.
    """

    def __init__(
        self,
        loop: Loop,
        task: Task | DoubleTask,
        text: Text,
        schedule: Schedule | None,
        position: Position,
        began: float,
    ):
        self.loop, self.task, self.text, self.tokens, self.began = loop, task, text, len(text.ids), began
        self.number, self.epochs = position.epoch, schedule.epochs if schedule else 1
        self.rates = (schedule.at(self.number), schedule.at(self.number + 1)) if schedule else (0.0, 0.0)
        self.first_rate = schedule.start if schedule else 0.0
        self.epoch_began = time.perf_counter() - position.seconds
        self.next_block = np.array([position.next_block], dtype=np.uint64)
        self.counters = aligned(loop.threads, 8, np.uint64).view(np.uint64)
        self.losses = self.counters.view(np.float64)[:, 2]
        self.counters[0, :2], self.losses[0] = (position.words, position.predictions), position.loss
        self.at_block = False  # whether nobody was stopped within one

    def learn(self, report: Callable[[], bool], exact: bool) -> bool:
        """Learn until nothing is left, which is true then, or until `report` asks for a rest at the next block."""
        self.at_block = False
        threads = len(self.counters)
        settings: dict[str, Any] = {
            "seed": self.loop.seed,
            "epoch": self.number,
            "rate_from": self.rates[0],
            "rate_to": self.rates[1],
            "next_block": self.next_block,
            "threads": threads,
            "meeting": np.zeros(MEETING_SIZE, dtype=np.uint64) if self.loop.deterministic else None,
        }
        learners = (
            partial(self.task.run, counters=self.counters[i], thread=i, **settings) for i in range(threads)
        )
        crew = Crew([*self.readers_ahead(), *learners])
        try:
            return crew.work(report, interrupted=AFTER_BLOCK if exact else AT_ONCE)
        finally:
            # A round that has begun is learnt to its end.
            self.at_block = crew.done or crew.stop[0] == AFTER_BLOCK or self.loop.deterministic

    def readers_ahead(self) -> list[Job]:
        return readers_ahead(
            self.text.ids,
            self.text.offsets,
            seed=self.loop.seed,
            epoch=self.number,
            in_rounds=self.loop.deterministic,
            next_block=self.next_block,
        )

    @property
    def words(self) -> int:
        return int(self.counters[:, 0].sum())

    @property
    def predictions(self) -> int:
        return int(self.counters[:, 1].sum())

    @property
    def loss(self) -> float:
        return float(self.losses.sum()) / self.predictions if self.predictions else float("nan")

    @property
    def learning_rate(self) -> float:
        start, end = self.rates
        return start + (end - start) * self.words / max(self.tokens, 1)

    def check(self) -> None:
        if self.predictions and not math.isfinite(self.loss):
            raise TrainingError(
                f"the loss is {self.loss} in epoch {self.number + 1}: "
                f"learning_rate={self.first_rate:g} is too high for this text; lower it"
            )

    def position(self) -> Position:
        return Position(
            epoch=self.number,
            next_block=int(self.next_block[0]),
            words=self.words,
            predictions=self.predictions,
            loss=float(self.losses.sum()),
            seconds=time.perf_counter() - self.epoch_began,
        )

    def status(self) -> Status:
        return Status(
            epoch=self.number + 1,
            epochs=self.epochs,
            words=self.number * self.tokens + self.words,
            total_words=self.epochs * self.tokens,
            loss=self.loss,
            learning_rate=self.learning_rate,
            seconds=time.perf_counter() - self.began,
        )

    def row(self) -> EpochRow:
        return EpochRow(
            epoch=self.number + 1,
            loss=self.loss,
            words=self.words,
            seconds=time.perf_counter() - self.epoch_began,
            learning_rate=self.learning_rate,
        )
