"""The corpus: ids, where sentences begin, and the vocabulary of everything seen."""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from os import PathLike
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from firth._core import renumber
from firth.corpus import cache as caches
from firth.corpus import draft as drafts
from firth.corpus import sources, storage
from firth.corpus.draft import Draft, Writer, together
from firth.corpus.reader import Reader
from firth.corpus.tokenizers import Tokenizer, add
from firth.errors import SettingsError
from firth.vocab import Vocabulary
from firth.words import NOWHERE, PackedWords

UNKNOWN = 0xFFFFFFFF  # the id of words that a reused vocabulary does not have

_BATCH = 1_000  # sentences encoded at a time
_BLOCK = 1 << 20  # ids translated at a time
SHARE = 2 << 20  # bytes of files for which another thread is worth its while

Source = str | PathLike[str] | Iterable[str | PathLike[str]] | Iterable[Sequence[str]]


@dataclass(frozen=True, eq=False, repr=False)
class Corpus:
    """A text as ids, mapped from disk, so that it may be larger than memory.

    `ids` is uint32 of shape (T,): the rank by frequency of each word in `vocab`, which holds all of them, so
    that `min_count` is merely a threshold on the id. `offsets` is uint64 of shape (S+1,): sentence s is
    `ids[offsets[s]:offsets[s + 1]]`. Empty lines are empty sentences: a sentence's number is its line's.
    """

    ids: NDArray[np.uint32]
    offsets: NDArray[np.uint64]
    vocab: Vocabulary

    def __repr__(self) -> str:
        sentences = len(self.offsets) - 1
        return f"Corpus({len(self.ids):,} words, {len(self.vocab):,} distinct, {sentences:,} sentences)"

    @classmethod
    def read(
        cls,
        source: Source,
        *,
        tokenizer: str | Callable[[str], Sequence[str]] = "whitespace",
        encoding: str = "utf-8",
        errors: str = "strict",
        cache: str | PathLike[str] | Literal[False] | None = None,
        threads: int | None = None,
        progress: Callable[[int, int | None], None] | None = None,
    ) -> Corpus:
        """Read, count and encode text; a line is a sentence, of any length.

        `source` is one of
        - a path: a file (plain, gz, bz2, xz, zst: told by content), a folder (all files in it and below,
          sorted, without hidden ones), a glob pattern, or "-" for standard input;
        - strings or paths in a list or any other re-iterable: all these, one after another;
        - sentences, each a list of tokens, in a list or any other re-iterable. Tokens may hold anything,
          spaces too. A first element that is a string makes it paths, any other sentences.

        `tokenizer`: "whitespace", "words" (lower-cased), "zh" (Chinese, with jieba), or a function that makes
        a list of tokens of a line. See `firth.corpus.tokenizers`.

        `errors`: what becomes of bytes that are not in `encoding`: "strict" raises, "replace" puts U+FFFD for
        them, "ignore" drops them.

        `cache`: the folder where encoded files are kept; None means $FIRTH_CACHE, else $XDG_CACHE_HOME/firth,
        else ~/.cache/firth. A file that has changed is encoded anew, and what was not used for 30 days goes.
        False keeps nothing; nor is anything kept of standard input, sentences, and functions as tokenizers.

        `threads` count and encode together, None being one a core; what they make does not depend on it. Other
        tokenizers than "whitespace", sentences, and what is no regular file have one.

        `progress(done, total)` is told the bytes of files read so far, as they lie on disk; where a total
        cannot be known it is None, and done counts them decompressed. Sentences tell nothing.

        Raises `CorpusError` for what cannot be read, decoded or stored, and where no word is found.
        """
        sources.check_encoding(encoding, errors)
        files = sources.files_of(source)
        if files is None:
            if tokenizer != "whitespace":
                raise SettingsError(f"tokenizer={tokenizer!r} has no use for sentences, which are tokens already")
            return cls._temporary(lambda draft: _count_sentences(draft, source), "the sentences", 1)  # type: ignore[arg-type]

        chosen = Tokenizer.named(tokenizer) if isinstance(tokenizer, str) else Tokenizer.of(tokenizer)
        reader = Reader(files, encoding, errors)
        helpers = 1
        if chosen.native and reader.size:
            helpers = max(1, min(threads or os.cpu_count() or 1, reader.size // SHARE))

        def count(draft: Draft) -> None:
            _count_files(draft, reader, chosen, progress)

        if cache is False or chosen.identity is None or reader.size is None:
            return cls._temporary(count, reader.name, helpers)
        settings = {"tokenizer": chosen.identity, "encoding": encoding, "errors": errors}
        return cls._of(
            caches.entry(
                caches.root(cache),
                {**settings, "files": reader.state()},
                lambda folder: drafts.write(folder, count, reader.name, helpers),
            )
        )

    @classmethod
    def _temporary(cls, count: Callable[[Draft], None], name: str, threads: int) -> Corpus:
        # The mapped files outlive their names: nothing is left behind, however the process ends.
        with storage.scratch() as folder:
            drafts.write(folder, count, name, threads)
            return cls._of(storage.open_arrays(folder))

    @classmethod
    def _of(cls, arrays: storage.Arrays) -> Corpus:
        words = PackedWords(arrays["word_text"], arrays["word_ends"], arrays["word_order"])
        return cls(arrays["ids"], arrays["offsets"], Vocabulary(words, arrays["counts"]))

    def encoded(self, vocab: Vocabulary) -> NDArray[np.uint32]:
        """The ids of this corpus by `vocab`, shape (T,).

        For a pruned vocabulary of its own these are `ids` as they are: ids from len(vocab) on are words that
        were pruned. For another one they are translated into a temporary mapped file, and unknown words are
        `UNKNOWN`.
        """
        own = self.vocab
        if own.words.begins_with(vocab.words):
            return self.ids
        table = np.full(len(own), UNKNOWN, dtype=np.uint32)
        found = own.words.find_all(vocab.words)
        known = np.flatnonzero(found != NOWHERE)
        table[found[known]] = known

        def blocks() -> Iterator[NDArray[np.uint32]]:
            for start in range(0, len(self.ids), _BLOCK):
                ids = self.ids[start : start + _BLOCK].copy()
                renumber(ids, table)
                yield ids

        return storage.temporary_array(blocks())


def _count_files(
    draft: Draft, reader: Reader, tokenizer: Tokenizer, progress: Callable[[int, int | None], None] | None
) -> None:
    pieces = reader.pieces(tokenizer.ends)

    def report() -> None:
        if progress:
            progress(reader.done, reader.size)

    def work() -> None:
        writer = Writer(draft)
        while piece := pieces.take():
            try:
                writer.add(piece.key, tokenizer.encode(writer.ingest, piece))
            except BaseException as error:
                pieces.fail(piece.key, error)
            if draft.threads == 1:
                report()
        writer.close()

    together(work, draft.threads, pieces.stop, report)
    pieces.check()
    report()


def _count_sentences(draft: Draft, sentences: Iterable[Sequence[str]]) -> None:
    writer = Writer(draft)
    iterator = iter(sentences)
    for number in itertools.count(0, _BATCH):
        batch = list(itertools.islice(iterator, _BATCH))
        if not batch:
            break
        writer.add((0, number), add(writer.ingest, batch, "sentence ", number + 1))
    writer.close()
