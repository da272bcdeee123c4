"""ARPA files: back-off models as text, which KenLM, SRILM and others read and write."""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from firth._core import NGramModel
from firth.errors import FormatError
from firth.files import READING_ERRORS, atomic_write, open_binary
from firth.lm.ngram.estimation import Tables
from firth.words import PackedWords, Words, decode

SPECIALS = ("<unk>", "<s>", "</s>")  # the first ids of every model
MARK = b"\\data\\"
_NEVER = -100.0  # what KenLM gives the unknown word of a model without one
_LINES = 200_000  # written at a time
_SPACE = re.compile(r"\s")

Rows = tuple[NDArray[np.uint32], NDArray[np.float32], NDArray[np.float32]]  # words (m, k), log10 P, back-off


def is_arpa(path: str | Path) -> bool:
    """Whether a file begins as ARPA files do."""
    with open_binary(path) as file, suppress(*READING_ERRORS):
        return file.read(64).lstrip().startswith(MARK)
    return False


def write(path: str | Path, model: NGramModel, words: Words, sizes: list[int], threads: int) -> None:
    """Write a model; a name that ends in .gz is compressed. Raises `FormatError` for words with spaces in them."""
    for word in words:
        if _SPACE.search(word):
            raise FormatError(f"{word!r} holds white space, which no word of an ARPA file can; save a directory")
    packed = PackedWords.pack(words)
    with atomic_write(path) as file, ThreadPoolExecutor(threads) as pool:
        file.write(MARK + b"\n")
        file.writelines(b"ngram %d=%d\n" % (k, size) for k, size in enumerate(sizes, start=1))
        for k, size in enumerate(sizes, start=1):
            file.write(b"\n\\%d-grams:\n" % k)
            starts = iter(range(0, size, _LINES))
            while batch := list(itertools.islice(starts, threads)):
                file.writelines(
                    pool.map(
                        lambda start, k=k, size=size: model.lines(
                            k, start, min(start + _LINES, size), packed.text, packed.ends
                        ),
                        batch,
                    )
                )
        file.write(b"\n\\end\\\n")


def read(path: str | Path) -> tuple[Words, Tables]:
    """The words, <unk>, <s> and </s> first, and the tables of an ARPA file; raises `FormatError` with the line.

    Suffixes of n-grams that the file lacks, as SRILM's pruned models do, are put in with the probability that they
    have by backing off.
    """
    with open_binary(path) as file:
        try:
            words, sections = _Reader(str(path), file).read()
        except READING_ERRORS as error:
            raise FormatError(
                f"{path}: cannot be read to its end ({error}); write or download it again"
            ) from error
    while True:
        try:
            return words, _tables(str(path), sections)
        except _MissingSuffixes as missing:
            _put_in(sections, missing)


class _Reader:
    def __init__(self, path: str, file: BinaryIO):
        self.path, self.number = path, 0
        self.lines = self._lines(file)

    def _lines(self, file: BinaryIO) -> Iterator[str]:
        for self.number, line in enumerate(file, start=1):
            yield decode(line).strip(" \t\r\n")
        self.number += 1
        raise self.wrong("the file ends before \\end\\; it was cut short, write or download it again")

    def wrong(self, cause: str) -> FormatError:
        return FormatError(f"{self.path}:{self.number}: {cause}")

    def read(self) -> tuple[Words, list[Rows]]:
        while next(self.lines) != decode(MARK):
            pass
        sizes: list[int] = []
        while (line := self._next()).startswith("ngram "):
            found = re.fullmatch(r"ngram\s+(\d+)\s*=\s*(\d+)", line)
            if not found or int(found[1]) != len(sizes) + 1:
                raise self.wrong(f"{line!r} is no count of {len(sizes) + 1}-grams; write the file again")
            sizes.append(int(found[2]))
        if not sizes:
            raise self.wrong("there are no counts of n-grams after \\data\\; write the file again")
        ids: dict[str, int] = {name: id for id, name in enumerate(SPECIALS)}
        sections = []
        for k, size in enumerate(sizes, start=1):
            if line != f"\\{k}-grams:":
                raise self.wrong(
                    f"{line[:40]!r} stands where \\{k}-grams: must; are there as many as \\data\\ says?"
                )
            sections.append(self._section(k, size, ids))
            line = self._next()
        if line != "\\end\\":
            raise self.wrong(f"{line[:40]!r} stands where \\end\\ must; are there as many as \\data\\ says?")
        return Words(ids), [self._unigrams(sections[0], len(ids)), *sections[1:]]

    def _next(self) -> str:
        return next(line for line in self.lines if line)

    def _section(self, k: int, size: int, ids: dict[str, int]) -> Rows:
        words = np.empty((size, k), np.uint32)
        prob, backoff = np.empty(size, np.float32), np.zeros(size, np.float32)
        for row, line in zip(range(size), self.lines, strict=False):
            fields = line.split()
            if not k < len(fields) <= k + 2:
                raise self.wrong(
                    f"{line[:60]!r} is not a number, {k} words and perhaps a number; "
                    "are there as many n-grams as \\data\\ says?"
                )
            names = fields[1 : k + 1]
            if k == 1:
                name = "<unk>" if names[0] == "<UNK>" else names[0]
                words[row] = ids.setdefault(name, len(ids))
            else:
                try:
                    words[row] = [ids["<unk>" if name == "<UNK>" else name] for name in names]
                except KeyError as unknown:
                    raise self.wrong(f"{unknown} is not among the 1-grams; write the file again") from None
            prob[row] = self._number(fields[0], top=0.0)
            if len(fields) == k + 2:
                backoff[row] = self._number(fields[-1], top=math.inf)
        return words, prob, backoff

    def _number(self, field: str, top: float) -> float:
        try:
            number = float(field)
        except ValueError:
            number = math.nan
        if math.isnan(number) or number > top:
            raise self.wrong(f"{field!r} is not the log10 of a probability or a back-off; write the file again")
        return number

    def _unigrams(self, rows: Rows, size: int) -> Rows:
        """All words in the order of their ids."""
        words, prob, backoff = rows
        listed = words[:, 0]
        for id, name in enumerate(SPECIALS[1:], start=1):
            if id not in listed:
                raise self.wrong(f"{name} is not among the 1-grams; a model of sentences needs it")
        found = np.full(size, _NEVER, np.float32), np.zeros(size, np.float32)
        for array, values in zip(found, (prob, backoff), strict=True):
            array[listed] = values
        if len(np.unique(listed)) != len(listed):
            raise self.wrong("a word stands twice among the 1-grams; write the file again")
        return np.arange(size, dtype=np.uint32)[:, None], *found


