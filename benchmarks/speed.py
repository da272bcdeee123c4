"""How much faster is Firth than the tools that do the same?

    python benchmarks/speed.py wiki-en-17m.txt.xz --eval eval/ --word2vec-c ./word2vec --pword2vec ./pWord2Vec

The same settings and learning rate for all: one epoch, window 5 that shrinks, subsample 1e-4, min_count 5.
Training is timed beside training, and the whole command, from the text file to the saved file, beside the whole.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from common import Row, corpus_of, markdown, mean, median, number, of, options_of, publish, ratio
from machine import machine
from tools import (
    CBOW,
    CBOW_TREE,
    MODELS,
    SKIP_GRAM,
    SKIP_GRAM_300,
    SKIP_GRAM_TREE,
    add_peers,
    firth_tool,
    peers,
    trials,
)

# At least so many times as fast as a tool: in training, and from text to file.
TARGETS: dict[tuple[str, str], tuple[float | None, float | None]] = {
    (SKIP_GRAM.name, "gensim"): (15, 10),
    (CBOW.name, "gensim"): (6, None),
    (SKIP_GRAM_TREE.name, "gensim"): (10, None),
    (CBOW_TREE.name, "gensim"): (6, None),
    (SKIP_GRAM_300.name, "gensim"): (15, None),
    (SKIP_GRAM.name, "pWord2Vec"): (2.5, None),
    (SKIP_GRAM_300.name, "pWord2Vec"): (2.5, None),
}
HEADER = ["model", "tool", "training s", "Firth ×", "at least", "whole s", "Firth ×", "at least", "analogies %"]


def lines(rows: Sequence[Row]) -> Iterator[list[str]]:
    for model, tool in dict.fromkeys((row["model"], row["tool"]) for row in rows):
        runs, ours = of(rows, model=model, tool=tool), of(rows, model=model, tool="firth")
        cells = [model, tool]
        for key, target in zip(
            ("training_seconds", "whole_seconds"), TARGETS.get((model, tool), (None, None)), strict=True
        ):
            seconds = median(runs, key)
            times = None if tool == "firth" else ratio(seconds, median(ours, key))
            cells += [number(seconds), number(times, ".1f"), number(target, "g")]
        yield [*cells, mean(runs, "analogies")]


def times_as_fast(rows: Sequence[Row], peer: str) -> Iterator[list[str]]:
    """Each tool's training: seconds, times as fast as the peer's, and quality."""
    for model, tool in dict.fromkeys((row["model"], row["tool"]) for row in rows):
        runs = of(rows, model=model, tool=tool)
        seconds, theirs = (median(each, "training_seconds") for each in (runs, of(rows, model=model, tool=peer)))
        yield [model, tool, number(seconds), number(ratio(theirs, seconds), ".1f"), mean(runs, "analogies")]


def main() -> None:
    parser = options_of(__doc__, "speed")
    names = [settings.name for settings in MODELS]
    parser.add_argument("--models", nargs="+", default=names, choices=names)
    add_peers(parser)
    options = parser.parse_args()
    models = [settings for settings in MODELS if settings.name in options.models]
    with corpus_of(options) as corpus, machine() as limits:
        runs = trials([firth_tool(), *peers(options)], models, corpus, options)
        rows = [row | {"handover": limits.handover()} for row in runs]
        publish(__doc__, options, corpus, rows, markdown(HEADER, lines(rows)))


if __name__ == "__main__":
    main()
