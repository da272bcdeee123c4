"""word2vec: text → ids → one loop → vectors (Mikolov et al. 2013a, b)."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np

from firth import memory
from firth.models.callbacks import Callback, Callbacks, EarlyStopping
from firth.checkpoint import Checkpoint, Origin, Reading, Unfinished
from firth.contexts import CBOW, CONTEXTS, Context, SkipGram
from firth.corpus import Corpus, Source
from firth.errors import FirthError, FormatError, SettingsError, TrainingError
from firth.extend import extended
from firth.files import check_writable
from firth.models import saved
from firth.models.fitting import Fitting
from firth.objectives import OBJECTIVES, HierarchicalSoftmax, NegativeSampling, Objective
from firth.progress import Watcher, watching
from firth.settings import real, whole
from firth.train import EpochRow, Position, Schedule, Text, mean_loss, train
from firth.vectors import Vectors
from firth.vocab import Vocabulary
from firth.weights import Weights, copy_rows, frozen_rows


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
        self.unfinished: Unfinished | None = None  # where training stands, of a model saved before its end

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
        update: bool = False,
        frozen: Iterable[str] | Literal["old"] = (),
        held_out: Source | None = None,
        callbacks: Sequence[Callback] = (),
        checkpoint: str | Path | Checkpoint | None = None,
        progress: bool = True,
        log: str | Path | None = None,
    ) -> Word2Vec:
        """Learn from any source that `Corpus.read` takes: paths, "-", or sentences of tokens.

        From the start, or with `update` from what was learnt before: the words of the text come to those that the
        model has (`min_count` applies to the new ones in this text, `max_size` to all), counts add up, and every
        word that has a vector goes on from it. `vocab` is used as it stands instead of the text's own words
        (`min_count` and `max_size` then play no part). `start` gives the words that it knows their first input
        vectors. The input vectors of `frozen` words stay as they are, to the bit; "old" are all that had one
        before. docs/training.md tells what becomes of the rest.

        `held_out` is a text, read as `source` is, whose loss at each epoch's end stands in `history`.
        `callbacks` are told of epochs and steps, and may end the training (`firth.callbacks`). `checkpoint` names
        a directory where the model is saved at each epoch's end, or says besides how often (`Checkpoint`);
        `Word2Vec.resume` goes on from there. `progress` shows a bar or lines on standard error, and `log` names a
        file for JSON lines.

        Raises `CorpusError`, `VocabularyError`, `SettingsError`, `UnknownWordError`, `FileError` or
        `TrainingError`; after the last there are no vectors, but `history` tells how it came. After a
        KeyboardInterrupt, which is passed on, the model holds what was learnt until then.
        """
        reading = Reading(source, tokenizer, encoding, errors, cache)
        if isinstance(checkpoint, str | Path):
            checkpoint = Checkpoint(checkpoint)
        if checkpoint:
            check_writable(checkpoint.path, directory=True)
        if update and (vocab is not None or start is not None):
            raise SettingsError(
                "update=True goes on with the model's own words and vectors; give no vocab or start"
            )
        before = self.vocab if update else None
        told = Callbacks(callbacks)
        with watching(progress, log) as watcher:
            corpus = reading.corpus(watcher.reading)
            if before is not None:
                vocab = extended(before, corpus.vocab, min_count=self.min_count, max_size=self.max_size)
            elif vocab is None:
                vocab = corpus.vocab.prune(min_count=self.min_count, max_size=self.max_size)
            memory.check(vocab, self.dim, self.objective)
            started: Sequence[str] = ()
            if before is not None:
                weights = Weights.extended(self.weights, before, vocab, self.objective, self.seed)
                started = before.words
            else:
                weights = Weights.start(vocab, self.dim, self.objective, self.seed)
                started = copy_rows(start, weights, vocab) if start is not None else ()
            weights.frozen = frozen_rows(frozen, started, vocab)
            text = Text(corpus.encoded(vocab), corpus.offsets, vocab)
            held = None if held_out is None else reading.again(held_out)
            held_text = None if held is None else _text(held, vocab, watcher)
            self._announce(watcher, corpus, vocab, len(started))
            self._vocab, self._weights, self._vectors, self.history = vocab, weights, None, []
            unfinished = None
            if checkpoint:
                held_origin = Origin(held, held_text.digest()) if held and held_text else None
                unfinished = Unfinished(
                    Position(), Origin(reading, text.digest()), held_origin, checkpoint.every, told.kept()
                )
            self._learn(text, held_text, watcher, told, checkpoint, unfinished)
        return self

    @classmethod
    def resume(
        cls,
        path: str | Path,
        source: Source | None = None,
        *,
        tokenizer: Callable[[str], Sequence[str]] | None = None,
        held_out: Source | None = None,
        callbacks: Sequence[Callback] | None = None,
        threads: int | None = None,
        progress: bool = True,
        log: str | Path | None = None,
    ) -> Word2Vec:
        """Go on with the training whose last checkpoint is the directory `path`, and save there as before.

        With one thread the result is what the training would have come to, to the bit. Texts are found where
        they were; `source` and `held_out` give them where they are elsewhere now, or were no files, and
        `tokenizer` the function that made tokens. Callbacks are not saved, but for an `EarlyStopping` that watches
        the loss of the text held out: pass them again.

        Raises what `fit` raises; `TrainingError` where there is nothing to go on with, or a text has changed.
        """
        model = cls.load(path)
        unfinished, vocab = model.unfinished, model.vocab
        if unfinished is None:
            raise TrainingError(
                f"{path}: there is nothing to resume, its training is finished; fit(update=True) adds more"
            )
        if threads is not None:
            model.threads = whole("threads", threads, 1, 1024)
        told = Callbacks(
            [EarlyStopping(**each) for each in unfinished.early_stopping] if callbacks is None else callbacks
        )
        check_writable(path, directory=True)
        memory.check(vocab, model.dim, model.objective)
        with watching(progress, log) as watcher:
            text_from, text = _same_text(unfinished.text, source, tokenizer, path, vocab, watcher)
            held_from, held_text = None, None
            if unfinished.held_out:
                held_from, held_text = _same_text(unfinished.held_out, held_out, tokenizer, path, vocab, watcher)
            model._weights, model._vectors = model.weights.learnable(), None
            done = unfinished.position
            del model.history[done.epoch :]
            watcher.message(
                f"goes on in epoch {done.epoch + 1} of {model.schedule.epochs}, after {done.words:,} of its words",
                epoch=done.epoch + 1,
                words=done.words,
            )
            now = replace(unfinished, text=text_from, held_out=held_from, early_stopping=told.kept())
            model._learn(text, held_text, watcher, told, Checkpoint(path, now.every), now)
        return model

    def _learn(
        self,
        text: Text,
        held_out: Text | None,
        watcher: Watcher,
        callbacks: Callbacks,
        checkpoint: Checkpoint | None,
        unfinished: Unfinished | None,
    ) -> None:
        settings: dict[str, Any] = {
            "context": self.context,
            "objective": self.objective,
            "subsample": self.subsample,
            "threads": self.threads,
            "seed": self.seed,
        }
        held_out_loss = partial(mean_loss, held_out, self.weights, **settings) if held_out else None
        if held_out_loss and math.isnan(held_out_loss()):
            raise SettingsError(
                "the held-out text has no two words of the vocabulary in one sentence; give another"
            )
        self.unfinished = None
        fitting = Fitting(
            self,
            watcher,
            callbacks=callbacks,
            held_out_loss=held_out_loss,
            checkpoint=checkpoint,
            unfinished=unfinished,
        )
        try:
            train(
                text,
                self.weights,
                schedule=self.schedule,
                history=self.history,
                attendant=fitting,
                position=unfinished.position if unfinished else Position(),
                exact=checkpoint is not None,
                **settings,
            )
        except TrainingError:
            self._vocab = self._weights = None
            raise
        if checkpoint:
            self.save(checkpoint.path)

    def changed(self) -> None:
        """Forget what was derived from the weights, which were learnt further."""
        self._vectors = None

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
            watcher.message(f"{started:,} words start from the vectors they had", started=started)

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
        """Write a directory: vectors as `Vectors.save` writes them, output matrix, settings and history.

        While nobody learns, in `on_epoch` for one, it is a checkpoint too, from which `resume` goes on.
        """
        saved.save(path, self.settings, saved.State(self.vectors, self.weights, self.history, self.unfinished))

    @classmethod
    def load(cls, path: str | Path) -> Word2Vec:
        """The model that `save` wrote, its matrices mapped from the files; raises `FormatError`."""
        settings = saved.settings_of(path)
        try:
            model = cls(**_parts(settings))
        except (KeyError, TypeError, SettingsError) as error:
            raise FormatError(
                f"{path}: its settings are not those of a word2vec model ({error}); save it again"
            ) from None
        state = saved.load(path, model.objective, model.dim)
        model.history, model.unfinished = state.history, state.unfinished
        model._weights, model._vectors = state.weights, state.vectors
        model._vocab = Vocabulary(state.vectors.words, np.asarray(state.vectors.counts))
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


def _text(reading: Reading, vocab: Vocabulary, watcher: Watcher) -> Text:
    corpus = reading.corpus(watcher.reading)
    return Text(corpus.encoded(vocab), corpus.offsets, vocab)


def _same_text(
    origin: Origin,
    source: Source | None,
    tokenizer: Callable[[str], Sequence[str]] | None,
    path: str | Path,
    vocab: Vocabulary,
    watcher: Watcher,
) -> tuple[Origin, Text]:
    """The text of a training that goes on, from where it is now; raises `TrainingError` if it has changed."""
    reading = origin.reading.again(source, tokenizer)
    if reading.source is None or reading.tokenizer is None:
        raise TrainingError(
            f"{path}: was learnt from sentences, standard input or with a function as tokenizer, which no file "
            "keeps; give the same text again"
        )
    text = _text(reading, vocab, watcher)
    origin.check(text.digest(), str(path))
    return Origin(reading, origin.digest), text