class _MissingSuffixes(Exception):
    def __init__(self, words: NDArray[np.uint32]):
        self.words = words


def _put_in(sections: list[Rows], missing: _MissingSuffixes) -> None:
    k = missing.words.shape[1]
    words, prob, backoff = sections[k - 1]
    new = np.unique(missing.words, axis=0)
    sections[k - 1] = (
        np.concatenate([words, new]),
        np.concatenate([prob, np.full(len(new), np.nan, np.float32)]),
        np.concatenate([backoff, np.zeros(len(new), np.float32)]),
    )


def _tables(path: str, sections: list[Rows]) -> Tables:
    """n-grams in the order of `cpp/ngram.hpp`, each at its suffix."""
    tables = Tables([], [], [sections[0][1]], [sections[0][2]] if len(sections) > 1 else [])
    index = _Index()
    for k, (words, prob, backoff) in enumerate(sections[1:], start=2):
        parents = index.find(words[:, 1:])
        if (parents < 0).any():
            raise _MissingSuffixes(words[parents < 0, 1:])
        keys = _keys(parents, words[:, 0])
        order = np.argsort(keys, kind="stable")
        keys = keys[order]
        if (keys[1:] == keys[:-1]).any():
            raise FormatError(f"{path}: one of the {k}-grams stands twice; write the file again")
        index.keys.append(keys)
        prob = prob[order]
        if (unlisted := np.isnan(prob)).any():
            rows = words[order][unlisted]
            histories = index.find(rows[:, :-1])
            weights = np.where(histories >= 0, tables.backoff[-1][histories], 0)
            prob[unlisted] = weights + tables.prob[-1][parents[order][unlisted]]
        places = np.arange(len(tables.prob[-1]) + 1, dtype=np.uint64) << np.uint64(32)
        tables.begin.append(np.searchsorted(keys, places).astype(np.uint32))
        tables.left.append(words[order, 0])
        tables.prob.append(prob)
        if k < len(sections):
            tables.backoff.append(backoff[order])
    return tables


def _keys(parents: NDArray[np.int64], left: NDArray[np.uint32]) -> NDArray[np.uint64]:
    return parents.astype(np.uint64) << np.uint64(32) | left.astype(np.uint64)


class _Index:
    """Finds n-grams of the levels that are in order already: `keys` from level 2 on."""

    def __init__(self) -> None:
        self.keys: list[NDArray[np.uint64]] = []

    def find(self, words: NDArray[np.uint32]) -> NDArray[np.int64]:
        """The indices of n-grams, shape (m, k), at level k; −1 for those that are not there."""
        found = words[:, -1].astype(np.int64)
        for back, keys in zip(range(2, words.shape[1] + 1), self.keys, strict=False):
            wanted = _keys(np.maximum(found, 0), words[:, -back])
            at = np.searchsorted(keys, wanted)
            there = (at < len(keys)) & (found >= 0)
            there[there] = keys[at[there]] == wanted[there]
            found = np.where(there, at, -1)
        return found
