"""n-gram models: text → counts → probabilities → scores, perplexities, texts."""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from dataclasses import asdict
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any, Literal, NamedTuple, Unpack

import numpy as np
from numpy.typing import NDArray

from firth.corpus import Corpus, Reading, ReadingOptions, Source
from firth.errors import FirthError, SettingsError
from firth.evaluate.perplexity import Perplexity, TokenScores, perplexity
from firth.lm.ngram import arpa, tables
from firth.lm.ngram.counting import Shape, count
from firth.lm.ngram.estimation import estimate
from firth.lm.ngram.smoothing import SMOOTHINGS, ModifiedKneserNey, Smoothing
from firth.lm.ngram.tables import KIND, START, STOP, UNKNOWN, Fitted
from firth.lm.ngram.workspace import run, workspace
from firth.lm.sampling import Sampling
from firth.progress import watching
from firth.settings import real, whole
from firth.vocab import Vocabulary

__all__ = ["KIND", "NGram", "State", "WordScore"]

LONGEST = 255
_LINES = 10_000  # scored by a thread at a time


class WordScore(NamedTuple):
    """log10 P(word | words before it), the length of the n-gram found for it, and whether the word is unknown."""

    word: str
    log10: float
    length: int
    unknown: bool


class State(NamedTuple):
    """What a model remembers of the words that it has read: ids of the last ones, oldest first."""

    history: tuple[int, ...]


