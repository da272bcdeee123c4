"""Stop and go on: where a model is saved while it learns, and what the next process needs to go on.

A checkpoint is the model's own directory with a part `training` in its config.json. It is written while nobody
learns, between two blocks, so that there is a `Position` from which training goes on as if it had never stopped.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NamedTuple

from firth.corpus import Reading
from firth.errors import SettingsError
from firth.settings import real
from firth.train import Position, Text


class Encoded(NamedTuple):
    """A text as ids, and how it was read."""

    reading: Reading
    text: Text

    @property
    def origin(self) -> Origin:
        """What a saved model keeps of it."""
        return Origin(self.reading, self.text.digest)


@dataclass(frozen=True)
class Checkpoint:
    """A directory where the model is saved at each epoch's end, and every so many seconds in between.

    Raises `SettingsError` for a time that is none.
    """

    path: str | Path
    every: float | None = None  # seconds

    def __post_init__(self) -> None:
        if self.every is not None and not real("every", self.every) > 0:
            raise SettingsError(f"every={self.every:g} must be seconds above 0; 300 is customary")

    def begun(
        self, text: Encoded, held_out: Encoded | None, early_stopping: Sequence[Mapping[str, Any]]
    ) -> Unfinished:
        """A training that is to be saved here, and has learnt nothing yet."""
        held = held_out and held_out.origin
        return Unfinished(Path(self.path), Position(), text.origin, held, self.every, tuple(early_stopping))


@dataclass(frozen=True)
class Origin:
    """A text that was learnt, or held out: how it was read, and what tells it from others."""

    reading: Reading
    digest: str

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {**self.reading.as_dict(), "digest": self.digest}

    @classmethod
    def from_dict(cls, saved: Mapping[str, Any]) -> Origin:
        """What `as_dict` gave."""
        reading = {name: value for name, value in saved.items() if name != "digest"}
        return cls(Reading(**reading), saved["digest"])


@dataclass(frozen=True)
class Unfinished:
    """What a model that is still to learn keeps beside its weights and settings; only where, it need not keep."""

    path: Path  # the checkpoint's directory
    position: Position
    text: Origin
    held_out: Origin | None
    every: float | None  # seconds between checkpoints
    early_stopping: tuple[Mapping[str, Any], ...]

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "position": asdict(self.position),
            "text": self.text.as_dict(),
            "held_out": self.held_out and self.held_out.as_dict(),
            "every": self.every,
            "early_stopping": list(self.early_stopping),
        }

    @classmethod
    def from_dict(cls, path: Path, saved: Mapping[str, Any]) -> Unfinished:
        """What `as_dict` gave, and was found in `path`; raises `KeyError` or `TypeError` for anything else."""
        return cls(
            path,
            Position(**saved["position"]),
            Origin.from_dict(saved["text"]),
            saved["held_out"] and Origin.from_dict(saved["held_out"]),
            saved["every"],
            tuple(saved["early_stopping"]),
        )
