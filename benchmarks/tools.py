"""The tools that learn word vectors: the command of each for the same settings, and what a run of it costs.

A tool is a command line with places for the settings, so that another is a line. It reads the text, learns and
saves: the seconds of the whole command are measured, those of training alone are what the tool tells.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import re
import shlex
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path

from common import Corpus, Finished, Row, run

import firth

STEP = Path(__file__).with_name("step.py")
FIRTH = (
    "{python} -m firth train {text} -o {out} --quiet --json --context {context} --objective {objective} --shrink"
    " --window {window} --dim {dim} --epochs {epochs} --learning-rate {rate} --subsample {subsample}"
    " --min-count {min_count} --threads {threads} --seed {seed}"
)
GENSIM = (
    "{python} {step} train-gensim {text} {out} sg={sg} hs={hs} negative={negatives} window={window}"
    " vector_size={dim} epochs={epochs} alpha={rate} sample={subsample} min_count={min_count} workers={threads}"
    " seed={seed}"
)
FASTTEXT = (
    "{python} {step} train-fasttext {text} {out} model={context} loss={loss} neg={negatives} ws={window} dim={dim}"
    " epoch={epochs} lr={rate} t={subsample} minCount={min_count} thread={threads}"
)
PWORD2VEC = (
    "{binary} -train {text} -output {out} -negative {negatives} -window {window} -size {dim} -iter {epochs}"
    " -alpha {rate} -sample {subsample} -min-count {min_count} -threads {threads} -binary 1"
)
WORD2VEC_C = PWORD2VEC + " -cbow {cbow} -hs {hs}"


@dataclass(frozen=True)
class Settings:
    """What every tool is asked to do; windows shrink, as they all do by default."""

    name: str
    context: str = "skipgram"  # or cbow
    objective: str = "negative-sampling"  # or hierarchical-softmax
    dim: int = 100
    epochs: int = 1
    window: int = 5
    subsample: float = 1e-4
    min_count: int = 5

    @property
    def hierarchical(self) -> bool:
        return self.objective == "hierarchical-softmax"

    @property
    def negatives(self) -> int:
        return 0 if self.hierarchical else 5

    @property
    def rate(self) -> float:
        """Firth's default for the combination."""
        context = firth.SkipGram() if self.context == "skipgram" else firth.CBOW()
        objective = firth.HierarchicalSoftmax() if self.hierarchical else firth.NegativeSampling()
        return firth.Word2Vec(context=context, objective=objective).schedule.start

    def places(self) -> dict[str, object]:
        """The values for a command line."""
        return {
            **{name: getattr(self, name) for name in ("context", "objective", "dim", "epochs", "window")},
            **{name: getattr(self, name) for name in ("subsample", "min_count", "negatives", "rate")},
            "sg": int(self.context == "skipgram"),
            "cbow": int(self.context == "cbow"),
            "hs": int(self.hierarchical),
            "loss": "hs" if self.hierarchical else "ns",
        }


SKIP_GRAM = Settings("skip-gram, 5 negatives")
CBOW = Settings("CBOW, 5 negatives", context="cbow")
SKIP_GRAM_TREE = Settings("skip-gram, hierarchical softmax", objective="hierarchical-softmax")
CBOW_TREE = Settings("CBOW, hierarchical softmax", context="cbow", objective="hierarchical-softmax")
SKIP_GRAM_300 = Settings("skip-gram, 5 negatives, d=300", dim=300)
MODELS = (SKIP_GRAM, CBOW, SKIP_GRAM_TREE, CBOW_TREE, SKIP_GRAM_300)


@dataclass(frozen=True)
class Tool:
    """A command line with places, and the variables of its environment."""

    name: str
    template: str
    environment: Mapping[str, str] = field(default_factory=dict)
    skip_gram_with_negatives_only: bool = False

    def knows(self, settings: Settings) -> bool:
        """Whether it has this model."""
        skip_gram_with_negatives = settings.context == "skipgram" and not settings.hierarchical
        return skip_gram_with_negatives or not self.skip_gram_with_negatives_only

    def command(self, settings: Settings, text: Path, out: Path, threads: int, seed: int) -> list[str]:
        """The command line for these settings."""
        places = settings.places() | {"text": text, "out": out, "threads": threads, "seed": seed}
        return [part.format(python=sys.executable, step=STEP, **places) for part in shlex.split(self.template)]