class NGram:
    """P(word | the last order − 1 words) from counts (Shannon 1951 on), smoothed in any of six ways.

    `prune` are counts by the length of n-grams, never falling, the last for all that are longer: n-grams that
    occur at most so often are left out, as by lmplz's --prune; (0, 0, 1) leaves out 3-grams and longer ones that
    occur once.

    `unknown` says what becomes of the words that the vocabulary (`min_count`, `max_size`, or the one given to
    `fit`) lacks. "unseen", KenLM's way, leaves out the n-grams that hold them, whose share goes to backing off;
    <unk> gets what a word gets that was never seen. "word", as in the Penn Treebank's text for language models,
    makes all of them <unk>, which is learnt like any other word. In texts to be scored they are <unk> either way.

    `memory` in GB bounds what counting and estimation take before they go to disk (TMPDIR says where); None is
    half of the machine's. `threads=None` takes every core. Neither changes a byte of the result.

    Raises `SettingsError` for a value that cannot work.
    """

    def __init__(
        self,
        *,
        order: int = 5,
        smoothing: Smoothing = ModifiedKneserNey(),  # noqa: B008 - frozen
        prune: Sequence[int] = (0,),
        unknown: Literal["unseen", "word"] = "unseen",
        min_count: int = 1,
        max_size: int | None = None,
        memory: float | None = None,
        threads: int | None = None,
    ):
        if not isinstance(smoothing, Smoothing):
            raise SettingsError(f"smoothing={smoothing!r} is none; give one like firth.lm.ModifiedKneserNey()")
        if unknown not in ("unseen", "word"):
            raise SettingsError(f"unknown={unknown!r} must be 'unseen' or 'word'")
        self.order, self.smoothing, self.unknown = whole("order", order, 1, LONGEST), smoothing, unknown
        self.prune = _thresholds(prune, self.order)
        self.min_count = whole("min_count", min_count, 1)
        self.max_size = None if max_size is None else whole("max_size", max_size, 1)
        if memory is not None and not 0 < real("memory", memory) < math.inf:
            raise SettingsError(f"memory={memory} must be above 0, in GB")
        self.memory = memory
        self.threads = whole("threads", (os.cpu_count() or 1) if threads is None else threads, 1, 1024)
        self._fitted: Fitted | None = None

    @property
    def settings(self) -> dict[str, Any]:
        """What a model is made by, in numbers and strings."""
        return {
            "order": self.order,
            "smoothing": {"name": self.smoothing.name, **asdict(self.smoothing)},
            "prune": list(self.prune),
            "unknown": self.unknown,
            "min_count": self.min_count,
            "max_size": self.max_size,
        }

    def fit(
        self,
        source: Source,
        *,
        vocab: Vocabulary | None = None,
        progress: bool = True,
        log: str | Path | None = None,
        **reading: Unpack[ReadingOptions],
    ) -> NGram:
        """Learn from any source that `Corpus.read` takes, by `reading`; a line is a sentence, an empty one too.

        `vocab` is used as it stands instead of the text's own words (`min_count` and `max_size` then play no
        part), whether they occur or not. Raises `CorpusError`, also for texts that hold <s> or </s>,
        `VocabularyError` or `TrainingError`; then, and after a KeyboardInterrupt, the model is as it was.
        """
        with watching(progress, log) as watcher:
            corpus = Reading(source, **reading).corpus(threads=self.threads, progress=watcher.reading)
            if vocab is None:
                least = max(self.min_count, self.prune[0] + 1)
                vocab = corpus.vocab.prune(min_count=least, max_size=self.max_size)
            words, table, occurrences = tables.numbered(corpus, vocab, self.unknown)
            watcher.message(
                f"{len(corpus.ids):,} words in {len(corpus.offsets) - 1:,} lines; "
                f"vocabulary {len(words) - STOP - 1:,} of {len(corpus.vocab):,}",
                words=len(corpus.ids),
                lines=len(corpus.offsets) - 1,
                vocabulary=len(words) - STOP - 1,
            )
            shape = Shape(self.order, self.prune, len(words), self.smoothing.adjusted)
            with workspace(self._granted(), self.threads) as room:
                counts = count(corpus.ids, corpus.offsets, table, occurrences, shape, room)
                found = [f"{size:,}" for size in map(len, counts.count)]
                watcher.message(f"distinct n-grams by length: {', '.join(found)}", ngrams=found)
                estimated, discounts = estimate(counts, self.smoothing, room)
            sizes = [len(each) for each in estimated.prob]
            taken = [asdict(each) for each in discounts]
            watcher.message(f"{self.smoothing.name}: {sum(sizes):,} n-grams in the model", discounts=taken)
        self._fitted = Fitted(
            words, occurrences[: len(words)], estimated, self._unseen(len(words)), {"discounts": taken}
        )
        return self

    def _granted(self) -> int:
        if self.memory is not None:
            return int(self.memory * 1e9)
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2

    def _unseen(self, words: int) -> float | None:
        """log10 P of every word after a history that was not seen, for smoothings that do not back off."""
        if self.smoothing.combine != "alone":
            return None
        return math.nan if self.smoothing.name == "maximum-likelihood" else -math.log10(words - 1)

    @property
    def fitted(self) -> Fitted:
        """The words and tables; raises `FirthError` before `fit`."""
        if self._fitted is None:
            raise FirthError("the model has learnt nothing yet; call fit first")
        return self._fitted

    @property
    def words(self) -> Sequence[str]:
        """All words by id: <unk>, <s>, </s>, then the vocabulary."""
        return self.fitted.words

    @property
    def sizes(self) -> list[int]:
        """The number of n-grams of each length."""
        return [len(each) for each in self.fitted.tables.prob]

    def score(self, sentence: str | Sequence[str], *, bos: bool = True, eos: bool = True) -> float:
        """log10 P of a sentence, as text to be split at white space or as words: the sum of `full_scores`."""
        return math.fsum(each.log10 for each in self.full_scores(sentence, bos=bos, eos=eos))

    def full_scores(self, sentence: str | Sequence[str], *, bos: bool = True, eos: bool = True) -> list[WordScore]:
        """The score of each word, after <s> if `bos`, and of </s> if `eos`, as in KenLM's `full_scores`."""
        words = _split(sentence)
        ids = self._ids(words)
        scores, lengths = self._scored(ids, np.array([0, len(ids)], np.uint64), bos=bos, eos=eos)
        shown = [*words, self.words[STOP]] if eos else words
        unknown = [*(ids == UNKNOWN).tolist(), False]
        return [WordScore(*each) for each in zip(shown, scores.tolist(), lengths.tolist(), unknown, strict=False)]

    @property
    def start(self) -> State:
        """The state at the beginning of a sentence."""
        return State((START,)[: self.order - 1])

    @property
    def null(self) -> State:
        """The state that remembers nothing."""
        return State(())

    def score_word(self, state: State, word: str) -> tuple[WordScore, State]:
        """The score of a word after a state ("</s>" ends a sentence), and the state behind it."""
        id = STOP if word == self.words[STOP] else int(self._ids([word])[0])
        (score, length) = self._scored(
            np.array([id], np.uint32), np.array([0, 1], np.uint64), before=state.history, eos=False
        )
        history = (*state.history, id)[max(len(state.history) + 2 - self.order, 0) :] if self.order > 1 else ()
        return WordScore(word, float(score[0]), int(length[0]), id == UNKNOWN), State(history)

    def probabilities(self, history: str | Sequence[str] | State = (), *, bos: bool = True) -> NDArray[np.float64]:
        """P(w | history) of every word, shape (V + 3,) in the order of `words`: they sum to 1, <s> having 0.

        A history of words begins a sentence if `bos`. Raises `FirthError` where maximum likelihood is undefined.
        """
        if isinstance(history, State):
            ids = history.history
        else:
            ids = (*self.start.history * bos, *self._ids(_split(history)).tolist())
        found = self.fitted.follow(ids)
        _defined(found)
        found[START] = -math.inf
        return np.asarray(10.0**found)

    def generate(
        self,
        prompt: str | Sequence[str] = "",
        *,
        length: int = 100,
        sampling: Sampling = Sampling(),  # noqa: B008 - frozen
        seed: int = 1,
    ) -> list[str]:
        """Words that go on from `prompt`, the beginning of a sentence, to its end, `length` of them at most.

        <unk> is never drawn. The same seed gives the same words.
        """
        random = np.random.default_rng(whole("seed", seed, 0))
        state, found = self.start, []
        for word in _split(prompt):
            _, state = self.score_word(state, word)
        for _ in range(whole("length", length, 0)):
            with np.errstate(divide="ignore"):
                log = np.log(self.probabilities(state))
            log[UNKNOWN] = -math.inf
            id = sampling.draw(log, random)
            if id == STOP or log[id] == -math.inf:
                break
            found.append(self.words[id])
            _, state = self.score_word(state, found[-1])
        return found

    def token_scores(self, corpus: Corpus) -> TokenScores:
        """log10 P of each word of a text and of each line's end; raises `FirthError` where it is undefined."""
        table = self._ids(corpus.vocab.words)
        ids = table[corpus.ids]
        scores, _ = self._scored(ids, corpus.offsets)
        ends = corpus.offsets[1:].astype(np.int64) + np.arange(len(corpus.offsets) - 1)
        unknown = np.zeros(len(scores), np.bool_)
        unknown[np.delete(np.arange(len(scores)), ends)] = ids == UNKNOWN
        return TokenScores(scores, unknown)

    def perplexity(self, source: Source, **reading: Unpack[ReadingOptions]) -> Perplexity:
        """The perplexity of a text from any source that `Corpus.read` takes, the ends of lines predicted."""
        return perplexity(self, Reading(source, **reading).corpus(threads=self.threads))

    def _ids(self, words: Sequence[str]) -> NDArray[np.uint32]:
        """The ids of words; <s> and </s> in a text are none of the vocabulary's."""
        found = (self.fitted.words.find(word) for word in words)
        return np.array([UNKNOWN if id is None or id <= STOP else id for id in found], np.uint32)

    def _scored(
        self,
        ids: NDArray[np.uint32],
        offsets: NDArray[np.uint64],
        *,
        bos: bool = True,
        eos: bool = True,
        before: tuple[int, ...] | None = None,
    ) -> tuple[NDArray[np.float32], NDArray[np.uint8]]:
        lines = len(offsets) - 1
        log10 = np.empty(len(ids) + lines * eos, np.float32)
        length = np.empty(len(log10), np.uint8)
        history = np.array(self.start.history * bos if before is None else before, np.uint32)
        score = partial(
            self.fitted.native.score, ids, offsets, before=history, ends=eos, log10=log10, length=length
        )
        bounds = [*range(0, lines, _LINES), lines]
        run([partial(score, sentences=pair) for pair in pairwise(bounds)], self.threads)
        _defined(log10)
        return log10, length

    def save(self, path: str | Path) -> None:
        """Write a directory, which is mapped when loaded, or an ARPA file if the name ends in .arpa or .arpa.gz.

        Raises `SettingsError` for an ARPA file of a smoothing that does not back off.
        """
        self.check_format(path)
        if is_arpa_name(path):
            arpa.write(path, self.fitted.native, self.fitted.words, self.sizes, self.threads)
        else:
            self.fitted.save(path, self.settings)

    def check_format(self, path: str | Path) -> None:
        """Raise `SettingsError` where a name asks for a format that cannot hold such a model."""
        if is_arpa_name(path) and self.smoothing.combine == "alone":
            raise SettingsError(
                f"{path}: ARPA files hold models that back off, which {self.smoothing.name} does not; "
                "save a directory"
            )

    @classmethod
    def load(cls, path: str | Path) -> NGram:
        """The model that `save` wrote, mapped, or any ARPA file; raises `FormatError`.

        An ARPA file does not tell its smoothing: `settings` are then the standard ones with its order.
        """
        if not Path(path).is_dir():
            words, found = arpa.read(path)
            model = cls(order=len(found.prob))
            model._fitted = Fitted(words, np.zeros(len(words), np.int64), found, None, {"read_from": str(path)})
            return model
        fitted, settings = Fitted.load(path)
        try:
            smoothing = dict(settings["smoothing"])
            kind = SMOOTHINGS[smoothing.pop("name")]
            model = cls(**{**settings, "smoothing": kind(**smoothing)})
        except (KeyError, TypeError, SettingsError) as error:
            raise tables.damaged(path, error) from None
        model._fitted = fitted
        return model


def is_arpa_name(path: str | Path) -> bool:
    """Whether a file of this name is to be an ARPA file."""
    return str(path).endswith((".arpa", ".arpa.gz"))


def _thresholds(prune: Sequence[int], order: int) -> tuple[int, ...]:
    found = [whole("prune", each, 0, 2**31 - 1) for each in prune]
    if not found or len(found) > order or found != sorted(found):
        raise SettingsError(
            f"prune={tuple(prune)} must be 1 to {order} counts that never fall, like (0, 0, 1); "
            "a longer n-gram does not occur more often than those within it"
        )
    return tuple(found + found[-1:] * (order - len(found)))


def _split(sentence: str | Sequence[str]) -> list[str]:
    return sentence.split() if isinstance(sentence, str) else list(sentence)


def _defined(log10: NDArray[np.floating]) -> None:
    if np.isnan(log10).any():
        raise FirthError(
            f"{int(np.isnan(log10).sum()):,} words stand after histories that the training text never had, where "
            "maximum likelihood is undefined; choose another smoothing"
        )
