"""One word, several senses: do the vectors of its occurrences tell the senses apart?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from firth.evaluate.lookup import Lookup
from firth.evaluate.report import percent, table
from firth.evaluate.sets import EvaluationError, lines
from firth.vectors import Vectors

SENTENCES = Path(__file__).with_name("polysemy.tsv")  # ours: twelve English words, two senses each

Floats = NDArray[np.floating]


class WordEmbedder(Protocol):
    """Whatever gives the words of a sentence vectors."""

    def embed_words(self, sentences: Sequence[Sequence[str]], /) -> list[Floats]:
        """For each sentence of W words an array (W, D)."""


@dataclass(frozen=True)
class StaticWords:
    """A word has its one vector wherever it stands, zero if it is unknown: a test of senses finds it at chance."""

    vectors: Vectors

    def embed_words(self, sentences: Sequence[Sequence[str]], /) -> list[Floats]:
        """The rows of each sentence's words, float32 (W, N)."""
        words = (word for sentence in sentences for word in sentence)
        found = Lookup.of(words, self.vectors, first=None, case_insensitive=True).spellings
        nothing = np.zeros(self.vectors.dim, np.float32)
        rows = {word: self.vectors[written[0]] for word, written in found.items()}
        return [np.array([rows.get(word, nothing) for word in sentence]) for sentence in sentences]


@dataclass(frozen=True)
class SenseScore:
    """How often a word's occurrences lay nearest to their own sense."""

    word: str
    senses: tuple[str, ...]
    sentences: int
    accuracy: float

    @property
    def chance(self) -> float:
        """What guessing gives."""
        return 1 / len(self.senses)


@dataclass(frozen=True)
class PolysemyResult:
    """The scores of an ambiguous word each; of the whole, their means."""

    path: str
    words: tuple[SenseScore, ...]

    @property
    def accuracy(self) -> float:
        """The mean accuracy over the words."""
        return float(np.mean([each.accuracy for each in self.words]))

    @property
    def chance(self) -> float:
        """The mean of what guessing gives."""
        return float(np.mean([each.chance for each in self.words]))

    def as_dict(self) -> dict[str, Any]:
        """Everything, fit for JSON."""
        words = [{**asdict(each), "senses": list(each.senses), "chance": each.chance} for each in self.words]
        return {"set": self.path, "words": words, "accuracy": self.accuracy, "chance": self.chance}

    def table(self) -> str:
        """A line for each word and their mean, in per cent."""
        rows = [
            [each.word, ", ".join(each.senses), f"{each.sentences}", percent(each.accuracy), percent(each.chance)]
            for each in self.words
        ]
        total = str(sum(each.sentences for each in self.words))
        rows.append(["all", "", total, percent(self.accuracy), percent(self.chance)])
        return table(
            ["word", "senses", "sentences", "own sense nearest", "chance"], rows, rule_before=len(self.words)
        )

    def __str__(self) -> str:
        return self.table()


def polysemy(model: Vectors | WordEmbedder, path: str | Path = SENTENCES) -> PolysemyResult:
    """Ask of each occurrence of an ambiguous word to which sense's other occurrences it is nearest.

    A line of the file is `word<TAB>sense<TAB>sentence`, lines that begin with `#` are comments; the words of a
    sentence stand between white space, the word once among them. An occurrence is right if, of the means of each
    sense's occurrences, itself left out, the one of its own sense has the highest cosine with it; where k senses
    are equally near it counts 1/k. Static vectors, whose occurrences are all alike, are thus at chance. The file
    that comes with Firth has twelve English words, two senses each, five sentences a sense.

    Raises `EvaluationError` for a malformed line, a word with one sense only and a sense with one sentence only.
    """
    sentences = _read(path)
    embedder = StaticWords(model) if isinstance(model, Vectors) else model
    vectors = embedder.embed_words([each.words for each in sentences])
    rows = [
        np.asarray(found[each.words.index(each.word)], np.float64)
        for each, found in zip(sentences, vectors, strict=True)
    ]
    scores = []
    for word in dict.fromkeys(each.word for each in sentences):
        places = [place for place, each in enumerate(sentences) if each.word == word]
        senses = np.array([sentences[place].sense for place in places])
        scores.append(
            SenseScore(
                word=word,
                senses=tuple(dict.fromkeys(senses.tolist())),
                sentences=len(places),
                accuracy=_nearest_to_own(np.array([rows[place] for place in places]), senses),
            )
        )
    return PolysemyResult(str(path), tuple(scores))


def _nearest_to_own(rows: NDArray[np.float64], senses: NDArray[np.str_]) -> float:
    """The share of rows (n, D) whose own sense is nearest, the row itself left out of its sense's mean."""
    right = 0.0
    for place, (row, own) in enumerate(zip(rows, senses, strict=True)):
        others = np.arange(len(rows)) != place
        cosines = {sense: _cosine(row, rows[others & (senses == sense)].mean(axis=0)) for sense in set(senses)}
        nearest = [sense for sense, cosine in cosines.items() if cosine == max(cosines.values())]
        right += (own in nearest) / len(nearest)
    return right / len(rows)


def _cosine(one: NDArray[np.float64], other: NDArray[np.float64]) -> float:
    lengths = np.linalg.norm(one) * np.linalg.norm(other)
    return float(one @ other / lengths) if lengths else 0.0


@dataclass(frozen=True)
class _Sentence:
    word: str
    sense: str
    words: list[str]


def _read(path: str | Path) -> list[_Sentence]:
    found: list[_Sentence] = []
    for place, line in lines(path):
        if line.startswith("#"):
            continue
        fields = [each.strip() for each in line.split("\t")]
        if len(fields) != 3 or fields[2].split().count(fields[0]) != 1:
            raise EvaluationError(
                f"{place}: {line[:60]!r} is not a word, a sense and a sentence that has the word once, with tabs"
            )
        word, sense, words = fields
        found.append(_Sentence(word, sense, words.split()))
    if not found:
        raise EvaluationError(f"{path}: holds no sentence; give lines of word, sense and sentence")
    for word in {each.word for each in found}:
        senses = [each.sense for each in found if each.word == word]
        if len(set(senses)) < 2 or min(map(senses.count, senses)) < 2:
            raise EvaluationError(f"{path}: {word!r} needs two senses or more, and two sentences or more of each")
    return found
