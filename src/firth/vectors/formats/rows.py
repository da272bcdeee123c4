"""What the row-by-row formats share: the header, and gathering rows whatever number they turn out to be."""

from __future__ import annotations

import re
import warnings
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from firth.errors import FirthWarning, FormatError
from firth.vectors.store import Vectors
from firth.words import Words, decode

HEADER = re.compile(rb"(\d{1,15})[ \t]+(\d{1,15})[ \t\r]*")  # words, components

_MOST_COMPONENTS = 1 << 20
_FIRST_ROOM = 1 << 22  # bytes of the matrix to begin with, whatever a header promises


def read_header(file: BinaryIO, path: Path) -> tuple[int, int]:
    """Numbers of words and of components in the first line; raises `FormatError` where it has no such."""
    line = file.readline(1000)
    header = HEADER.fullmatch(line.rstrip(b"\n"))
    if header is None or not 0 < int(header[2]) <= _MOST_COMPONENTS:
        raise FormatError(
            f"{path}: begins with {line[:40]!r} instead of the numbers of words and components; "
            "check the format (text without a header is GloVe's)"
        )
    return int(header[1]), int(header[2])


class RowCollector:
    """Words and vectors in the order of a file; a word that comes again is left out, and told of at the end.

    `promised` is how many rows the file says it has, if it does; `limit` how many are wanted, if not all.
    """

    def __init__(self, path: Path, dim: int, *, promised: int | None, limit: int | None):
        self.path, self.dim, self.promised, self.limit = path, dim, promised, limit
        self.read = 0
        self._words: dict[bytes, None] = {}
        self._repeated: list[bytes] = []
        self._matrix = np.empty((0, dim), dtype=np.float32)

    @property
    def room(self) -> int | None:
        """How many more rows are wanted, None for all."""
        return None if self.limit is None else self.limit - self.read

    def add(self, words: list[bytes], block: NDArray[np.float32]) -> None:
        """Take the next rows of the file; raises `FormatError` where a number is not finite."""
        finite = np.isfinite(block).all(axis=1)
        if not finite.all():
            worst = int(np.argmin(finite))
            raise FormatError(
                f"{self.path}: the vector of {decode(words[worst])!r}, row {self.read + worst + 1}, holds "
                "NaN or infinity; the file is damaged or its training diverged: make it again"
            )
        fresh = []
        for place, word in enumerate(words):
            if word in self._words:
                self._repeated.append(word)
            else:
                self._words[word] = None
                fresh.append(place)
        end = len(self._words)
        self._reserve(end)
        self._matrix[end - len(fresh) : end] = block if len(fresh) == len(words) else block[fresh]
        self.read += len(words)

    def _reserve(self, rows: int) -> None:
        """Make room in place: for large arrays the system moves pages, not bytes."""
        room = len(self._matrix)
        if rows > room:
            wanted = max(rows, room + room // 4, _FIRST_ROOM // (4 * self.dim))
            known = [bound for bound in (self.promised, self.limit) if bound is not None and bound >= rows]
            self._matrix.resize((min([wanted, *known]), self.dim), refcheck=False)

    def vectors(self) -> Vectors:
        """The vectors of the rows; raises `FormatError` where there are fewer than promised."""
        if self.promised is not None and self.room != 0:
            if self.read < self.promised:
                raise FormatError(
                    f"{self.path}: ends after {self.read:,} of the {self.promised:,} rows that its header "
                    "promises; it was cut short: copy or download it again"
                )
            if self.read > self.promised:
                self.warn(f"its header promises {self.promised:,} rows, but it has {self.read:,}; all were read")
        if self._repeated:
            self.warn(
                f"{len(self._repeated):,} rows repeat a word, as {decode(self._repeated[0])!r}; "
                "the first row of each was kept"
            )
        self._matrix.resize((len(self._words), self.dim), refcheck=False)
        return Vectors(Words(map(decode, self._words)), self._matrix)

    def warn(self, what: str) -> None:
        """Tell the user of something about the file that was put right."""
        warnings.warn(f"{self.path}: {what}", FirthWarning, stacklevel=2)
