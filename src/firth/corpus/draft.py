"""A corpus in the making: threads count and encode it in any order, each with a table of words of its own.

A table that has grown large is written down as a sorted run of words, and begun anew; so is each table in the end.
The runs are merged, which gives every word its count and rank, and then the ids, which each run had numbered for
itself, are translated into ranks and put in the order of the text. Nothing depends on who did what when.
"""

from __future__ import annotations

import json
import mmap
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from firth._core import Ingest, Merge, renumber
from firth.corpus import storage
from firth.errors import CorpusError

MEMORY = 64 << 20  # bytes of words that are counted in memory, by all threads together
_MERGED = 1 << 18  # words merged at a time
_POLL_SECONDS = 0.1

Encoded = tuple[NDArray[np.uint32], NDArray[np.uint64]]  # ids, and where sentences end among them
Key = tuple[float, float]


def write(folder: Path, fill: Callable[[Draft], None], name: str, threads: int) -> None:
    """Write the corpus that `fill` gives to a draft; raises `CorpusError` for no words and a full disk."""
    with storage.scratch(prefix="draft-", parent=folder) as scratch, closing(Draft(scratch, threads)) as draft:
        fill(draft)
        draft.finish(folder, name)
    sizes = {part: (folder / part).stat().st_size for part in storage.DTYPES}
    about = json.dumps({"format": storage.FORMAT, "source": name, "sizes": sizes}, indent=1).encode()
    with storage.open_file(folder / storage.ABOUT) as file:
        storage.append(file, np.frombuffer(about, dtype=np.uint8))


def together(task: Callable[[], None], threads: int, stop: Callable[[], None], poll: Callable[[], None]) -> None:
    """Do a task that threads share: here if there is one, else in threads, calling `poll` meanwhile.

    An interruption calls `stop`, upon which they should soon end.
    """
    if threads == 1:
        task()
        return
    with ThreadPoolExecutor(threads) as pool:
        try:
            working = [pool.submit(task) for _ in range(threads)]
            while wait(working, _POLL_SECONDS).not_done:
                poll()
        finally:
            stop()
    for each in working:
        each.result()


@dataclass
class _Stretch:
    """What became of a piece of text: its place in the files of the draft, and its beginning in the corpus."""

    key: Key
    ids: slice
    ends: slice
    word: int = 0
    sentence: int = 0


class _Run(NamedTuple):
    """Words that were counted together, sorted, and the stretches whose ids are theirs."""

    text: slice
    words: slice
    stretches: list[_Stretch]


class _Column:
    """A file of numbers that grows."""

    def __init__(self, path: Path, dtype: type[np.generic]):
        self.path, self._dtype, self._file, self._size = path, dtype, storage.open_file(path), 0

    def append(self, array: NDArray[Any]) -> slice:
        begin = self._size
        storage.append(self._file, array)
        self._size += len(array)
        return slice(begin, self._size)

    def read(self, part: slice) -> NDArray[Any]:
        offset = part.start * np.dtype(self._dtype).itemsize
        return np.fromfile(self.path, self._dtype, part.stop - part.start, offset=offset)

    def mapped(self) -> NDArray[Any]:
        return storage.mapped(self.path, self._dtype)

    def close(self) -> None:
        self._file.close()


