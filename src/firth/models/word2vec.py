"""word2vec: text → ids → one loop → vectors (Mikolov et al. 2013a, b)."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from firth.contexts import CBOW, CONTEXTS, Context, SkipGram
from firth.corpus import Corpus, Source
from firth.errors import FirthError, FormatError, SettingsError, TrainingError
from firth.files import read_directory, write_directory
from firth.objectives import OBJECTIVES, HierarchicalSoftmax, NegativeSampling, Objective
from firth.progress import Watcher, watching
from firth.settings import real, whole
from firth.tensors import open_tensors, write_tensors
from firth.train import EpochRow, Schedule, Text, Weights, train
from firth.vectors import Vectors
from firth.vectors.formats import firth as firth_format
from firth.vectors.search import not_finite
from firth.vocab import Vocabulary
from firth.words import PackedWords

KIND = "word2vec"
OUTPUT = "output.safetensors"


class Prediction(NamedTuple):
    """A word and the probability that the model gives it."""

    word: str
    probability: float


class Tuned(NamedTuple):
    """What was found best for a combination of context and objective."""

    learning_rate: float
    subsample: float


def tuned(context: Context, objective: Objective) -> Tuned:
    """The settings that gave the best analogies and similarities in 5 epochs, as docs/quality.md tells."""
    hierarchical = isinstance(objective, HierarchicalSoftmax)
    if isinstance(context, SkipGram):
        return Tuned(0.03 if hierarchical else 0.04, subsample=5e-5)
    if context.combine == "sum":
        return Tuned(0.02, subsample=1e-4)
    if context.gradient == "exact":
        return Tuned(0.15, subsample=1e-4)
    return Tuned(0.05 if hierarchical else 0.06, subsample=1e-4)


class Word2Vec:
    """Vectors of words from the words around them: any context with any objective.

    `learning_rate=None` and `subsample=None` take what was found best for the combination (`tuned`). The rate
    falls linearly to `min_learning_rate`, or stays where that is not lower, over all words of all epochs.
    `threads=None` takes every core. With one thread the same seed, text and settings give the same bytes; several
    threads race (Hogwild), as everywhere in the field.

    Raises `SettingsError` for a value that cannot work.
    """

    def __init__(
        self,
        *,
        dim: int = 100,
        context: Context = SkipGram(),  # noqa: B008 - frozen
        objective: Objective = NegativeSampling(),  # noqa: B008 - frozen
        epochs: int = 5,
        learning_rate: float | None = None,
        min_learning_rate: float = 1e-4,
        subsample: float | None = None,
        min_count: int = 5,
        max_size: int | None = None,
        threads: int | None = None,
        seed: int = 1,
    ):
        if not isinstance(context, Context):
            raise SettingsError(f"context={context!r} is none; give one like firth.SkipGram(window=5)")
        if not isinstance(objective, Objective):
            raise SettingsError(f"objective={objective!r} is none; give one like firth.NegativeSampling(5)")
        best = tuned(context, objective)
        rate = best.learning_rate if learning_rate is None else learning_rate
        self.schedule = Schedule(rate, min_learning_rate, epochs)
        self.dim, self.context, self.objective = whole("dim", dim, 1, 100_000), context, objective
        self.subsample = real("subsample", best.subsample if subsample is None else subsample)
        if not 0 <= self.subsample < 1:
            raise SettingsError(f"subsample={subsample} must be from 0 (off) to below 1; 1e-4 is customary")
        self.min_count = whole("min_count", min_count, 1)
        self.max_size = None if max_size is None else whole("max_size", max_size, 1)
        self.threads = whole("threads", (os.cpu_count() or 1) if threads is None else threads, 1, 1024)
        self.seed = whole("seed", seed, 0, 2**64 - 1)
        self.history: list[EpochRow] = []
        self._vocab: Vocabulary | None = None
        self._weights: Weights | None = None
        self._vectors: Vectors | None = None

    @property
    def settings(self) -> dict[str, Any]:
        """What `__init__` was given, in numbers and strings."""
        return {
            "dim": self.dim,
            "context": {"name": self.context.name, **asdict(self.context)},
            "objective": {"name": self.objective.name, **asdict(self.objective)},
            "epochs": self.schedule.epochs,
            "learning_rate": self.schedule.start,
            "min_learning_rate": self.schedule.end,
            "subsample": self.subsample,
            "min_count": self.min_count,
            "max_size": self.max_size,
            "threads": self.threads,
            "seed": self.seed,
        }

    def fit(
        self,
        source: Source,
        *,
        tokenizer: str | Callable[[str], Sequence[str]] = "whitespace",
        encoding: str = "utf-8",
        errors: str = "strict",
        cache: str | Path | Literal[False] | None = None,
        vocab: Vocabulary | None = None,
        start: Vectors | None = None,
        progress: bool = True,
        log: str | Path | None = None,
    ) -> Word2Vec:
        """Learn, from the start, from any source that `Corpus.read` takes: paths, "-", or sentences of tokens.

        `vocab` is used as it stands instead of the text's own words (`min_count` and `max_size` then play no
        part). `start` gives the words that it knows their first input vectors. `progress` shows a bar or lines
        on standard error, and `log` names a file for JSON lines.

        Raises `CorpusError`, `VocabularyError`, `SettingsError` or `TrainingError`; after the last there are no
        vectors, but `history` tells how it came. After a KeyboardInterrupt, which is passed on, the model holds
        what was learnt until then.
        """
        with watching(progress, log) as watcher:
            corpus = Corpus.read(
                source,
                tokenizer=tokenizer,
                encoding=encoding,
                errors=errors,
                cache=cache,
                progress=watcher.reading,
            )
            if vocab is None:
                vocab = corpus.vocab.prune(min_count=self.min_count, max_size=self.max_size)
            text = Text(corpus.encoded(vocab), corpus.offsets, vocab)
            weights = Weights.start(vocab, self.dim, self.objective, self.seed)
            started = copy_rows(start, weights, vocab) if start is not None else 0
            self._announce(watcher, corpus, vocab, started)
            self._vocab, self._weights, self._vectors, self.history = vocab, weights, None, []
            try:
                train(
                    text,
                    weights,
                    context=self.context,
                    objective=self.objective,
                    schedule=self.schedule,
                    subsample=self.subsample,
                    threads=self.threads,
                    seed=self.seed,
                    history=self.history,
                    report=watcher.training,
                )
            except TrainingError:
                self._vocab = self._weights = None
                raise
        return self

    def _announce(self, watcher: Watcher, corpus: Corpus, vocab: Vocabulary, started: int) -> None:
        kept = vocab.total / max(len(corpus.ids), 1)
        watcher.message(
            f"{len(corpus.ids):,} words in {len(corpus.offsets) - 1:,} lines; "
            f"vocabulary {len(vocab):,} of {len(corpus.vocab):,}, {100 * kept:.1f} % of the text",
            words=len(corpus.ids),
            lines=len(corpus.offsets) - 1,
            vocabulary=len(vocab),
        )
        settings = ", ".join(f"{name} {_brief(value)}" for name, value in self.settings.items())
        watcher.message(f"word2vec: {settings}", settings=self.settings)
        if started:
            watcher.message(f"{started:,} words start from the vectors given", started=started)

    @property
    def vocab(self) -> Vocabulary:
        """The words that have vectors; raises `FirthError` before `fit`."""
        if self._vocab is None:
            raise FirthError("the model has learnt nothing yet; call fit first")
        return self._vocab

    @property
    def weights(self) -> Weights:
        """Both matrices and the bias; raises `FirthError` before `fit`."""
        if self._weights is None:
            raise FirthError("the model has learnt nothing yet; call fit first")
        return self._weights

    @property
    def vectors(self) -> Vectors:
        """The input vectors, float32 (V, dim), with the words and their counts."""
        if self._vectors is None:
            matrix = self.weights.input[:, : self.dim]
            self._vectors = Vectors(self.vocab.words, matrix, counts=self.vocab.counts)
        return self._vectors

    def predict(self, context: Iterable[str], *, topn: int = 10) -> list[Prediction]:
        """The `topn` likeliest words among these context words, with P(word | context) of the whole vocabulary.

        h is the mean of the context vectors, or their sum for CBOW with combine="sum"; P(w | h) is the objective's
        own formula. For skip-gram, which learns from one context word at a time, the mean of several amounts to
        the renormalised geometric mean of their predictions. Raises `UnknownWordError`, and `SettingsError` where
        there is nothing to go by.
        """
        whole("topn", topn, 1)
        words = [context] if isinstance(context, str) else list(context)
        if not words:
            raise SettingsError("predict needs at least one context word")
        rows = self.weights.input[[self.vocab.words.position(word) for word in words], : self.dim]
        summed = isinstance(self.context, CBOW) and self.context.combine == "sum"
        hidden = rows.sum(axis=0) if summed else rows.mean(axis=0)
        output = self.weights.output[:, : self.dim]
        found = self.objective.probabilities(hidden, output, self.weights.bias, self.vocab)
        best = np.argsort(-found, kind="stable")[:topn]
        return [Prediction(self.vocab.words[int(i)], float(found[i])) for i in best]

    def save(self, path: str | Path) -> None:
        """Write a directory: vectors as `Vectors.save` writes them, output matrix, settings and history."""
        output: dict[str, NDArray[Any]] = {"output": self.weights.output[:, : self.dim]}
        if self.weights.bias is not None:
            output["bias"] = self.weights.bias
        config = {
            "kind": KIND,
            "rows": len(self.vectors),
            "dim": self.dim,
            "settings": self.settings,
            "history": [row.as_dict() for row in self.history],
        }
        tensors = {firth_format.FILE: firth_format.to_tensors(self.vectors), OUTPUT: output}
        write_directory(
            path, config, {name: partial(write_tensors, tensors=each) for name, each in tensors.items()}
        )

    @classmethod
    def load(cls, path: str | Path) -> Word2Vec:
        """The model that `save` wrote, its matrices mapped from the files; raises `FormatError`."""
        directory = read_directory(path)
        if directory.config.get("kind") != KIND:
            raise FormatError(
                f"{path}: holds {directory.config.get('kind')!r}, not a word2vec model; use firth.load"
            )
        vectors = Vectors.load(path)
        try:
            model = cls(**_parts(directory.config["settings"]))
            model.history = [EpochRow.from_dict(row) for row in directory.config["history"]]
            output = open_tensors(directory.files[OUTPUT])
        except (KeyError, TypeError, SettingsError) as error:
            raise FormatError(
                f"{path}: its settings are not those of a word2vec model ({error}); save it again"
            ) from None
        if vectors.counts is None:
            raise FormatError(f"{path}: its vectors lack their counts; save it again")
        vocab = Vocabulary(PackedWords.pack(vectors.words), vectors.counts)
        rows = model.objective.output_rows(vocab)
        shapes: dict[str, tuple[int, ...]] = {"output": (rows, model.dim)}
        if model.objective.start_bias(vocab) is not None:
            shapes["bias"] = (rows,)
        if vectors.dim != model.dim or {name: each.shape for name, each in output.items()} != shapes:
            raise FormatError(
                f"{path}: its vectors, output matrix and settings do not belong together; save it again"
            )
        model._vocab, model._vectors = vocab, vectors
        model._weights = Weights(vectors.matrix, output["output"], output.get("bias"), model.dim)
        return model


def _brief(value: object) -> str:
    if isinstance(value, dict):
        rest = ", ".join(f"{key}={each}" for key, each in value.items() if key != "name")
        return f"{value['name']}({rest})"
    return f"{value:g}" if isinstance(value, float) else str(value)


def _parts(settings: dict[str, Any]) -> dict[str, Any]:
    """Settings with context and objective made anew from their names and fields."""
    context, objective = dict(settings["context"]), dict(settings["objective"])
    return {
        **settings,
        "context": CONTEXTS[context.pop("name")](**context),
        "objective": OBJECTIVES[objective.pop("name")](**objective),
    }


def copy_rows(start: Vectors, weights: Weights, vocab: Vocabulary) -> int:
    """Give the words that `start` knows its vectors as first input rows; returns how many they are.

    Raises `SettingsError` for vectors of another dimension, of none of these words, or that are not finite.
    """
    if start.dim != weights.dim:
        raise SettingsError(
            f"the starting vectors have {start.dim} dimensions, the model dim={weights.dim}; make them equal"
        )
    found = [
        (row, position) for row, word in enumerate(vocab.words) if (position := start.words.find(word)) is not None
    ]
    if not found:
        raise SettingsError(
            "the starting vectors know none of the vocabulary's words; are they of another language or case?"
        )
    rows, positions = (list(each) for each in zip(*found, strict=True))
    given = start.matrix[positions]
    damaged = not_finite(given)
    if damaged is not None:
        raise SettingsError(
            f"the starting vector of {vocab.words[rows[damaged]]!r} holds NaN or infinity; give finite numbers"
        )
    weights.input[rows, : weights.dim] = given
    return len(found)
