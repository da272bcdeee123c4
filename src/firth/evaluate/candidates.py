"""The words that an evaluation may ask for and answer with, and how a written word finds its vector."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from firth.errors import SettingsError
from firth.words import Words


class Vectors(Protocol):
    """What is evaluated."""

    @property
    def words(self) -> Words:
        """V words by falling frequency."""

    @property
    def matrix(self) -> NDArray[np.float32]:
        """Their rows, shape (V, N)."""

    @property
    def norms(self) -> NDArray[np.float32]:
        """The rows' lengths, shape (V,)."""


@dataclass(frozen=True, eq=False)
class Candidates:
    """The first words of some vectors, but those without a direction: their row is zero or not finite.

    A candidate's number is its place among the C candidates. `rows` (int64, shape (C,)) holds its row in the
    matrix, `forms` (likewise) the number of the most frequent candidate written alike: its own unless case
    is folded.
    """

    vectors: Vectors
    rows: NDArray[np.int64]
    forms: NDArray[np.int64]
    case_insensitive: bool
    _numbers: dict[str, int]

    @classmethod
    def among(cls, vectors: Vectors, *, first: int | None, case_insensitive: bool) -> Candidates:
        """The candidates among the `first` words (None: among all)."""
        if first is not None and first < 1:
            raise SettingsError(f"first={first} must be at least 1, or None for all words")
        norms = vectors.norms[:first]
        rows = np.flatnonzero(np.isfinite(norms) & (norms > 0))
        words: Sequence[str] = vectors.words[:first]
        numbers: dict[str, int] = {}
        forms = [
            numbers.setdefault(_fold(words[row], case_insensitive), number)
            for number, row in enumerate(rows.tolist())
        ]
        return cls(vectors, rows, np.array(forms, dtype=np.int64), case_insensitive, numbers)

    def __len__(self) -> int:
        return len(self.rows)

    def find(self, word: str) -> int | None:
        """The number of the most frequent candidate that is written like `word`, or None."""
        return self._numbers.get(_fold(word, self.case_insensitive))

    def units(self, numbers: NDArray[np.int64] | slice) -> NDArray[np.float32]:
        """The rows of these candidates, scaled to length 1."""
        rows = self.rows[numbers]
        units: NDArray[np.float32] = self.vectors.matrix[rows] / self.vectors.norms[rows, None]
        return units

    @property
    def remedy(self) -> str:
        """What to look at where a set finds too few of its words here."""
        case = "" if self.case_insensitive else ", whether case_insensitive=True helps"
        return (
            f"there are {len(self):,} candidate words: check that vectors and set are of one language{case}, "
            "and whether first=None, for all words, does"
        )


def _fold(word: str, case_insensitive: bool) -> str:
    return word.upper() if case_insensitive else word  # upper, not casefold: as word2vec.c and gensim do
