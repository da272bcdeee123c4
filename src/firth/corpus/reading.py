"""A source and how it is read, kept together: to be read, read again, and remembered by what goes on later."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, TypedDict, cast

from firth.corpus.corpus import Corpus, Source
from firth.corpus.sources import files_of

Tokenize = str | Callable[[str], Sequence[str]]
Cache = str | os.PathLike[str] | Literal[False] | None


class ReadingOptions(TypedDict, total=False):
    """How a source is read: arguments of `Corpus.read`, handed on by all that read one."""

    tokenizer: Tokenize
    encoding: str
    errors: str
    cache: Cache


@dataclass(frozen=True)
class Reading:
    """A source and `ReadingOptions`, with the defaults of `Corpus.read`."""

    source: Source
    tokenizer: Tokenize = "whitespace"
    encoding: str = "utf-8"
    errors: str = "strict"
    cache: Cache = None

    def corpus(
        self, *, threads: int | None = None, progress: Callable[[int, int | None], None] | None = None
    ) -> Corpus:
        """The text, read; raises what `Corpus.read` raises."""
        return Corpus.read(
            self.source,
            tokenizer=self.tokenizer,
            encoding=self.encoding,
            errors=self.errors,
            cache=self.cache,
            threads=threads,
            progress=progress,
        )

    def again(self, source: Source | None, tokenizer: Tokenize | None = None) -> Reading:
        """The same with what is given in place of its own."""
        return replace(
            self,
            source=self.source if source is None else source,
            tokenizer=self.tokenizer if tokenizer is None else tokenizer,
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