class Draft:
    """What is known of a corpus while at most `threads` writers make it."""

    def __init__(self, folder: Path, threads: int):
        self.threads = threads
        self.table_memory = MEMORY // threads
        self._folder = folder
        self._lock = threading.Lock()  # guards what follows
        self._ids, self._ends = _Column(folder / "ids", np.uint32), _Column(folder / "ends", np.uint64)
        self._words = (
            _Column(folder / "text", np.uint8),
            _Column(folder / "word-ends", np.uint64),
            _Column(folder / "counts", np.int64),
            _Column(folder / "own-ids", np.uint32),
        )
        self._ranks = _Column(folder / "ranks", np.uint32)
        self._runs: list[_Run] = []

    def close(self) -> None:
        """Close the files of the draft."""
        for column in (self._ids, self._ends, *self._words, self._ranks):
            column.close()

    def add(self, key: Key, encoded: Encoded) -> _Stretch:
        """Keep what became of a piece of text."""
        ids, ends = encoded
        with self._lock:
            return _Stretch(key, self._ids.append(ids), self._ends.append(ends))

    def add_run(self, ingest: Ingest, stretches: list[_Stretch]) -> None:
        """Keep the words so far, by which these stretches are encoded."""
        arrays: tuple[NDArray[Any], ...] = ingest.drain()
        with self._lock:
            text, words, *_ = [column.append(array) for column, array in zip(self._words, arrays, strict=True)]
            self._runs.append(_Run(text, words, stretches))

    def finish(self, folder: Path, name: str) -> None:
        """Write the arrays of the corpus into `folder`."""
        self._merge(folder, name)
        _order([stretch for run in self._runs for stretch in run.stretches])
        own_ids = self._words[-1]
        translation = _Translation(self._runs, own_ids, self._ranks, self._ids, self._ends, folder)
        together(translation.work, min(self.threads, len(self._runs)), translation.stopped.set, lambda: None)

    def _merge(self, folder: Path, name: str) -> None:
        """Write the vocabulary, and the ranks of the words of all runs."""
        text, ends, counts, _ = (column.mapped() for column in self._words)
        # Read ahead at each of so many places, the system would drive out its own pages; `Merge` does it itself.
        storage.advise((text, ends, counts), mmap.MADV_RANDOM)
        merge = Merge([(text[run.text], ends[run.words], counts[run.words]) for run in self._runs])
        while merge.survey(_MERGED):
            storage.advise((text, ends, counts), mmap.MADV_DONTNEED)  # nothing is lost: they are files
        if not merge.words:
            raise CorpusError(f"{name}: not one word is in it; give text, or check the tokenizer")

        def room(part: str, size: int) -> NDArray[Any]:
            return storage.room(folder / part, storage.DTYPES[part], size)

        result = (
            room("word_text", merge.bytes),
            room("word_ends", merge.words),
            room("word_order", merge.words),
            room("counts", merge.words),
            storage.room(self._ranks.path, np.uint32, len(counts)),
        )
        storage.advise(result, mmap.MADV_RANDOM)
        while merge.place(*result, _MERGED):
            storage.advise((text, ends, counts, *result), mmap.MADV_DONTNEED)


class Writer:
    """What one thread counts, encodes and leaves to a draft."""

    def __init__(self, draft: Draft):
        self.ingest = Ingest()
        self._draft = draft
        self._stretches: list[_Stretch] = []

    def add(self, key: Key, encoded: Encoded) -> None:
        """Keep what `ingest` made of a piece of text."""
        self._stretches.append(self._draft.add(key, encoded))
        if self.ingest.memory > self._draft.table_memory:
            self.close()

    def close(self) -> None:
        """Leave the words to the draft; more may come."""
        if self._stretches:
            self._draft.add_run(self.ingest, self._stretches)
            self._stretches = []


def _order(stretches: list[_Stretch]) -> None:
    """Tell each stretch where it begins in the corpus."""
    word = sentence = 0
    for stretch in sorted(stretches, key=lambda each: each.key):
        stretch.word, stretch.sentence = word, sentence
        word += stretch.ids.stop - stretch.ids.start
        sentence += stretch.ends.stop - stretch.ends.start


class _Translation:
    """Provisional ids, as they came, become ranks in the order of the text; any threads may `work` at it."""

    def __init__(
        self,
        runs: list[_Run],
        own_ids: _Column,
        ranks: _Column,
        ids: _Column,
        ends: _Column,
        folder: Path,
    ):
        self.stopped = threading.Event()
        self._runs = iter(runs)
        self._next = threading.Lock()
        self._own_ids, self._ranks, self._ids, self._ends, self._folder = own_ids, ranks, ids, ends, folder
        for part, beginning in {"ids": [], "offsets": [0]}.items():
            with storage.open_file(folder / part) as file:
                storage.append(file, np.array(beginning, dtype=storage.DTYPES[part]))

    def work(self) -> None:
        """Translate run after run until none is left."""
        folder = self._folder
        with (
            storage.open_file(folder / "ids", "r+") as ids,
            storage.open_file(folder / "offsets", "r+") as offsets,
        ):
            while run := self._take():
                table = np.empty(run.words.stop - run.words.start, dtype=np.uint32)
                table[self._own_ids.read(run.words)] = self._ranks.read(run.words)
                for stretch in run.stretches:
                    if self.stopped.is_set():
                        return
                    ranked = self._ids.read(stretch.ids)
                    renumber(ranked, table)
                    ids.seek(stretch.word * table.itemsize)
                    storage.append(ids, ranked)
                    ends = self._ends.read(stretch.ends) + np.uint64(stretch.word)
                    offsets.seek((1 + stretch.sentence) * ends.itemsize)
                    storage.append(offsets, ends)

    def _take(self) -> _Run | None:
        with self._next:
            return next(self._runs, None)
