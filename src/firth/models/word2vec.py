"""word2vec: text → ids → one loop → vectors (Mikolov et al. 2013a, b)."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from typing import Any, Literal, NamedTuple, Unpack

import numpy as np

from firth import memory
from firth.checkpoint import Checkpoint, Encoded, Unfinished
from firth.contexts import CBOW, Context, SkipGram
from firth.corpus import Corpus, Reading, ReadingOptions, Source
from firth.errors import FirthError, FormatError, SettingsError, TrainingError
from firth.extend import extended
from firth.files import check_writable
from firth.models import saved
from firth.models.callbacks import Callback, Callbacks, EarlyStopping
from firth.models.fitting import Fitting, announce, encoded, same_text
from firth.models.plan import Plan, plan
from firth.models.tuned import tuned
from firth.objectives import NegativeSampling, Objective
from firth.progress import Watcher, watching
from firth.settings import real, whole
from firth.train import EpochRow, Loop, Position, Schedule, Text
from firth.vectors import Vectors
from firth.vocab import Vocabulary
from firth.weights import Weights, copy_rows, frozen_rows
from firth.words import PackedWords


class Prediction(NamedTuple):
    """A word and the probability that the model gives it."""

    word: str
    probability: float


class Word2Vec:
    """Vectors of words from the words around them: any context with any objective.

    `learning_rate=None` and `subsample=None` take what was found best for the combination (`tuned`). The rate
    falls linearly to `min_learning_rate`, or stays where that is not lower, over all words of all epochs.
    `threads=None` takes every core. With one thread the same seed, text and settings give the same bytes; several
    threads race (Hogwild), as everywhere in the field. With `deterministic` the bytes are the same whatever the
    number of threads, on one set of vector instructions; docs/performance.md tells the price.

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
        deterministic: bool = False,
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
        self.deterministic = bool(deterministic)
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
            "deterministic": self.deterministic,
            "seed": self.seed,
        }

    def loop(self, weights: Weights, vocab: Vocabulary) -> Loop:
        """What learns such weights by these settings."""
        return Loop(
            weights,
            vocab,
            context=self.context,
            objective=self.objective,
            subsample=self.subsample,
            threads=self.threads,
            deterministic=self.deterministic,
            seed=self.seed,
        )

    def fit(
        self,
        source: Source,
        *,
        vocab: Vocabulary | None = None,
        start: Vectors | None = None,
        update: bool = False,
        frozen: Iterable[str] | Literal["old"] = (),
        held_out: Source | None = None,
        callbacks: Sequence[Callback] = (),
        checkpoint: str | Path | Checkpoint | None = None,
        progress: bool = True,
        log: str | Path | None = None,
        **reading: Unpack[ReadingOptions],
    ) -> Word2Vec:
        """Learn from any source that `Corpus.read` takes: paths, "-", or sentences of tokens.

        `reading` are its arguments tokenizer, encoding, errors and cache.

        From the start, or with `update` from what was learnt before: the words of the text come to those that the
        model has (`min_count` applies to the new ones in this text, `max_size` to all), counts add up, and every
        word that has a vector goes on from it. `vocab` is used as it stands instead of the text's own words
        (`min_count` and `max_size` then play no part). `start` gives the words that it knows their first input
        vectors. The input vectors of `frozen` words stay as they are, to the bit; "old" are all that had one
        before. docs/training.md tells what becomes of the rest.

        `held_out` is a text, read as `source` is, whose loss at each epoch's end stands in `history`.
        `callbacks` are told of epochs and steps, and may end the training (`firth.models.callbacks`).
        `checkpoint` names a directory where the model is saved at each epoch's end, or says besides how often
        (`Checkpoint`); `resume` goes on from there. `progress` shows a bar or lines on standard error, and `log`
        names a file for JSON lines.

        Raises `CorpusError`, `VocabularyError`, `SettingsError`, `UnknownWordError`, `FileError` or
        `TrainingError`; after the last there are no vectors, but `history` tells how it came. After a
        KeyboardInterrupt, which is passed on, the model holds what was learnt until then.
        """
        where = Reading(source, **reading)
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
            corpus = where.corpus(threads=self.threads, progress=watcher.reading)
            vocab = self._words_of(corpus, vocab, before)
            memory.check(vocab, self.dim, self.objective)
            started: Sequence[str] = ()
            if before is not None:
                weights = Weights.extended(self.weights, before, vocab, self.objective, self.seed)
                started = before.words
            else:
                weights = Weights.start(vocab, self.dim, self.objective, self.seed)
                started = copy_rows(start, weights, vocab) if start is not None else ()
            weights.frozen = frozen_rows(frozen, started, vocab)
            text, held = Encoded(where, Text.of(corpus, vocab)), None
            if held_out is not None:
                held = encoded(where.again(held_out), vocab, self.threads, watcher)
            announce(watcher, corpus, vocab, self.settings, len(started))
            self._vocab, self._weights, self._vectors, self.history = vocab, weights, None, []
            unfinished = checkpoint.begun(text, held, told.kept()) if checkpoint else None
            self._learn(text, held, watcher, told, unfinished)
        return self

    def resume(
        self,
        source: Source | None = None,
        *,
        tokenizer: Callable[[str], Sequence[str]] | None = None,
        held_out: Source | None = None,
        callbacks: Sequence[Callback] | None = None,
        threads: int | None = None,
        progress: bool = True,
        log: str | Path | None = None,
    ) -> Word2Vec:
        """Go on with the training that this model was loaded from a checkpoint of, and save there as before.

        With one thread, or with `deterministic` and any number, the result is what the training would have come
        to, to the bit. Texts are found where they were; `source` and `held_out` give them where they are elsewhere
        now, or were no files, and `tokenizer` the function that made tokens. Callbacks are not saved, but for an
        `EarlyStopping` that watches the loss of the text held out: pass them again.

        Raises what `fit` raises; `TrainingError` where there is nothing to resume, or a text has changed.
        """
        unfinished = self.unfinished
        if unfinished is None:
            raise TrainingError(
                "there is nothing to resume, the training is finished; fit(update=True) learns more"
            )
        if threads is not None:
            self.threads = whole("threads", threads, 1, 1024)
        if callbacks is None:
            callbacks = [EarlyStopping(**each) for each in unfinished.early_stopping]
        told = Callbacks(callbacks)
        check_writable(unfinished.path, directory=True)
        memory.check(self.vocab, self.dim, self.objective)
        with watching(progress, log) as watcher:
            find = partial(same_text, tokenizer=tokenizer, vocab=self.vocab, threads=self.threads, watcher=watcher)
            text, held = find(unfinished.text, source), None
            if unfinished.held_out:
                held = find(unfinished.held_out, held_out)
            self._weights, self._vectors = self.weights.learnable(), None
            done = unfinished.position
            del self.history[done.epoch :]
            watcher.message(
                f"goes on in epoch {done.epoch + 1} of {self.schedule.epochs}, after {done.words:,} of its words",
                epoch=done.epoch + 1,
                words=done.words,
            )
            now = Checkpoint(unfinished.path, unfinished.every).begun(text, held, told.kept())
            self._learn(text, held, watcher, told, replace(now, position=done))
        return self

    def replace(self, **settings: Any) -> Word2Vec:
        """A model of the same words and weights with other settings, to learn more with.

        Raises `SettingsError` for another `dim` or another kind of objective, which the weights do not fit.
        """
        changed = Word2Vec(**{**saved.parts(self.settings), **settings})
        for name in ("dim", "objective"):
            old, new = getattr(self, name), getattr(changed, name)
            if new != old and (name == "dim" or type(new) is not type(old)):
                raise SettingsError(
                    f"{name}={new} does not fit weights that were learnt with {name}={old}; leave it"
                )
        changed._vocab, changed._weights, changed.history = self._vocab, self._weights, list(self.history)
        return changed

    def plan(
        self,
        source: Source,
        *,
        vocab: Vocabulary | None = None,
        update: bool = False,
        progress: bool = True,
        **reading: Unpack[ReadingOptions],
    ) -> Plan:
        """What `fit` would take with these arguments: memory, disk, and time.

        The text is read, into the cache where there is one. Time is measured: where memory suffices, other
        weights of the same size learn for two seconds and are thrown away. The model does not change.
        """
        with watching(progress) as watcher:
            corpus = Reading(source, **reading).corpus(threads=self.threads, progress=watcher.reading)
        return plan(self, corpus, self._words_of(corpus, vocab, self.vocab if update else None))

    def _words_of(self, corpus: Corpus, given: Vocabulary | None, before: Vocabulary | None) -> Vocabulary:
        limits: dict[str, Any] = {"min_count": self.min_count, "max_size": self.max_size}
        if before is not None:
            return extended(before, corpus.vocab, **limits)
        return given or corpus.vocab.prune(**limits)

    def _learn(
        self,
        text: Encoded,
        held_out: Encoded | None,
        watcher: Watcher,
        callbacks: Callbacks,
        unfinished: Unfinished | None,
    ) -> None:
        loop = self.loop(self.weights, self.vocab)
        held_out_loss = partial(loop.mean_loss, held_out.text) if held_out else None
        if held_out_loss and math.isnan(held_out_loss()):
            raise SettingsError(
                "the held-out text has no two words of the vocabulary in one sentence; give another"
            )
        self.unfinished = None
        try:
            loop.train(
                text.text,
                schedule=self.schedule,
                history=self.history,
                attendant=Fitting(
                    self, watcher, callbacks=callbacks, held_out_loss=held_out_loss, unfinished=unfinished
                ),
                position=unfinished.position if unfinished else Position(),
                exact=unfinished is not None,
            )
        except TrainingError:
            self._vocab = self._weights = None
            raise
        if unfinished:
            self.save(unfinished.path)

    def changed(self) -> None:
        """Forget what was derived from the weights, which were learnt further."""
        self._vectors = None

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
            model = cls(**saved.parts(settings))
        except (KeyError, TypeError, SettingsError) as error:
            raise FormatError(
                f"{path}: its settings are not those of a word2vec model ({error}); save it again"
            ) from None
        state = saved.load(path, model.objective, model.dim)
        model.history, model.unfinished = state.history, state.unfinished
        model._weights, model._vectors = state.weights, state.vectors
        model._vocab = Vocabulary(PackedWords.pack(state.vectors.words), np.asarray(state.vectors.counts))
        return model
