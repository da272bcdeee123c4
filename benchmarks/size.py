"""Does the cost grow with the words alone?

    python benchmarks/size.py wiki-en-17m.txt.xz

Texts of 1/16, 1/4, 1 and 4 times the given one: its beginning, and its repetition. Memory is to be both matrices,
the vocabulary and at most 200 MB, whatever the corpus.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path

from common import (
    Corpus,
    Row,
    corpus_of,
    markdown,
    median,
    number,
    of,
    options_of,
    publish,
    ratio,
    write_beginning,
)
from needs import stride
from tools import SKIP_GRAM, firth_tool, trial

MOST_BESIDES_MB = 200  # not counting the vocabulary
HEADER = [
    "words",
    "vocabulary",
    "training s",
    "ns a word",
    "whole s",
    "ns a word",
    "peak MB",
    "matrices MB",
    "besides MB",
    "at most",
    "analogies %",
]


def texts_of(corpus: Corpus) -> Iterator[tuple[int, Path]]:
    """Words and file of each size."""
    for part in (16, 4):
        path = corpus.path.with_name(f"part-{part}.txt")
        yield write_beginning(corpus.path, path, corpus.words // part), path
    yield corpus.words, corpus.path
    fourfold = corpus.path.with_name("fourfold.txt")
    with fourfold.open("wb") as out:
        for _ in range(4):
            with corpus.path.open("rb") as file:
                shutil.copyfileobj(file, out)
    yield 4 * corpus.words, fourfold


def lines(rows: Sequence[Row]) -> Iterator[list[str]]:
    for words in dict.fromkeys(row["words"] for row in rows):
        runs = of(rows, words=words)
        times = [median(runs, key) for key in ("training_seconds", "whole_seconds")]
        costs = [cell for each in times for cell in (number(each), number(ratio(each, words / 1e9), ".0f"))]
        memory = [number(median(runs, key), ".0f") for key in ("peak_mb", "matrices_mb", "besides_mb")]
        analogies = number(median(runs, "analogies"), ".1f")
        yield [f"{words:,}", f"{runs[0]['vocabulary']:,}", *costs, *memory, str(MOST_BESIDES_MB), analogies]


def main() -> None:
    options = options_of(__doc__, "size").parse_args()
    rows: list[Row] = []
    with corpus_of(options) as corpus:
        texts = list(texts_of(corpus))
        for seed in range(1, options.runs + 1):
            for words, path in texts:
                row = trial(firth_tool(), SKIP_GRAM, path, options, threads=options.threads, seed=seed)
                matrices = 2 * row["vocabulary"] * 4 * stride(SKIP_GRAM) / 1e6
                besides = None if row["peak_mb"] is None else row["peak_mb"] - matrices
                rows.append(row | {"words": words, "matrices_mb": matrices, "besides_mb": besides})
        publish(__doc__, options, corpus, rows, markdown(HEADER, lines(rows)))


if __name__ == "__main__":
    main()
