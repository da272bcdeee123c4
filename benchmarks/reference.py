"""Are the vectors as good as those of an exact reference?

    python benchmarks/reference.py wiki-en-17m.txt.xz --eval eval/ --epochs 1 5 --gensim

Firth learns on threads that race, shares the negatives of a window and lets its rows learn two at a time.
reference.cpp, compiled here, does nothing of this: one thread, one pair at a time, negatives of its own for each.
Both learn skip-gram with 5 negatives from the same start at the same rate. The reference takes the text in Firth's
order of blocks and from front to back as well, which tells what the order is worth.
"""

from __future__ import annotations

import argparse
import inspect
import os
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from common import Row, corpus_of, markdown, mean, median, number, of, options_of, publish, run
from quality import PAIRS, score
from step import gensim_model

import firth
from firth import NegativeSampling, SkipGram, Vectors
from firth.train import Weights

SOURCE = Path(__file__).with_name("reference.cpp")
FLAGS = ["-O3", "-march=native", "-std=c++20", "-fopenmp-simd"]
OBJECTIVE = NegativeSampling(5)
ORDERS = ("strides", "front-to-back")
COLUMNS = ["analogies", "semantic", "syntactic", *PAIRS]


@dataclass(frozen=True)
class Settings:
    """What all are asked to do."""

    context: SkipGram
    subsample: float
    rate: float = 0.04

    def __str__(self) -> str:
        return f"{'shrinking' if self.context.shrink else 'fixed'} window, subsample {self.subsample:g}"


SETTINGS = {"shrinking": Settings(SkipGram(shrink=True), 1e-4), "fixed": Settings(SkipGram(), 5e-5)}


@dataclass(frozen=True)
class Learnt:
    """The vectors, the seconds of training, and the mean loss of a pair in the last epoch where it is known."""

    vectors: Vectors
    seconds: float
    loss: float | None


@dataclass(frozen=True)
class Trial:
    """Everything that a run depends on but the tool."""

    text: Path
    settings: Settings
    epochs: int
    seed: int
    threads: int

    def model(self, **given: bool) -> firth.Word2Vec:
        """Firth's, not yet trained."""
        return firth.Word2Vec(
            context=self.settings.context,
            objective=OBJECTIVE,
            subsample=self.settings.subsample,
            learning_rate=self.settings.rate,
            epochs=self.epochs,
            seed=self.seed,
            threads=self.threads,
            **given,
        )

    def firth(self, **given: bool) -> Learnt:
        model = self.model(**given).fit(self.text, cache=self.text.parent, progress=False)
        return Learnt(model.vectors, sum(row.seconds for row in model.history), model.history[-1].loss)

    def reference(self, program: Path, order: str) -> Learnt:
        """From the same start as Firth's."""
        model, context = self.model(), self.settings.context
        corpus = firth.Corpus.read(self.text, cache=self.text.parent)
        vocab = corpus.vocab.prune(min_count=model.min_count)
        start = Weights.start(vocab, model.dim, OBJECTIVE, self.seed).input
        with tempfile.TemporaryDirectory(prefix="bench-") as folder:
            arrays = {
                "ids": corpus.encoded(vocab),
                "offsets": corpus.offsets,
                "keep": vocab.keep_probabilities(model.subsample),
                "noise": vocab.noise(OBJECTIVE.exponent),
                "input": start,
            }
            for name, array in arrays.items():
                array.tofile(Path(folder) / name)
            told = [start.shape[1], context.window, int(context.shrink), OBJECTIVE.negatives, self.epochs]
            told += [model.schedule.start, model.schedule.end, self.seed, order]
            seconds, loss = run([program, folder, *map(str, told)]).output.split()
            learnt = np.fromfile(Path(folder) / "input", dtype=np.float32).reshape(start.shape)
        vectors = Vectors(vocab.words, learnt[:, : model.dim], counts=vocab.counts)
        return Learnt(vectors, float(seconds), float(loss))

    def gensim(self) -> Learnt:
        context = self.settings.context
        model, seconds = gensim_model(
            str(self.text),
            sg=1,
            negative=OBJECTIVE.negatives,
            vector_size=100,
            window=context.window,
            shrink_windows=context.shrink,
            min_count=5,
            sample=self.settings.subsample,
            alpha=self.settings.rate,
            epochs=self.epochs,
            seed=self.seed,
            workers=self.threads,
        )
        return Learnt(Vectors(model.wv.index_to_key, model.wv.vectors), seconds, None)


@contextmanager
def compiled() -> Iterator[Path]:
    """The reference, by the system's compiler ($CXX or c++)."""
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        program = Path(folder) / "reference"
        run([os.environ.get("CXX", "c++"), *FLAGS, SOURCE, "-o", program])
        yield program


def results(trial: Trial, program: Path, options: argparse.Namespace) -> Iterator[tuple[str, Learnt]]:
    """What each tool learns, with its name, in turn."""
    yield "firth", trial.firth()
    if "deterministic" in inspect.signature(firth.Word2Vec).parameters:
        yield "firth, deterministic", trial.firth(deterministic=True)
    for order in ORDERS:
        yield f"reference, {order}", trial.reference(program, order)
    if options.gensim:
        yield "gensim", trial.gensim()


def runs(text: Path, program: Path, options: argparse.Namespace) -> Iterator[Row]:
    for name in options.settings:
        for epochs in options.epochs:
            for seed in range(1, options.runs + 1) if options.seeds is None else options.seeds:
                trial = Trial(text, SETTINGS[name], epochs, seed, options.threads)
                for tool, learnt in results(trial, program, options):
                    row = {"settings": str(trial.settings), "epochs": epochs, "tool": tool, "seed": seed}
                    row |= {"seconds": learnt.seconds, "loss": learnt.loss}
                    yield row | (score(learnt.vectors, options.eval) if options.eval else {})


def lines(rows: Sequence[Row]) -> Iterator[list[str]]:
    """Of each tool at each of the settings, the means over the seeds, with standard deviations."""
    for settings, epochs, tool in dict.fromkeys((row["settings"], row["epochs"], row["tool"]) for row in rows):
        found = of(rows, settings=settings, epochs=epochs, tool=tool)
        cells = [mean(found, column) for column in COLUMNS]
        loss, seconds = median(found, "loss"), median(found, "seconds")
        yield [settings, str(epochs), tool, *cells, number(loss, ".4f"), number(seconds, ".1f")]


def main() -> None:
    parser = options_of(__doc__, "reference")
    parser.add_argument("--epochs", nargs="+", type=int, default=[1, 5], help="(default: 1 5)")
    parser.add_argument("--seeds", nargs="+", type=int, help="(default: 1 to RUNS)")
    parser.add_argument("--settings", nargs="+", choices=list(SETTINGS), default=list(SETTINGS))
    parser.add_argument("--gensim", action="store_true", help="train with gensim too")
    options = parser.parse_args()
    rows: list[Row] = []
    with corpus_of(options) as corpus, compiled() as program:
        for row in runs(corpus.path, program, options):
            rows.append(row)
            print(row, file=sys.stderr, flush=True)
        header = ["settings", "epochs", "tool", *COLUMNS, "median loss", "median s"]
        publish(__doc__, options, corpus, rows, markdown(header, lines(rows)))


if __name__ == "__main__":
    main()
