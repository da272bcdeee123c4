"""A classification probe: what do frozen vectors of texts know of the texts' classes?"""

from __future__ import annotations

import math
import warnings
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from firth.errors import FirthWarning, MissingExtraError, SettingsError
from firth.evaluate.labelled import Labelled, read_labelled
from firth.evaluate.lookup import Lookup
from firth.evaluate.metrics import accuracy, macro_f1
from firth.evaluate.report import percent, table
from firth.evaluate.sets import EvaluationError
from firth.vectors import Vectors

PENALTIES = tuple(float(f"1e{power}") for power in range(-4, 3))  # values of C tried
ITERATIONS = 1000  # of L-BFGS at most

Floats = NDArray[np.floating]


class TextEmbedder(Protocol):
    """Whatever gives texts vectors: the mean of their words' here, a layer of a language model elsewhere."""

    def embed(self, texts: Sequence[str], /) -> Floats:
        """A row for each text, (n, D)."""


@dataclass(frozen=True)
class MeanOfWords:
    """A text is the mean of its words' vectors, zero if none is known.

    Words stand between white space, and are looked up in their most frequent spelling, whatever the case.
    """

    vectors: Vectors

    def embed(self, texts: Sequence[str], /) -> Floats:
        """The mean of the vectors of each text's known words, float32 (n, N)."""
        rows = self._rows(texts)
        means = np.zeros((len(texts), self.vectors.dim), np.float32)
        for mean, known in zip(means, rows, strict=True):
            if known:
                np.mean(self.vectors.matrix[known], axis=0, out=mean)
        return means

    def coverage(self, texts: Sequence[str]) -> float:
        """The share of the texts' words that have a vector."""
        return sum(map(len, self._rows(texts))) / max(1, sum(len(text.split()) for text in texts))

    def _rows(self, texts: Sequence[str]) -> list[list[int]]:
        split = [text.split() for text in texts]
        words = (word for text in split for word in text)
        found = Lookup.of(words, self.vectors, first=None, case_insensitive=True).spellings
        position = {word: self.vectors.words.position(written[0]) for word, written in found.items()}
        return [[position[word] for word in text if word in position] for text in split]


@dataclass(frozen=True)
class ProbeRun:
    """One logistic regression: its seed, the C chosen, and how right it is on the validation part and the test."""

    seed: int
    C: float
    validation: float
    accuracy: float
    macro_f1: float


@dataclass(frozen=True)
class ClassifyResult:
    """What runs of several seeds came to; `majority` is the accuracy of always saying the commonest class.

    `coverage` is the share of the test's words that static vectors know; None for other models.
    """

    path: str
    train_texts: int
    test_texts: int
    classes: tuple[str, ...]
    dim: int
    majority: float
    coverage: float | None
    runs: tuple[ProbeRun, ...]

    @property
    def accuracy(self) -> float:
        """The mean accuracy of the runs."""
        return float(np.mean([run.accuracy for run in self.runs]))

    @property
    def macro_f1(self) -> float:
        """The mean macro-F1 of the runs."""
        return float(np.mean([run.macro_f1 for run in self.runs]))

    def as_dict(self) -> dict[str, Any]:
        """Everything, fit for JSON."""
        own = {**asdict(self), "accuracy": self.accuracy, "macro_f1": self.macro_f1}
        return {"set": own.pop("path"), **own, "classes": list(self.classes), "runs": [*map(asdict, self.runs)]}

    def table(self) -> str:
        """A line for each run and their mean, in per cent."""
        rows = [
            [f"seed {run.seed}", f"{run.C:g}", *map(percent, (run.validation, run.accuracy, run.macro_f1))]
            for run in self.runs
        ]
        rows.append(["mean", "", "", percent(self.accuracy), percent(self.macro_f1)])
        known = "" if self.coverage is None else f", {percent(self.coverage)} of the words known"
        title = (
            f"{Path(self.path).name}: {len(self.classes)} classes, {self.train_texts:,} texts to learn from, "
            f"{self.test_texts:,} to test on, {self.dim} dimensions{known}"
        )
        header = ["logistic regression", "C", "validation", "accuracy", "macro-F1"]
        last = f"the commonest class alone: {percent(self.majority)}"
        return "\n".join([title, table(header, rows, rule_before=len(self.runs)), last])

    def __str__(self) -> str:
        return self.table()


