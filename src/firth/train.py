"""Training: epochs, learning-rate schedule, threads and interruption around the native loop.

The loop itself is in C++ and knows no Python: a thread here lends it a core without the GIL, while the calling
thread looks at the counters ten times a second, reports, and listens for Ctrl-C.
"""

from __future__ import annotations

import math
import mmap
import os
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from firth._core import DoubleTask, Task, instruction_set
from firth.contexts import CBOW, Context
from firth.errors import SettingsError, TrainingError
from firth.objectives import Objective
from firth.paging import reading_ahead
from firth.progress import Status
from firth.settings import real, whole
from firth.vocab import Vocabulary

POLL_SECONDS = 0.1
START = 5.0  # input vectors start uniformly within ±START/dim
ROW_BYTES = 64  # rows are padded to whole cache lines
HUGE_PAGE = 2 << 20
ISA_VARIABLE = "FIRTH_ISA"  # names the vector instructions to use


@dataclass(frozen=True)
class EpochRow:
    """A row of a model's history."""

    epoch: int  # from 1
    loss: float  # mean over predictions: a pair for skip-gram, a position for CBOW
    words: int  # words of the text that were passed
    seconds: float
    learning_rate: float  # at the end

    def as_dict(self) -> dict[str, Any]:
        """The row for JSON, which knows no NaN: a loss of nothing is None."""
        return asdict(self) | {"loss": None if math.isnan(self.loss) else self.loss}

    @classmethod
    def from_dict(cls, row: Mapping[str, Any]) -> EpochRow:
        """The row that `as_dict` gave."""
        return cls(**{**row, "loss": math.nan if row["loss"] is None else row["loss"]})


