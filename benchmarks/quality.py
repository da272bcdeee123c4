"""How good are the vectors? Trains word2vec in its forms on one text, several seeds each, and scores them.

    python benchmarks/quality.py wiki-en-17m.txt.xz eval/ > table.md

Prints a Markdown table (means over the seeds, standard deviations behind ±; the median of the seconds of training)
and writes every run to JSON.
The rate is the default of each model, for gensim too (`--gensim MODEL` trains its own beside ours).
`--words 12000000` takes the beginning of the text: choose on a part, confirm on all.
"""

from __future__ import annotations

import argparse
import itertools
import json
import statistics
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from common import hardware, mean, software, write_beginning
from step import gensim_model

import firth
from firth import CBOW, NCE, HierarchicalSoftmax, NegativeSampling, SampledSoftmax, SkipGram, Vectors
from firth.evaluate import analogies, word_pairs

MODELS = {
    "skip-gram, 5 negatives": (SkipGram(), NegativeSampling(5)),
    "skip-gram, 5 negatives, shrinking window": (SkipGram(shrink=True), NegativeSampling(5)),
    "CBOW, 5 negatives": (CBOW(), NegativeSampling(5)),
    "CBOW exact, 5 negatives": (CBOW(gradient="exact"), NegativeSampling(5)),
    "CBOW sum, 5 negatives": (CBOW(combine="sum"), NegativeSampling(5)),
    "skip-gram, hierarchical softmax": (SkipGram(), HierarchicalSoftmax()),
    "CBOW, hierarchical softmax": (CBOW(), HierarchicalSoftmax()),
    "skip-gram, NCE": (SkipGram(), NCE(5)),
    "CBOW, NCE": (CBOW(), NCE(5)),
    "skip-gram, sampled softmax": (SkipGram(), SampledSoftmax(5)),
    "CBOW, sampled softmax": (CBOW(), SampledSoftmax(5)),
}
GENSIM = {
    "skip-gram, 5 negatives": {"sg": 1, "hs": 0, "negative": 5},
    "CBOW, 5 negatives": {"sg": 0, "hs": 0, "negative": 5},
    "skip-gram, hierarchical softmax": {"sg": 1, "hs": 1, "negative": 0},
    "CBOW, hierarchical softmax": {"sg": 0, "hs": 1, "negative": 0},
}
PAIRS = {"WordSim-353": "EN-WS-353-ALL.txt", "SimLex-999": "EN-SIMLEX-999.txt", "MTurk-771": "EN-MTurk-771.txt"}
Scores = dict[str, float]


def score(vectors: Vectors, folder: Path) -> Scores:
    result = analogies(vectors, folder / "questions-words.txt", first=30_000)
    scores = {"analogies": 100 * result.total.accuracy}
    for name, part in (("semantic", result.semantic), ("syntactic", result.syntactic)):
        if part is not None:
            scores[name] = 100 * part.accuracy
    for name, file in PAIRS.items():
        scores[name] = 100 * word_pairs(vectors, folder / file).spearman
    return scores


def run_firth(name: str, text: Path, seed: int, options: argparse.Namespace) -> tuple[Vectors, float, float]:
    context, objective = MODELS[name]
    given = {} if options.rate is None else {"learning_rate": options.rate}
    model = firth.Word2Vec(
        context=context,
        objective=objective,
        epochs=options.epochs,
        threads=options.threads,
        seed=seed,
        **given,
    )
    model.fit(text, progress=False)
    return model.vectors, sum(row.seconds for row in model.history), model.schedule.start


def run_gensim(name: str, text: Path, seed: int, options: argparse.Namespace) -> tuple[Vectors, float, float]:
    rate = firth.Word2Vec(context=MODELS[name][0], objective=MODELS[name][1]).schedule.start
    model, seconds = gensim_model(
        str(text),
        vector_size=100,
        window=5,
        min_count=5,
        sample=1e-4,
        alpha=rate,
        seed=seed,
        workers=options.threads,
        epochs=options.epochs,
        **GENSIM[name],
    )
    return Vectors(model.wv.index_to_key, model.wv.vectors), seconds, rate


def runs(text: Path, options: argparse.Namespace) -> Iterator[dict[str, object]]:
    for name, seed in itertools.product(options.models, options.seeds):
        tools = {"firth": run_firth} | ({"gensim": run_gensim} if name in options.gensim else {})
        for tool, run in tools.items():
            vectors, seconds, rate = run(name, text, seed, options)
            row = {"model": name, "tool": tool, "seed": seed, "rate": rate, "seconds": seconds}
            yield row | score(vectors, options.folder)


def table(rows: list[dict[str, object]]) -> Iterator[str]:
    columns = ["analogies", "semantic", "syntactic", *PAIRS]
    yield "| model | tool | rate | " + " | ".join(columns) + " | seconds |"
    yield "|---|---|---|" + "---|" * (len(columns) + 1)
    for (model, tool, rate), group in itertools.groupby(
        sorted(rows, key=lambda row: (list(MODELS).index(str(row["model"])), row["tool"])),
        key=lambda row: (row["model"], row["tool"], row["rate"]),
    ):
        found = list(group)
        cells = [mean(found, column) for column in columns]
        seconds = statistics.median(float(str(row["seconds"])) for row in found)
        yield f"| {model} | {tool} | {rate} | " + " | ".join(cells) + f" | {seconds:.1f} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("text", type=Path)
    parser.add_argument("folder", type=Path, help="holds questions-words.txt and the EN-*.txt word pairs")
    parser.add_argument("--models", nargs="+", default=list(MODELS), choices=list(MODELS))
    parser.add_argument("--seeds", nargs="+", type=int, default=[1, 2, 3])
    parser.add_argument("--epochs", type=int, default=5)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rate", type=float, help="instead of the default of each model")
    parser.add_argument("--words", type=int, help="use the first so many words of the text")
    parser.add_argument(
        "--gensim", nargs="*", default=[], choices=list(GENSIM), help="models to train with gensim too"
    )
    parser.add_argument("--json", type=Path, default=Path("quality.json"))
    options = parser.parse_args()
    rows: list[dict[str, object]] = []
    with tempfile.TemporaryDirectory() as folder:
        text = Path(folder) / "text.txt"
        write_beginning(options.text, text, options.words)
        for row in runs(text, options):
            rows.append(row)
            print(row, file=sys.stderr, flush=True)
    machine = {"hardware": hardware(), "software": software()}
    options.json.write_text(json.dumps({**machine, "runs": rows}, indent=1))
    print("\n".join(table(rows)))


if __name__ == "__main__":
    main()
