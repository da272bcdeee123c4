"""Stop and go on: where a model is saved while it learns, and what the next process needs to go on.

A checkpoint is the model's own directory with a part `training` in its config.json. It is written while nobody
learns, between two blocks, so that there is a `Position` from which training goes on as if it had never stopped.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal, cast

from firth.corpus import Corpus, Source
from firth.corpus.sources import files_of
from firth.errors import SettingsError
from firth.settings import real
from firth.train import Position

Tokenize = str | Callable[[str], Sequence[str]]


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


@dataclass(frozen=True)
class Reading:
    """A source, and how it is read: the arguments of `Corpus.read`."""

    source: Source
    tokenizer: Tokenize = "whitespace"
    encoding: str = "utf-8"
    errors: str = "strict"
    cache: str | os.PathLike[str] | Literal[False] | None = None

    def corpus(self, progress: Callable[[int, int | None], None]) -> Corpus:
        """The text, read."""
        return Corpus.read(
            self.source,
            tokenizer=self.tokenizer,
            encoding=self.encoding,
            errors=self.errors,
            cache=self.cache,
            progress=progress,
        )

    def again(self, source: Source | None, tokenizer: Tokenize | None = None) -> Reading:
        """The same with what is given in place of its own."""
        return Reading(
            self.source if source is None else source,
            self.tokenizer if tokenizer is None else tokenizer,
            self.encoding,
            self.errors,
            self.cache,
        )

    @property
    def name(self) -> str:
        """The text in errors."""
        files = files_of(self.source)
        return f"{files[0]}{' and more' * (len(files) > 1)}" if files else "the sentences"

    @property
    def repeatable(self) -> bool:
        """Whether another process can read it: no sentences, no standard input, no function as tokenizer."""
        return isinstance(self.tokenizer, str) and "-" not in (files_of(self.source) or "-")

    def as_dict(self) -> dict[str, Any]:
        """For JSON, with absolute paths; without what another process could not read."""
        paths: list[str] | None = None
        if self.repeatable:
            single = isinstance(self.source, str | os.PathLike)
            each = [self.source] if single else cast(Iterable[str | os.PathLike[str]], self.source)
            paths = [os.path.abspath(path) for path in cast(Iterable[str], each)]
        return {
            "source": paths,
            "tokenizer": self.tokenizer if isinstance(self.tokenizer, str) else None,
            "encoding": self.encoding,
            "errors": self.errors,
            "cache": self.cache if self.cache is None or self.cache is False else os.path.abspath(self.cache),
        }


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