def classify(
    model: Vectors | TextEmbedder,
    train: Labelled | str | Path,
    test: Labelled | str | Path,
    *,
    validation: Labelled | str | Path | float = 0.1,
    seeds: Sequence[int] = (1, 2, 3),
    coarse: bool = False,
    encoding: str = "utf-8",
) -> ClassifyResult:
    """Learn to tell the classes of texts by logistic regression on their frozen vectors.

    Static `Vectors` give a text the mean of its words' vectors, anything else what its `embed` gives. The files
    have lines of `label<TAB>text` or `label text` (`read_labelled` tells of `coarse` and `encoding`). Each
    component is scaled to mean 0 and variance 1 over the texts to learn from. The strength of the penalty, C of
    scikit-learn's `LogisticRegression`, is the one of `PENALTIES` that is most accurate on the validation part,
    the smallest of equals: a share of each class drawn by the seed, or a set of its own, with which nothing is
    random and one run is made. Then all of `train` is learnt with it.

    Raises `EvaluationError` for files that cannot be read so, or have but one class, `SettingsError` for a share
    out of (0, 1) or no seeds, `MissingExtraError` without scikit-learn. Labels of the test that `train` lacks
    count as wrong, with a `FirthWarning`.
    """
    _check(validation, seeds)
    known, asked = (_read(each, coarse, encoding) for each in (train, test))
    if len(known.classes) < 2:
        raise EvaluationError(f"{known.source}: has one class, {known.classes[0]!r}; a probe needs two")
    if strange := sorted(set(asked.labels) - set(known.classes)):
        text = f"{asked.source}: has labels that {known.source} lacks, which count as wrong: {', '.join(strange)}"
        warnings.warn(text, FirthWarning, stacklevel=2)
    embedder = MeanOfWords(model) if isinstance(model, Vectors) else model
    whole, final = (_Part.of(each, embedder) for each in (known, asked))
    if isinstance(validation, float):
        splits = [whole.split(validation, seed) for seed in seeds]
    else:
        splits = [(whole, _Part.of(_read(validation, coarse, encoding), embedder))]
    return ClassifyResult(
        path=asked.source,
        train_texts=len(known),
        test_texts=len(asked),
        classes=tuple(known.classes),
        dim=whole.rows.shape[1],
        majority=accuracy(asked.labels, [Counter(known.labels).most_common(1)[0][0]] * len(asked)),
        coverage=embedder.coverage(asked.texts) if isinstance(embedder, MeanOfWords) else None,
        runs=tuple(_run(seed, whole, *split, final) for seed, split in zip(seeds, splits, strict=False)),
    )


def _check(validation: object, seeds: Sequence[int]) -> None:
    if isinstance(validation, float) and not 0 < validation < 1:
        raise SettingsError(f"validation={validation} must be between 0 and 1, or a file")
    if not seeds:
        raise SettingsError("seeds is empty; give one or more whole numbers")


def _read(given: Labelled | str | Path, coarse: bool, encoding: str) -> Labelled:
    return given if isinstance(given, Labelled) else read_labelled(given, coarse=coarse, encoding=encoding)


@dataclass(frozen=True)
class _Part:
    """The vectors of texts, (n, D), and their labels."""

    rows: NDArray[np.float64]
    labels: list[str]

    @classmethod
    def of(cls, given: Labelled, embedder: TextEmbedder) -> _Part:
        rows = np.asarray(embedder.embed(given.texts), dtype=np.float64)
        if rows.ndim != 2 or len(rows) != len(given):
            raise EvaluationError(f"{given.source}: {len(given):,} texts were given vectors of shape {rows.shape}")
        if not np.isfinite(rows).all():
            raise EvaluationError(f"{given.source}: vectors of its texts hold NaN or infinity; training diverged")
        return cls(rows, given.labels)

    def split(self, share: float, seed: int) -> tuple[_Part, _Part]:
        """Most texts, and a share of each class, rounded up but never the whole of it, drawn by the seed."""
        labels, random = np.array(self.labels), np.random.default_rng(seed)
        held = np.zeros(len(labels), bool)
        for each in np.unique(labels):
            places = random.permutation(np.flatnonzero(labels == each))
            held[places[: min(math.ceil(share * len(places)), len(places) - 1)]] = True
        if not held.any():
            raise EvaluationError("no class has two texts, of which one could be held out to choose C; give more")
        learnt, kept = ([*labels[mask].tolist()] for mask in (~held, held))
        return _Part(self.rows[~held], learnt), _Part(self.rows[held], kept)


def _run(seed: int, whole: _Part, learnt: _Part, held: _Part, test: _Part) -> ProbeRun:
    """Choose C by what is learnt of one part and right on another, learn the whole with it, and test."""
    scores = [accuracy(held.labels, each) for each in _predictions(learnt, held.rows, PENALTIES)]
    best = int(np.argmax(scores))
    (predicted,) = _predictions(whole, test.rows, PENALTIES[best : best + 1])
    return ProbeRun(
        seed=seed,
        C=PENALTIES[best],
        validation=scores[best],
        accuracy=accuracy(test.labels, predicted),
        macro_f1=macro_f1(test.labels, predicted),
    )


def _predictions(learnt: _Part, rows: NDArray[np.float64], penalties: Sequence[float]) -> Iterator[list[str]]:
    """The labels of rows by a regression for each C, each begun where the one before ended."""
    try:
        from sklearn.linear_model import LogisticRegression
        from sklearn.preprocessing import StandardScaler
        from threadpoolctl import threadpool_limits
    except ImportError:
        raise MissingExtraError("classification", "eval") from None
    scaler = StandardScaler().fit(learnt.rows)
    known, asked = scaler.transform(learnt.rows), scaler.transform(rows)
    regression = LogisticRegression(max_iter=ITERATIONS, warm_start=True)
    for penalty in penalties:
        with threadpool_limits(1):  # its many small products take twenty times as long where threads wait in turn
            regression.set_params(C=penalty).fit(known, learnt.labels)
        yield regression.predict(asked).tolist()
