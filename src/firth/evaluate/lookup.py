"""How the written words of a set find their vectors."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from firth.vectors import Vectors
from firth.vectors.search import have_direction


@dataclass(frozen=True)
class Lookup:
    """The words of a set among the words of vectors that have a direction.

    `vectors` are those whose words were looked at, `candidates` how many of these have a direction.
    `spellings` gives for each known word of the set how it is written there, the most frequent spelling first;
    `unknown` are the others.
    """

    vectors: Vectors
    candidates: int
    spellings: dict[str, list[str]]
    unknown: tuple[str, ...]
    case_insensitive: bool

    @classmethod
    def of(cls, words: Iterable[str], vectors: Vectors, *, first: int | None, case_insensitive: bool) -> Lookup:
        """Look the words up among the `first` words (None: among all)."""
        if first is not None:
            vectors = vectors.restrict(first)
        fold = str.upper if case_insensitive else str  # upper, not casefold: as word2vec.c and gensim do
        wanted = dict.fromkeys(words)
        alike: dict[str, list[str]] = {fold(word): [] for word in wanted}
        usable = have_direction(vectors.norms)
        for word, has_direction in zip(vectors.words, usable.tolist(), strict=True):
            if has_direction and (form := fold(word)) in alike:
                alike[form].append(word)
        spellings = {word: found for word in wanted if (found := alike[fold(word)])}
        unknown = tuple(word for word in wanted if word not in spellings)
        return cls(vectors, int(np.count_nonzero(usable)), spellings, unknown, case_insensitive)

    @property
    def remedy(self) -> str:
        """What to look at where a set finds too few of its words here."""
        case = "" if self.case_insensitive else ", whether case_insensitive=True helps"
        return (
            f"there are {self.candidates:,} candidate words: check that vectors and set are of one language"
            f"{case}, and whether first=None, for all words, does"
        )
