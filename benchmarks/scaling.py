"""Does another thread bring as much as the machine's memory allows?

    python benchmarks/scaling.py wiki-en-17m.txt.xz --threads 2

Beside each training runs a program that only gathers and changes random rows: as many, as long, in the order in
which the words of this text and their negatives come. Firth is to gain at least 95 % of what that gains, in the
median of the runs, each compared within itself. Both depend on how long a row takes from core to core, which is
measured too: on a virtual machine it may change, and runs that lie on both sides of a change say nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from common import Row, corpus_of, markdown, median, number, of, options_of, publish
from machine import machine
from needs import Learnt
from tools import CBOW, SKIP_GRAM, firth_tool, trial

import firth

TARGET = 0.95
HEADER = ["model", "threads", "training s", "×", "rows/s", "×", "core to core ns", "share of the rows' gain"]
HEADER += ["at least", "analogies %"]


def thread_counts(most: int) -> list[int]:
    """1, 2, 4 ... and the most."""
    return sorted({1, most} | {1 << k for k in range(most.bit_length()) if 1 << k < most})


def gains(rows: Sequence[Row]) -> Iterator[Row]:
    """Each run with its gain over the same run on one thread, and with its share of what the rows gained."""
    for row in rows:
        (single,) = of(rows, model=row["model"], seed=row["seed"], threads=1)
        gain, most = single["training_seconds"] / row["training_seconds"], row["rows"] / single["rows"]
        yield row | {"gain": gain, "most": most, "share": gain / most}


def lines(rows: Sequence[Row]) -> Iterator[list[str]]:
    for model, threads in dict.fromkeys((row["model"], row["threads"]) for row in rows):
        runs = of(rows, model=model, threads=threads)
        figures = [
            number(median(runs, key), form)
            for key, form in (
                ("training_seconds", ".2f"),
                ("gain", ".2f"),
                ("rows", ".3g"),
                ("most", ".2f"),
                ("handover", ".0f"),
                ("share", ".2f"),
            )
        ]
        yield [model, str(threads), *figures, number(TARGET), number(median(runs, "analogies"), ".1f")]


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
                    speed, handover = limits.rows(learnt, settings, threads), limits.handover()
                    rows.append(row | {"rows": speed, "handover": handover})
        rows = list(gains(rows))
        publish(__doc__, options, corpus, rows, markdown(HEADER, lines(rows)))


if __name__ == "__main__":
    main()
