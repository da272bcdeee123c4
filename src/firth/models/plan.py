"""What a training would take, before it is begun."""

from __future__ import annotations

import time
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from firth import memory
from firth.corpus import Corpus
from firth.errors import TrainingError
from firth.progress import Status
from firth.train import EpochRow, Position, Text
from firth.vocab import Vocabulary
from firth.weights import Weights
from firth.words import encode

if TYPE_CHECKING:
    from firth.models.word2vec import Word2Vec

PROBE_SECONDS = 2.0


@dataclass(frozen=True)
class Plan:
    """What a training would take; sizes are in bytes."""

    words: int  # of the text
    vocabulary: int
    memory: int  # at its most
    memory_available: int | None  # None where the system does not tell
    disk_cache: int  # the encoded text
    disk_model: int  # the saved model; a checkpoint stands beside the one before for a moment
    disk_vectors: int  # the vectors alone
    words_per_second: float | None  # None where memory does not suffice for a trial
    seconds: float | None  # of training, all epochs

    @property
    def fits(self) -> bool:
        """Whether there is memory enough."""
        return self.memory_available is None or self.memory <= self.memory_available


def plan(model: Word2Vec, corpus: Corpus, vocab: Vocabulary) -> Plan:
    """What training `model` on `corpus` would take, with the words of `vocab`."""
    dim = model.dim
    rows, biased = model.objective.output_rows(vocab), model.objective.start_bias(vocab) is not None
    word_bytes = sum(len(encode(word)) for word in vocab.words)
    vectors = len(vocab) * (4 * dim + 4 + 8 + 8 + 4) + word_bytes  # norm, count, end, order
    every_word = corpus.vocab.counts.nbytes + len(corpus.vocab) * 12 + word_bytes
    free = memory.available()
    fits = free is None or memory.needed(vocab, dim, model.objective) <= free + memory.resident()
    speed = _speed(model, Text.of(corpus, vocab), vocab) if fits else None
    return Plan(
        words=len(corpus.ids),
        vocabulary=len(vocab),
        memory=memory.needed(vocab, dim, model.objective),
        memory_available=None if free is None else free + memory.resident(),
        disk_cache=corpus.ids.nbytes + corpus.offsets.nbytes + every_word,
        disk_model=vectors + 4 * rows * (dim + biased),
        disk_vectors=vectors,
        words_per_second=speed,
        seconds=None if speed is None else len(corpus.ids) * model.schedule.epochs / speed,
    )


def _speed(model: Word2Vec, text: Text, vocab: Vocabulary) -> float | None:
    """Words a second of a short trial with weights that are thrown away."""
    weights = Weights.start(vocab, model.dim, model.objective, model.seed)
    trial = _Trial()
    # A text that teaches nothing, or a rate too high, is for the training itself to tell.
    with suppress(TrainingError):
        model.loop(weights, vocab).train(text, schedule=model.schedule, history=[], attendant=trial)
    return trial.speed


class _Trial:
    """An attendant that ends training after two seconds, and knows how fast it was."""

    def __init__(self) -> None:
        self.began = time.monotonic()
        self.speed: float | None = None

    def report(self, status: Status) -> bool:
        self.speed = status.words_per_second or self.speed
        return time.monotonic() - self.began > PROBE_SECONDS

    def epoch_ended(self, row: EpochRow) -> EpochRow:
        return row

    def rest(self, position: Position, *, ended: EpochRow | None = None, leaving: bool = False) -> bool:
        return True
