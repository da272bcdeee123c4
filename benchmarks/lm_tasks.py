"""What is pretraining worth? Fine-tuned on SST-2 and TREC, beside the same networks from random weights.

    python benchmarks/lm_tasks.py classify/ --models run-gpt2/ run-bert/ --vectors w2v-1.bin w2v-2.bin w2v-3.bin

The folder holds stsa.binary.{train,dev,test} and raw_TREC.{train,test}. A network is fine-tuned from what it
learnt, and from fresh weights, with each of the same learning rates; the rate and the epoch are those that are
best on the validation part (SST-2's own, a tenth of TREC), and the accuracy on the test is told. Beside them
stands a logistic regression on frozen vectors: the mean of the top layer's tokens, and the mean of word vectors
(a run a file, or a run a seed of one). Prints a Markdown table of means over the seeds and writes every run to
JSON.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from common import Row, hardware, markdown, mean, of, software

from firth import lm
from firth.evaluate import Labelled, classify, read_labelled
from firth.lm.neural.finetune import RATE, finetune
from firth.lm.neural.kinds import module_of
from firth.lm.neural.probe import AtLayer
from firth.vectors import Vectors

TASKS = ("SST-2", "TREC")
FINETUNED, RANDOM = "fine-tuned", "the same from random weights"
FROZEN, WORDS = "frozen, mean of the top layer", "mean of word vectors"


class Task:
    """The texts to learn from, to choose by and to test on."""

    def __init__(self, name: str, folder: Path, examples: int | None):
        self.name = name
        self.held: Labelled | None = None
        if name == "SST-2":
            train, self.held, self.test = (
                read_labelled(folder / f"stsa.binary.{part}") for part in ("train", "dev", "test")
            )
        else:
            train, self.test = (
                read_labelled(folder / f"raw_TREC.{part}", coarse=True, encoding="latin-1")
                for part in ("train", "test")
            )
        self.train = Labelled(train.source, train.texts[:examples], train.labels[:examples])


def rows_of(labelled: Labelled) -> list[tuple[str, str]]:
    return list(zip(labelled.labels, labelled.texts, strict=True))


def finetuned(model: Any, network: Any, task: Task, seed: int, options: argparse.Namespace) -> Row:
    """The best of the rates on the validation part."""
    began, best = time.perf_counter(), None
    for factor in options.rates:
        made = finetune(
            model.kind,
            network,
            model.tokens,
            rows_of(task.train),
            task="classify",
            validation=0.1 if task.held is None else rows_of(task.held),
            epochs=options.epochs,
            learning_rate=factor * RATE / network.config.dims,
            seed=seed,
            precision=options.precision,
            device=options.device,
            progress=False,
        )
        error = min(row["error"] for row in made.history)
        if best is None or error < best[0]:
            best = error, factor, made
    assert best is not None
    error, factor, made = best
    found = made.evaluate(rows_of(task.test))
    return {
        "accuracy": 100 * found["accuracy"],
        "validation": 100 * (1 - error),
        "rate": factor * RATE / network.config.dims,
        "seconds": time.perf_counter() - began,
    }


def probed(model: Any, task: Task, seed: int) -> Row:
    """A logistic regression on frozen vectors."""
    result = classify(model, task.train, task.test, validation=task.held or 0.1, seeds=[seed])
    return {"accuracy": 100 * result.accuracy, "validation": 100 * result.runs[0].validation}


def runs(options: argparse.Namespace) -> Iterator[Row]:
    tasks = [Task(name, options.folder, options.examples) for name in options.tasks]
    for path in options.models:
        model = lm.load(path)
        if isinstance(model, lm.NGram):
            raise SystemExit(f"{path} counts n-grams, which learn no tasks")
        config = model.network.config
        if options.dropout is not None:
            config = replace(config, dropout=options.dropout)
        about = {"model": model.kind, "path": str(path), "settings": model.settings}
        for task in tasks:
            for seed in options.seeds:
                torch.manual_seed(seed)
                taught, fresh = (module_of(model.kind).create(config, model.tokens) for _ in range(2))
                taught.load_state_dict(model.network.state_dict())
                for way, network in ((FINETUNED, taught), (RANDOM, fresh)):
                    found = finetuned(model, network, task, seed, options)
                    yield {**about, "way": way, "task": task.name, "seed": seed, **found}
                found = probed(AtLayer(model), task, seed)
                yield {**about, "way": FROZEN, "task": task.name, "seed": seed, **found}
    for number, seed in enumerate(options.seeds if options.vectors else ()):
        path = options.vectors[number % len(options.vectors)]
        for task in tasks:
            found = probed(Vectors.load(path), task, seed)
            yield {"model": "word2vec", "path": path, "way": WORDS, "task": task.name, "seed": seed, **found}


def table(rows: list[Row]) -> str:
    cases = dict.fromkeys((row["model"], row["path"] if row["way"] != WORDS else "", row["way"]) for row in rows)
    lines = []
    for model, path, way in cases:
        some = [row for row in of(rows, model=model, way=way) if not path or row["path"] == path]
        lines.append([f"{model} {path}".strip(), way, *(mean(of(some, task=task), "accuracy") for task in TASKS)])
    return markdown(["model", "", *TASKS], lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="holds stsa.binary.* and raw_TREC.*")
    parser.add_argument("--models", nargs="*", default=[], help="directories of firth lm train, or Hugging Face's")
    parser.add_argument("--vectors", nargs="*", default=[], help="word vectors to average")
    parser.add_argument("--tasks", nargs="+", default=TASKS, choices=TASKS)
    parser.add_argument("--seeds", nargs="+", type=int, default=[1, 2, 3])
    parser.add_argument("--epochs", type=int, default=4)
    parser.add_argument("--rates", nargs="+", type=float, default=[1, 3], help="times the default learning rate")
    parser.add_argument("--examples", type=int, help="learn the first so many only, for a quick look")
    parser.add_argument("--dropout", type=float, help="of the networks, while they learn a task")
    parser.add_argument("--precision", default="float32", choices=["float32", "bfloat16", "float16"])
    parser.add_argument("--device")
    parser.add_argument("--json", type=Path, default=Path("out/bench/lm_tasks.json"))
    options = parser.parse_args()
    found: list[Row] = []
    for row in runs(options):
        found.append(row)
        print({name: value for name, value in row.items() if name != "settings"}, file=sys.stderr, flush=True)
    record = {
        "question": (__doc__ or "").split("\n")[0],
        "hardware": hardware(),
        "software": {**software(), "torch": torch.__version__},
        "options": {key: str(value) for key, value in vars(options).items()},
        "runs": found,
        "table": table(found),
    }
    options.json.parent.mkdir(parents=True, exist_ok=True)
    options.json.write_text(json.dumps(record, indent=1) + "\n")
    print(record["table"])


if __name__ == "__main__":
    main()
