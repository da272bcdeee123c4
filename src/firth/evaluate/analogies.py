"""Analogies: a is to b as c is to which word? Scored by section, as word2vec.c's compute-accuracy does."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import chain, islice
from pathlib import Path
from typing import Any

from firth.evaluate.lookup import Lookup
from firth.evaluate.report import number_or_none, percent, sample, table
from firth.evaluate.sets import EvaluationError, lines
from firth.vectors import Method, Vectors

SYNTACTIC = "gram"  # how the names of Google's syntactic sections begin

Question = tuple[str, str, str, str]


@dataclass(frozen=True)
class AnalogyScore:
    """How many questions were asked, could be answered (all four words known), and were answered rightly."""

    name: str
    correct: int
    answered: int
    questions: int

    @property
    def accuracy(self) -> float:
        """The share of the answered questions that is right; NaN where none could be answered."""
        return self.correct / self.answered if self.answered else float("nan")

    @property
    def coverage(self) -> float:
        """The share of the questions that could be answered."""
        return self.answered / self.questions if self.questions else float("nan")

    @property
    def accuracy_of_all(self) -> float:
        """The share of all questions that is right: one with an unknown word counts as wrong."""
        return self.correct / self.questions if self.questions else float("nan")

    @classmethod
    def sum(cls, name: str, scores: Iterable[AnalogyScore]) -> AnalogyScore:
        """Several scores as one."""
        parts = list(scores)
        return cls(
            name,
            sum(part.correct for part in parts),
            sum(part.answered for part in parts),
            sum(part.questions for part in parts),
        )

    def as_dict(self) -> dict[str, Any]:
        """Counts and shares, fit for JSON: a share of nothing is None."""
        return {
            "name": self.name,
            "correct": self.correct,
            "answered": self.answered,
            "questions": self.questions,
            "accuracy": number_or_none(self.accuracy),
            "coverage": number_or_none(self.coverage),
            "accuracy_of_all": number_or_none(self.accuracy_of_all),
        }


@dataclass(frozen=True)
class AnalogyResult:
    """The scores of an analogy set by section, and its unknown words, spelled as there.

    `candidates` is the number of words that could be asked for and answered with.
    """

    path: str
    method: str
    candidates: int
    sections: tuple[AnalogyScore, ...]
    unknown: tuple[str, ...]

    @property
    def total(self) -> AnalogyScore:
        """All sections together."""
        return AnalogyScore.sum("total", self.sections)

    @property
    def semantic(self) -> AnalogyScore | None:
        """The other sections, where there are syntactic ones; else None."""
        return self._half("semantic", syntactic=False) if self.syntactic else None

    @property
    def syntactic(self) -> AnalogyScore | None:
        """The sections whose names begin with "gram"; None where there are none."""
        return self._half("syntactic", syntactic=True)

    def _half(self, name: str, *, syntactic: bool) -> AnalogyScore | None:
        scores = [score for score in self.sections if score.name.startswith(SYNTACTIC) == syntactic]
        return AnalogyScore.sum(name, scores) if scores else None

    @property
    def sums(self) -> list[AnalogyScore]:
        """Semantic and syntactic, where the set makes the difference, and the total."""
        return [score for score in (self.semantic, self.syntactic, self.total) if score]

    def as_dict(self) -> dict[str, Any]:
        """Everything, fit for JSON."""
        return {
            "set": self.path,
            "method": self.method,
            "candidates": self.candidates,
            "sections": [score.as_dict() for score in self.sections],
            **{score.name: score.as_dict() for score in self.sums},
            "unknown": list(self.unknown),
        }

    def table(self) -> str:
        """The scores in aligned columns, accuracies in per cent."""
        rows = [
            [
                score.name,
                *(f"{count:,}" for count in (score.correct, score.answered, score.questions)),
                *(percent(share) for share in (score.accuracy, score.coverage, score.accuracy_of_all)),
            ]
            for score in (*self.sections, *self.sums)
        ]
        header = ["section", "correct", "answered", "questions", "accuracy", "coverage", "of all"]
        title = f"{Path(self.path).name}: {self.method}, {self.candidates:,} candidate words"
        return "\n".join([title, table(header, rows, rule_before=len(self.sections)), sample(self.unknown)])

    def __str__(self) -> str:
        return self.table()


def analogies(
    vectors: Vectors,
    path: str | Path,
    *,
    first: int | None = 30_000,
    method: Method = "3cosadd",
    case_insensitive: bool = True,
) -> AnalogyResult:
    """Solve the analogies of a file in Google's layout: `: section` lines, then four words a line.

    A question a b c d is right if d is the best of the `first` words (None: of all words) but a, b and c, by

    * "3cosadd": argmax cos(d, b − a + c), Mikolov et al. 2013c;
    * "3cosmul": argmax cos⁺(d, b) · cos⁺(d, c) / (cos⁺(d, a) + 0.001), cos⁺ = (1 + cos) / 2, Levy & Goldberg
      2014, eq. 4.

    Of equally good answers the most frequent counts. A question with a word that is not among the `first`, or
    whose vector is zero or not finite, is not answered, and the word reported as unknown. `case_insensitive`
    looks up the most frequent spelling of a word, takes no spelling of a, b or c for an answer, and any
    spelling of d. gensim's `evaluate_word_analogies(restrict_vocab=first)` gives the counts of 3CosAdd.

    Raises `EvaluationError` for a malformed line and for a set of which nothing can be answered, `FileError`
    for a file that cannot be opened, `SettingsError` for an unknown method or `first` below 1.
    """
    sections = _read(path)
    words = (word for section in sections for question in section.questions for word in question)
    found = Lookup.of(words, vectors, first=first, case_insensitive=case_insensitive)
    answerable = [
        [question for question in section.questions if found.spellings.keys() >= set(question)]
        for section in sections
    ]
    if not any(answerable):
        asked = sum(len(section.questions) for section in sections)
        raise EvaluationError(
            f"{path}: none of the {asked:,} questions has four known words "
            f"(unknown: {', '.join(found.unknown[:3])}); {found.remedy}"
        )
    right = iter(_right(list(chain.from_iterable(answerable)), found, method))
    scores = [
        AnalogyScore(section.name, sum(islice(right, len(part))), len(part), len(section.questions))
        for section, part in zip(sections, answerable, strict=True)
    ]
    return AnalogyResult(str(path), method, found.candidates, tuple(scores), found.unknown)


def _right(questions: list[Question], found: Lookup, method: Method) -> list[bool]:
    """Whether each question, of known words alone, is answered by its fourth word in any spelling."""
    spellings = found.spellings
    answers = found.vectors.analogy_batch(
        [[spellings[word][0] for word in question[:3]] for question in questions],
        topn=1,
        method=method,
        spellings={written[0]: written for written in spellings.values()},
    )
    return [
        any(neighbour.word in spellings[question[3]] for neighbour in answer)
        for question, answer in zip(questions, answers, strict=True)
    ]


@dataclass(frozen=True)
class _Section:
    name: str
    questions: list[Question] = field(default_factory=list)


def _read(path: str | Path) -> list[_Section]:
    sections: list[_Section] = []
    for place, line in lines(path):
        if line.startswith(":"):
            sections.append(_Section(line[1:].strip()))
            continue
        words = line.split()
        if len(words) != 4:
            raise EvaluationError(
                f"{place}: {line!r} is {len(words)} words where an analogy is four; mend or remove the line"
            )
        if not sections:
            raise EvaluationError(f"{place}: {line!r} stands before any section; put a line ': name' above it")
        sections[-1].questions.append((words[0], words[1], words[2], words[3]))
    if not any(section.questions for section in sections):
        raise EvaluationError(f"{path}: holds no question; give ': section' lines, each with lines of four words")
    return sections
