"""A text as one array of token ids, and where its lines end."""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import cast

import numpy as np
from numpy.typing import NDArray

from firth.corpus import Corpus, Reading
from firth.corpus.reader import Reader
from firth.corpus.sources import check_encoding, files_of
from firth.corpus.storage import temporary_array
from firth.errors import SettingsError
from firth.evaluate.perplexity import text_bytes
from firth.lm.neural.tokens import Tokens, WordTokens
from firth.words import encode

_LINES = 1_000  # encoded at a time

Progress = Callable[[int, int | None], None]


@dataclass(frozen=True, eq=False)
class Stream:
    """All lines of a text one after another, each with the end token behind it.

    `ids` is uint16 or uint32 of shape (N,), mapped from disk; line s is `ids[offsets[s]:offsets[s + 1]]`, the last
    of which is `end`; `offsets` is int64 of shape (S + 1,). `bytes` is the text's size in UTF-8 if known.
    """

    ids: NDArray[np.integer]
    offsets: NDArray[np.int64]
    end: int
    bytes: int = 0

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def lines(self) -> int:
        """The number of lines."""
        return len(self.offsets) - 1

    def digest(self) -> str:
        """What tells this text from others."""
        found = hashlib.sha256(np.ascontiguousarray(self.offsets).data)
        found.update(self.ids.data)
        return found.hexdigest()

    @classmethod
    def read(cls, reading: Reading, tokens: Tokens, progress: Progress | None = None) -> Stream:
        """A text, encoded; raises `CorpusError`, or `SettingsError` for a tokenizer that plays no part."""
        if isinstance(tokens, WordTokens):
            return cls.of_corpus(reading.corpus(progress=progress), tokens)
        return cls._encoded(lines(reading, progress), tokens)

    @classmethod
    def of_corpus(cls, corpus: Corpus, tokens: Tokens) -> Stream:
        """A corpus, encoded; to tokens that are not words it is its words with spaces between them."""
        if not isinstance(tokens, WordTokens):
            return cls._encoded(_joined(corpus), tokens)
        table = np.array([tokens.id(word) for word in corpus.vocab.words])
        table = table.astype(_dtype(int(table.max(initial=tokens.end))))
        starts = range(0, len(corpus.offsets) - 1, _LINES)
        ids = temporary_array((_with_ends(corpus, table, start, tokens.end) for start in starts), table.dtype.type)
        offsets = corpus.offsets.astype(np.int64) + np.arange(len(corpus.offsets))
        return cls(ids, offsets, tokens.end, text_bytes(corpus))

    @classmethod
    def _encoded(cls, texts: Iterable[str], tokens: Tokens) -> Stream:
        iterator, dtype = iter(texts), _dtype(len(tokens) - 1)
        sizes: list[int] = []
        read = 0

        def blocks() -> Iterator[NDArray[np.unsignedinteger]]:
            nonlocal read
            while batch := list(itertools.islice(iterator, _LINES)):
                found = tokens.encode_all(batch)
                sizes.extend(len(ids) + 1 for ids in found)
                read += sum(len(encode(text)) + 1 for text in batch)
                flat = itertools.chain.from_iterable((*ids, tokens.end) for ids in found)
                yield np.fromiter(flat, dtype)

        ids = temporary_array(blocks(), dtype)
        return cls(ids, np.concatenate([[0], np.cumsum(sizes, dtype=np.int64)]), tokens.end, read)


def lines(reading: Reading, progress: Progress | None = None) -> Iterator[str]:
    """The lines of a text as they stand, without their ends; sentences are words with spaces between them.

    Raises `CorpusError` as `Corpus.read` does.
    """
    if reading.tokenizer != "whitespace":
        raise SettingsError(f"tokenizer={reading.tokenizer!r} plays no part where the model learns its own tokens")
    check_encoding(reading.encoding, reading.errors)
    files = files_of(reading.source)
    if files is None:
        yield from (" ".join(words) for words in cast(Iterable[Sequence[str]], reading.source))
        return
    reader = Reader(files, reading.encoding, reading.errors)
    pieces = reader.pieces(b"\n")
    while piece := pieces.take():
        yield from (line.rstrip("\r") for line in piece.decoded().split("\n")[:-1])
        if progress:
            progress(reader.done, reader.size)
    pieces.check()


def _joined(corpus: Corpus) -> Iterator[str]:
    words = corpus.vocab.words[:]
    for begin, end in itertools.pairwise(corpus.offsets.tolist()):
        yield " ".join([words[id] for id in corpus.ids[begin:end].tolist()])


def _with_ends(
    corpus: Corpus, table: NDArray[np.unsignedinteger], start: int, end: int
) -> NDArray[np.unsignedinteger]:
    offsets = corpus.offsets[start : start + _LINES + 1].astype(np.int64)
    return np.insert(table[corpus.ids[offsets[0] : offsets[-1]]], offsets[1:] - offsets[0], end)


def _dtype(last: int) -> type[np.unsignedinteger]:
    return np.uint16 if last < 1 << 16 else np.uint32