def firth_tool(name: str = "firth", flags: str = "", **environment: str) -> Tool:
    return Tool(name, f"{FIRTH} {flags}", environment)


def gensim_tool() -> list[Tool]:
    """gensim, if it is installed; else a word that it is left out."""
    return [Tool("gensim", GENSIM)] if installed("gensim") else []


def installed(package: str) -> bool:
    """Whether a package can be imported; says so if it cannot."""
    if find_spec(package) is None:
        print(f"{package} is not installed and is left out; pip install {package}", file=sys.stderr)
        return False
    return True


def add_word2vec_c(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--word2vec-c", metavar="BINARY", help="word2vec.c, measured too")


def add_peers(parser: argparse.ArgumentParser) -> None:
    """The options for all that `peers` finds."""
    add_word2vec_c(parser)
    parser.add_argument("--pword2vec", metavar="BINARY", help="pWord2Vec, measured too")
    parser.add_argument(
        "--command",
        nargs=2,
        action="append",
        default=[],
        metavar=("NAME", "COMMAND"),
        help="any other tool: its command line, with {text}, {out}, {dim}, {window}, {threads} ... in it",
    )


def peers(options: argparse.Namespace) -> list[Tool]:
    """The tools that Firth is measured beside: those installed, and those whose path is given."""
    found = gensim_tool()
    if installed("fasttext"):
        found.append(Tool("fasttext", FASTTEXT))
    if options.word2vec_c:
        found.append(Tool("word2vec.c", WORD2VEC_C.replace("{binary}", shlex.quote(options.word2vec_c))))
    if options.pword2vec:
        template = PWORD2VEC.replace("{binary}", shlex.quote(options.pword2vec))
        found.append(
            Tool("pWord2Vec", template, {"OPENBLAS_NUM_THREADS": "1"}, skip_gram_with_negatives_only=True)
        )
    return found + [Tool(name, command) for name, command in options.command]


def trial(
    tool: Tool, settings: Settings, text: Path, options: argparse.Namespace, *, threads: int, seed: int
) -> Row:
    """One run, from the text to the saved vectors, and what they are worth."""
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        out = Path(folder) / "vectors.bin"
        done = run(
            tool.command(settings, text, out, threads, seed),
            environment={**tool.environment, "FIRTH_CACHE": folder},
        )
        row = {
            "model": settings.name,
            "tool": tool.name,
            "threads": threads,
            "seed": seed,
            "rate": settings.rate,
            "training_seconds": training_seconds(done, settings, threads),
            "whole_seconds": done.seconds,
            "peak_mb": done.peak_mb,
            "digest": hashlib.sha256(out.read_bytes()).hexdigest(),
            "vocabulary": int(out.open("rb").readline().split()[0]),
            "analogies": analogies(out, options.eval),
        }
    print(row, file=sys.stderr, flush=True)
    return row


def trials(
    tools: Sequence[Tool], models: Sequence[Settings], corpus: Corpus, options: argparse.Namespace
) -> Iterator[Row]:
    """Every model by every tool that has it, in turn, as many times as runs are asked for."""
    for seed in range(1, options.runs + 1):
        for settings in models:
            for tool in tools:
                if tool.knows(settings):
                    yield trial(tool, settings, corpus.path, options, threads=options.threads, seed=seed)


_SPEED = re.compile(r"Words/(thread/)?sec: *([\d.]+)k")
_WORDS = re.compile(r"Words in train file: (\d+)")


def training_seconds(done: Finished, settings: Settings, threads: int) -> float | None:
    """What the tool says that training alone took: as JSON, or as word2vec.c and its kin print their speed.

    word2vec.c counts the seconds of all threads together.
    """
    if done.output.startswith("{"):
        told: float | None = json.loads(done.output)["seconds"]
        return told
    speeds, words = _SPEED.findall(done.output), _WORDS.search(done.output)
    if not speeds or not words:
        return None
    each_thread, thousands = speeds[-1]
    return int(words[1]) * settings.epochs / (float(thousands) * 1000 * (threads if each_thread else 1))


def analogies(vectors: Path, folder: Path | None) -> float | None:
    """Per cent of Google's analogies, over the 30,000 most frequent words; None without the questions."""
    if folder is None:
        return None
    questions = folder / "questions-words.txt"
    done = run([sys.executable, "-m", "firth", "evaluate", vectors, "--analogies", questions, "--json"])
    accuracy = json.loads(done.output)["analogies"][0]["total"]["accuracy"]
    return None if accuracy is None else 100 * accuracy
