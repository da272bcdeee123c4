"""Word pairs: do the cosines of vectors order pairs of words as people do?"""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from firth.errors import FirthWarning, MissingExtraError
from firth.evaluate.lookup import Lookup
from firth.evaluate.report import percent, sample, table
from firth.evaluate.sets import EvaluationError, lines
from firth.vectors import Vectors

FEWEST = 3  # pairs; through two points every correlation is perfect

Pair = tuple[str, str, float]


@dataclass(frozen=True)
class PairResult:
    """The correlation of cosines with people's scores, over the pairs of which both words are known.

    `spearman` and `pearson` lie in [−1, 1], each with its two-sided p-value; `unknown` are the unknown words,
    spelled as in the set.
    """

    path: str
    spearman: float
    spearman_p: float
    pearson: float
    pearson_p: float
    answered: int
    pairs: int
    unknown: tuple[str, ...]

    @property
    def coverage(self) -> float:
        """The share of the pairs of which both words are known."""
        return self.answered / self.pairs

    def as_dict(self) -> dict[str, Any]:
        """Everything, fit for JSON."""
        return {
            "set": self.path,
            "spearman": self.spearman,
            "spearman_p": self.spearman_p,
            "pearson": self.pearson,
            "pearson_p": self.pearson_p,
            "answered": self.answered,
            "pairs": self.pairs,
            "coverage": self.coverage,
            "unknown": list(self.unknown),
        }

    def table(self) -> str:
        """The correlations in aligned columns, times 100 as the literature prints them."""
        header = ["word pairs", "Spearman", "p", "Pearson", "p", "answered", "pairs", "coverage"]
        row = [
            Path(self.path).name,
            *(f"{100 * self.spearman:.1f}", f"{self.spearman_p:.1g}"),
            *(f"{100 * self.pearson:.1f}", f"{self.pearson_p:.1g}"),
            *(f"{self.answered:,}", f"{self.pairs:,}", percent(self.coverage)),
        ]
        return "\n".join([table(header, [row]), sample(self.unknown)])

    def __str__(self) -> str:
        return self.table()


def word_pairs(
    vectors: Vectors, path: str | Path, *, first: int | None = None, case_insensitive: bool = True
) -> PairResult:
    """Correlate cosines with the scores of a file of `word word score` lines.

    The fields stand between tabs, else commas, else spaces. Lines that begin with `#` are comments; a first
    line of three fields, the third no number and without a digit, is a header: left out, with a
    `FirthWarning`. A word is looked up among the `first` words (None: all), with `case_insensitive` in its
    most frequent spelling; it is unknown if its vector is zero or not finite. gensim's
    `evaluate_word_pairs(restrict_vocab=first)` gives the same correlations.

    Raises `EvaluationError` for a malformed line, for a set of which fewer than three pairs are known and for
    one without differences, `FileError` for a file that cannot be opened, `MissingExtraError` without scipy.
    """
    try:
        from scipy import stats
    except ImportError:
        raise MissingExtraError("word similarity", "eval") from None
    pairs = _read(path)
    words = (word for one, other, _ in pairs for word in (one, other))
    found = Lookup.of(words, vectors, first=first, case_insensitive=case_insensitive)
    known = [pair for pair in pairs if found.spellings.keys() >= {*pair[:2]}]
    if len(known) < FEWEST:
        raise EvaluationError(
            f"{path}: of {len(pairs):,} pairs only {len(known)} have two known words "
            f"(unknown: {', '.join(found.unknown[:3])}); {found.remedy}"
        )
    people = [score for _, _, score in known]
    cosines = [vectors.similarity(found.spellings[one][0], found.spellings[other][0]) for one, other, _ in known]
    for what, values in (("scores", people), ("cosines", cosines)):
        if min(values) == max(values):
            raise EvaluationError(
                f"{path}: the {what} of all {len(known):,} known pairs are {values[0]:g}: there is no "
                "correlation without a difference; check the set and the vectors"
            )
    spearman, pearson = stats.spearmanr(people, cosines), stats.pearsonr(people, cosines)
    return PairResult(
        path=str(path),
        spearman=float(spearman.statistic),
        spearman_p=float(spearman.pvalue),
        pearson=float(pearson.statistic),
        pearson_p=float(pearson.pvalue),
        answered=len(known),
        pairs=len(pairs),
        unknown=found.unknown,
    )


def _read(path: str | Path) -> Sequence[Pair]:
    pairs: list[Pair] = []
    header = False
    for place, line in lines(path):
        if line.startswith("#"):
            continue
        separator = next((mark for mark in "\t," if mark in line), None)
        fields = [part.strip() for part in line.split(separator)]
        score = _number(fields[2]) if len(fields) == 3 else None
        if score is not None and math.isfinite(score):
            pairs.append((fields[0], fields[1], score))
        elif not (pairs or header) and _names_columns(fields):
            header = True
            warnings.warn(f"{place}: {line!r} is taken for a header", FirthWarning, stacklevel=3)
        else:
            raise EvaluationError(
                f"{place}: {line!r} is not two words and a number between tabs, commas or spaces; "
                "mend or remove the line"
            )
    if not pairs:
        raise EvaluationError(f"{path}: holds no pair; give lines of two words and a score")
    return pairs


def _names_columns(fields: Sequence[str]) -> bool:
    """Whether the third field is no number, nor one gone wrong like 7;5."""
    return len(fields) == 3 and _number(fields[2]) is None and not any(map(str.isdigit, fields[2]))


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None
