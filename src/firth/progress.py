"""Watching work go on: a bar on a terminal or in a notebook, plain lines elsewhere, a log for machines.

Work knows one thing, a `Watcher`, and tells it what happens; how that is shown is decided here.
"""

from __future__ import annotations

import dataclasses
import json
import math
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any, Protocol

from firth.errors import FirthError

LINE_SECONDS = 10.0  # between two plain lines
LOG_SECONDS = 1.0  # between two log entries


@dataclass(frozen=True)
class Status:
    """What is known while training goes on."""

    epoch: int  # from 1
    epochs: int
    words: int  # passed, over all epochs
    total_words: int
    loss: float  # mean since the epoch began; nan before its first prediction
    learning_rate: float
    seconds: float
    unit: str = "words"  # what is counted
    details: Mapping[str, float] = field(default_factory=dict)  # more that is worth showing

    @property
    def shown(self) -> str:
        """Loss, learning rate and what else there is, in words."""
        rate = f"{self.learning_rate:.4f}" if self.learning_rate >= 1e-3 else f"{self.learning_rate:.2g}"
        details = "".join(f"{name} {value:,.4g}, " for name, value in self.details.items())
        return f"loss {self.loss:.4f}, {details}rate {rate}"

    @property
    def speed(self) -> str:
        """The mean speed in words."""
        million, unit = self.words_per_second / 1e6, self.unit
        return f"{million:.2f} M {unit}/s" if unit == "words" else f"{1e6 * million:,.0f} {unit}/s"

    @property
    def words_per_second(self) -> float:
        """Mean speed since the start."""
        return self.words / self.seconds if self.seconds > 0 else 0.0

    @property
    def seconds_left(self) -> float:
        """Time to go at the mean speed."""
        return (self.total_words - self.words) / self.words_per_second if self.words else math.inf


class Watcher(Protocol):
    """What work tells those who watch it."""

    def message(self, text: str, **details: object) -> None:
        """Something worth a line, once; `details` are for machines."""

    def reading(self, done: int, total: int | None) -> None:
        """So many bytes of the text are read; `total` is None where it cannot be known."""

    def training(self, status: Status) -> None:
        """Where training stands; called about ten times a second."""


@contextmanager
def watching(progress: bool, log: str | Path | None = None) -> Iterator[Watcher]:
    """A watcher that shows progress on standard error, if wanted, and writes JSON lines to `log`, if given."""
    with ExitStack() as stack:
        watchers: list[Watcher] = []
        if log is not None:
            try:
                watchers.append(_Log(stack.enter_context(Path(log).open("w", encoding="utf-8"))))
            except OSError as error:
                raise FirthError(f"{log}: cannot be written: {error.strerror}; choose another place") from None
        if progress and (sys.stderr.isatty() or "ipykernel" in sys.modules):
            bar = _Bar()
            stack.callback(bar.close)
            watchers.append(bar)
        elif progress:
            watchers.append(_Lines())
        yield _All(watchers)


def _say(text: str) -> None:
    sys.stderr.write(f"{text}\n")  # in one piece: print could be interrupted before the line's end
    sys.stderr.flush()


class _All:
    def __init__(self, watchers: list[Watcher]):
        self.watchers = watchers

    def message(self, text: str, **details: object) -> None:
        for watcher in self.watchers:
            watcher.message(text, **details)

    def reading(self, done: int, total: int | None) -> None:
        for watcher in self.watchers:
            watcher.reading(done, total)

    def training(self, status: Status) -> None:
        for watcher in self.watchers:
            watcher.training(status)


class _Bar:
    """A tqdm bar a phase: bytes read, then words learnt."""

    def __init__(self) -> None:
        self.phase: object = None
        self.bar: Any = None

    def message(self, text: str, **details: object) -> None:
        self.close()
        _say(text)

    def reading(self, done: int, total: int | None) -> None:
        self._move("reading", done, total, "B")

    def training(self, status: Status) -> None:
        self._move("training", status.words, status.total_words, f" {status.unit}")
        self.bar.set_description(f"epoch {status.epoch}/{status.epochs}", refresh=False)
        self.bar.set_postfix_str(status.shown, refresh=False)

    def _move(self, phase: str, done: int, total: int | None, unit: str) -> None:
        from tqdm.auto import tqdm

        if self.phase != phase:
            self.close()
            self.phase = phase
            # A bar that comes after a message goes on, and does not take what was done before for its own speed.
            self.bar = tqdm(desc=phase, total=total, initial=done, unit=unit, unit_scale=True, dynamic_ncols=True)
        self.bar.total = total
        self.bar.update(done - self.bar.n)

    def close(self) -> None:
        if self.bar is not None:
            self.bar.close()
        self.bar = self.phase = None


class _Pace:
    """Tells when it is time to speak: once in so many seconds, and once at the end of each epoch."""

    def __init__(self, seconds: float):
        self.seconds, self.last, self.told = seconds, time.monotonic(), 0

    def due(self, status: Status | None = None) -> bool:
        ends = status is not None and status.words * status.epochs == status.epoch * status.total_words
        if status and ends and status.epoch > self.told:
            self.told = status.epoch
        elif time.monotonic() - self.last < self.seconds:
            return False
        self.last = time.monotonic()
        return True


class _Lines:
    """A line every ten seconds, and one at the end of each epoch."""

    def __init__(self) -> None:
        self.pace = _Pace(LINE_SECONDS)

    def message(self, text: str, **details: object) -> None:
        _say(text)

    def reading(self, done: int, total: int | None) -> None:
        if self.pace.due():
            share = f" ({100 * done / total:.0f} %)" if total else ""
            self.message(f"read {done / 1e6:,.0f} MB{share}")

    def training(self, status: Status) -> None:
        if self.pace.due(status):
            share = 100 * status.words / max(status.total_words, 1)
            self.message(
                f"epoch {status.epoch}/{status.epochs}, {share:.0f} % of all: "
                f"{status.shown}, {status.speed}, {status.seconds_left:.0f} s left"
            )


class _Log:
    """JSON lines: an object with its event and time, then what is known."""

    def __init__(self, file: IO[str]):
        self.file, self.pace = file, _Pace(LOG_SECONDS)

    def message(self, text: str, **details: object) -> None:
        self._write("message", {"text": text, **details})

    def reading(self, done: int, total: int | None) -> None:
        if self.pace.due():
            self._write("reading", {"bytes": done, "total_bytes": total})

    def training(self, status: Status) -> None:
        if self.pace.due(status):
            row = dataclasses.asdict(status)
            row |= row.pop("details")
            row |= {"words_per_second": status.words_per_second, "seconds_left": status.seconds_left}
            self._write("training", row)

    def _write(self, event: str, row: dict[str, object]) -> None:
        finite = {key: None if isinstance(x, float) and not math.isfinite(x) else x for key, x in row.items()}
        self.file.write(json.dumps({"event": event, "time": time.time(), **finite}, ensure_ascii=False) + "\n")
        self.file.flush()
