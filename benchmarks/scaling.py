"""Does another thread bring as much as the machine's memory allows?

    python benchmarks/scaling.py wiki-en-17m.txt.xz --threads 2

Beside each training runs a program that only gathers and changes random rows: as many, as long, in the order in
which the words of this text and their negatives come. Firth is to gain at least 95 % of what that gains.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from common import Row, corpus_of, markdown, median, number, of, options_of, publish, ratio
from machine import machine
from needs import Learnt
from tools import CBOW, SKIP_GRAM, firth_tool, trial

import firth

TARGET = 0.95
HEADER = [
    "model",
    "threads",
    "training s",
    "×",
    "rows M/s",
    "×",
    "Firth's gain of the rows'",
    "at least",
    "analogies %",
]


def thread_counts(most: int) -> list[int]:
    """1, 2, 4 ... and the most."""
    return sorted({1, most} | {1 << k for k in range(most.bit_length()) if 1 << k < most})


def lines(rows: Sequence[Row]) -> Iterator[list[str]]:
    for model, threads in dict.fromkeys((row["model"], row["threads"]) for row in rows):
        these, single = (of(rows, model=model, threads=count) for count in (threads, 1))
        seconds, speed = median(these, "training_seconds"), median(these, "rows")
        gain = ratio(median(single, "training_seconds"), seconds)
        most = ratio(speed, median(single, "rows"))
        told = [number(seconds), number(gain), number(speed and speed / 1e6, ".0f"), number(most)]
        yield [
            model,
            str(threads),
            *told,
            number(ratio(gain, most)),
            number(TARGET),
            number(median(these, "analogies"), ".1f"),
        ]


def main() -> None:
    options = options_of(__doc__, "scaling").parse_args()
    rows: list[Row] = []
    with corpus_of(options) as corpus, machine() as limits:
        encoded = firth.Corpus.read(corpus.path, cache=False)
        learnt = Learnt.of(encoded, SKIP_GRAM)
        for seed in range(1, options.runs + 1):
            for settings in (SKIP_GRAM, CBOW):
                for threads in thread_counts(options.threads):
                    row = trial(firth_tool(), settings, corpus.path, options, threads=threads, seed=seed)
                    rows.append(row | {"rows": limits.rows(learnt, settings, threads)})
        publish(__doc__, options, corpus, rows, markdown(HEADER, lines(rows)))


if __name__ == "__main__":
    main()