Report = Callable[[Status], None]


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

    Ids of `len(vocab)` or more stand for words that are not learnt.
    """

    ids: NDArray[np.uint32]
    offsets: NDArray[np.uint64]
    vocab: Vocabulary


@dataclass
class Weights:
    """What is learnt: `input` (V, stride), `output` (rows, stride) and perhaps `bias` (rows,), all of one dtype.

    Rows are padded with zeros from `dim` to `stride` numbers.
    """

    input: NDArray[np.floating]
    output: NDArray[np.floating]
    bias: NDArray[np.floating] | None
    dim: int

    @classmethod
    def start(
        cls, vocab: Vocabulary, dim: int, objective: Objective, seed: int, dtype: type = np.float32
    ) -> Weights:
        """Input rows uniform in ±START/dim, output rows zero.

        word2vec.c starts from ±0.5/dim; from ten times that the first epoch loses less time in getting away from
        zero, which docs/quality.md measures.
        """
        rows, start_bias = objective.output_rows(vocab), objective.start_bias(vocab)
        weights = cls(aligned(len(vocab), dim, dtype), aligned(rows, dim, dtype), None, dim)
        random = np.random.default_rng(seed)
        for begin in range(0, len(vocab), 10_000):
            block = weights.input[begin : begin + 10_000, :dim]
            block[:] = (random.random(block.shape, dtype=np.float32) * 2 - 1) * (START / dim)
        if start_bias is not None:
            weights.bias = np.full(rows, start_bias, dtype)
        return weights


def aligned(rows: int, columns: int, dtype: type = np.float32) -> NDArray[np.floating]:
    """Zeros of shape (rows, columns padded to whole cache lines), on huge pages where the system gives them.

    Raises `TrainingError` where memory does not hold them.
    """
    item = np.dtype(dtype).itemsize
    stride = -(-columns * item // ROW_BYTES) * ROW_BYTES // item
    size = rows * stride * item
    try:
        memory = mmap.mmap(-1, size + HUGE_PAGE)
    except (OSError, OverflowError):
        raise TrainingError(
            f"{rows:,} rows of {columns:,} numbers need {size / 1e9:,.1f} GB, which this machine does not give; "
            "lower dim, or the number of words with min_count or max_size"
        ) from None
    if hasattr(mmap, "MADV_HUGEPAGE"):
        memory.madvise(mmap.MADV_HUGEPAGE)
    whole = np.frombuffer(memory, dtype=np.uint8)
    begin = -whole.ctypes.data % HUGE_PAGE
    return whole[begin : begin + size].view(dtype).reshape(rows, stride)


def train(
    text: Text,
    weights: Weights,
    *,
    context: Context,
    objective: Objective,
    schedule: Schedule,
    subsample: float,
    threads: int,
    seed: int,
    history: list[EpochRow],
    report: Report | None = None,
) -> None:
    """Learn `weights` in place and append a row an epoch to `history`.

    With one thread the same seed gives the same bytes; several threads race (Hogwild, Niu et al. 2011). Raises
    `TrainingError` where the loss is no longer a number, or there was nothing to predict. On KeyboardInterrupt,
    which is raised again, the weights are whole and hold what was learnt, and the epoch begun has its row.
    """
    task = _task(text, weights, context, objective, subsample)
    began, predictions = time.perf_counter(), 0
    for number in range(schedule.epochs):
        epoch = _Epoch(task, number, schedule, text, threads, seed, began)
        try:
            epoch.run(report)
        finally:
            history.append(epoch.row())
        if not np.isfinite(history[-1].loss) and epoch.predictions:
            raise TrainingError(
                f"the loss is {history[-1].loss} after epoch {number + 1}: "
                f"learning_rate={schedule.start:g} is too high for this text; lower it"
            )
        predictions += epoch.predictions
    if predictions == 0:
        raise TrainingError(
            f"nothing was learnt: of {len(text.ids):,} words no two of the vocabulary were left in one sentence; "
            f"lower min_count, turn off subsample={subsample:g} (0), or give longer sentences"
        )


def _task(
    text: Text, weights: Weights, context: Context, objective: Objective, subsample: float
) -> Task | DoubleTask:
    if instruction_set() is None:
        raise SettingsError(
            f"{ISA_VARIABLE}={os.environ[ISA_VARIABLE]} does not name a set of vector instructions that this "
            "machine runs; choose avx512, avx2 or plain, or unset it"
        )
    cbow = context if isinstance(context, CBOW) else CBOW()
    thresholds = np.minimum(np.floor(text.vocab.keep_probabilities(subsample) * 2.0**32), 2.0**32 - 1)
    kind: Any = Task if weights.input.dtype == np.float32 else DoubleTask
    task: Task | DoubleTask = kind(
        text.ids,
        text.offsets,
        thresholds.astype(np.uint32),
        weights.input,
        weights.output,
        weights.bias,
        context=context.name,
        window=context.window,
        shrink=context.shrink,
        mean=cbow.combine == "mean",
        exact=cbow.gradient == "exact",
        objective=objective.name,
        noise=objective.noise(text.vocab),
        tree=objective.tree(text.vocab),
    )
    return task


class _Epoch:
    """One pass over the text: its threads, and the counters they share with whoever watches."""

    def __init__(
        self,
        task: Task | DoubleTask,
        number: int,
        schedule: Schedule,
        text: Text,
        threads: int,
        seed: int,
        began: float,
    ):
        self.number, self.schedule, self.text, self.began = number, schedule, text, began
        self.tokens = len(text.ids)
        self.epoch_began = time.perf_counter()
        self.stop = np.zeros(1, dtype=np.int32)
        self.seed, self.next_block = seed, np.zeros(1, dtype=np.uint64)
        self.counters = aligned(threads, 8, np.uint64).view(np.uint64)
        self.failures: list[BaseException] = []
        self.change = threading.Condition()  # guards the next two
        self.at_work, self.to_come = 0, threads

        def work(counters: NDArray[np.uint64]) -> None:
            with self.change:
                self.to_come -= 1
                if self.stop[0]:
                    return
                self.at_work += 1
            try:
                task.run(
                    seed=seed,
                    epoch=number,
                    rate_from=schedule.at(number),
                    rate_to=schedule.at(number + 1),
                    next_block=self.next_block,
                    counters=counters,
                    stop=self.stop,
                )
            except BaseException as failure:
                self.failures.append(failure)
            finally:
                with self.change:
                    self.at_work -= 1
                    self.change.notify()

        self.threads = [threading.Thread(target=work, args=(row,)) for row in self.counters]

    @property
    def words(self) -> int:
        return int(self.counters[:, 0].sum())

    @property
    def predictions(self) -> int:
        return int(self.counters[:, 1].sum())

    @property
    def loss(self) -> float:
        total = float(self.counters.view(np.float64)[:, 2].sum())
        return total / self.predictions if self.predictions else float("nan")

    @property
    def learning_rate(self) -> float:
        return self.schedule.at(self.number + self.words / max(self.tokens, 1))

    def run(self, report: Report | None) -> None:
        """Start the threads and watch them. None of them touches anything when this returns, however it does.

        That is counted here: a Thread.join that Ctrl-C interrupts takes the thread for ended (CPython 3.11).
        """
        try:
            for thread in self.threads:
                thread.start()
            with self.reading_ahead():
                while not self.ended(POLL_SECONDS):
                    if report:
                        report(self.status())
            if report:
                report(self.status())  # the end, however short the epoch was
        finally:
            with self.change:
                self.stop[0] = 1  # who comes after this turns back
                self.change.wait_for(lambda: not self.at_work)
        if self.failures:
            raise self.failures[0]

    def reading_ahead(self) -> AbstractContextManager[None]:
        return reading_ahead(
            self.text.ids,
            self.text.offsets,
            seed=self.seed,
            epoch=self.number,
            in_rounds=False,
            next_block=self.next_block,
            stop=self.stop,
        )

    def ended(self, seconds: float) -> bool:
        with self.change:
            return self.change.wait_for(lambda: not (self.at_work or self.to_come), seconds)

    def status(self) -> Status:
        return Status(
            epoch=self.number + 1,
            epochs=self.schedule.epochs,
            words=self.number * self.tokens + self.words,
            total_words=self.schedule.epochs * self.tokens,
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
