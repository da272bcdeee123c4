"""What does the same answer every time cost?

    python benchmarks/deterministic.py wiki-en-17m.txt.xz --eval eval/

Racing threads beside `--deterministic`, which is to give the same bytes with any number of threads, to be 5 times
as fast as gensim, and on two threads 1.4 times as fast as on one.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from common import Row, corpus_of, markdown, mean, median, number, of, options_of, publish, ratio
from machine import machine
from tools import CBOW, SKIP_GRAM, firth_tool, gensim_tool, trial

AGAINST_GENSIM, AGAINST_ONE_THREAD = 5, 1.4
HEADER = [
    "model",
    "tool",
    "threads",
    "training s",
    "gensim ×",
    "at least",
    "one thread ×",
    "at least",
    "bytes as with one thread",
    "analogies %",
]


def lines(rows: Sequence[Row], most: int) -> Iterator[list[str]]:
    for model, tool, threads in dict.fromkeys((row["model"], row["tool"], row["threads"]) for row in rows):
        runs = of(rows, model=model, tool=tool, threads=threads)
        single, gensim = of(rows, model=model, tool=tool, threads=1), of(rows, model=model, tool="gensim")
        seconds = median(runs, "training_seconds")
        ratios = [ratio(median(each, "training_seconds"), seconds) for each in (gensim, single)]
        asked = tool == "deterministic" and threads == most
        targets = (number(each if asked else None, "g") for each in (AGAINST_GENSIM, AGAINST_ONE_THREAD))
        cells = [cell for each, target in zip(ratios, targets, strict=True) for cell in (number(each), target)]
        same = "–" if not single else "yes" if digests(runs) == digests(single) else "no"
        yield [model, tool, str(threads), number(seconds), *cells, same, mean(runs, "analogies")]


def digests(rows: Sequence[Row]) -> dict[int, str]:
    """Of the saved vectors, by seed."""
    return {row["seed"]: row["digest"] for row in rows}


def main() -> None:
    options = options_of(__doc__, "deterministic").parse_args()
    ours = [firth_tool("racing"), firth_tool("deterministic", "--deterministic")]
    turns = [(tool, threads) for tool in ours for threads in sorted({1, options.threads})]
    turns += [(tool, options.threads) for tool in gensim_tool()]
    rows: list[Row] = []
    with corpus_of(options) as corpus, machine() as limits:
        for seed in range(1, options.runs + 1):
            for settings in (SKIP_GRAM, CBOW):
                for tool, threads in turns:
                    row = trial(tool, settings, corpus.path, options, threads=threads, seed=seed)
                    rows.append(row | {"handover": limits.handover()})
        publish(__doc__, options, corpus, rows, markdown(HEADER, lines(rows, options.threads)))


if __name__ == "__main__":
    main()
