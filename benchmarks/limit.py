"""How close does training come to what this machine can do?

    python benchmarks/limit.py wiki-en-17m.txt.xz

What a centre word needs is counted from the settings and the text (needs.py): multiply-adds, and rows that come
from memory and go back. What the machine can do is measured in the same run (machine.cpp): multiply-adds in
registers, and rows changed in the order of training. The limit is the longer of the two times, as if the other hid
behind it whole. "Aside" is the training time at d=16, where a row is one cache line: the share of the time that is
neither arithmetic nor long rows, but draws, windows, the logistic function and the text itself.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from common import Row, corpus_of, markdown, median, number, of, options_of, publish, ratio
from machine import machine
from needs import Learnt, Needs
from tools import MODELS, firth_tool, trial

import firth

SMALL = 16  # dimensions: a row is one cache line
HEADER = [
    "model",
    "contexts",
    "multiply-adds",
    "rows",
    "bytes",
    "arithmetic s",
    "rows s",
    "training s",
    "core to core ns",
    "of the limit",
    "of arithmetic + rows",
    "aside",
]


def lines(rows: Sequence[Row]) -> Iterator[list[str]]:
    for model in dict.fromkeys(row["model"] for row in rows):
        runs = of(rows, model=model)
        first = runs[0]
        seconds = median(runs, "training_seconds")
        arithmetic = first["centres"] * first["multiply_adds"] / (median(runs, "multiply_adds_per_second") or 1)
        memory = first["centres"] * first["rows"] / (median(runs, "rows_per_second") or 1)
        shares = [max(arithmetic, memory), arithmetic + memory, median(runs, "aside_seconds")]
        counted = [number(first[key], form) for key, form in COUNTED.items()]
        times = [number(each) for each in (arithmetic, memory, seconds)]
        times.append(number(median(runs, "handover"), ".0f"))
        yield [model, *counted, *times, *(number(ratio(share, seconds), ".0%") for share in shares)]


COUNTED = {"contexts": ".2f", "multiply_adds": ",.0f", "rows": ".2f", "bytes": ",.0f"}


def main() -> None:
    options = options_of(__doc__, "limit").parse_args()
    rows: list[Row] = []
    with corpus_of(options) as corpus, machine() as limits:
        learnt = Learnt.of(firth.Corpus.read(corpus.path, cache=False), MODELS[0])
        for seed in range(1, options.runs + 1):
            for settings in MODELS:
                needs, threads = Needs.of(learnt, settings), options.threads
                small = replace(settings, dim=SMALL)
                row, aside = (
                    trial(firth_tool(), each, corpus.path, options, threads=threads, seed=seed)
                    for each in (settings, small)
                )
                rows.append(
                    row
                    | {
                        "aside_seconds": aside["training_seconds"],
                        "centres": len(learnt.ids),
                        "contexts": learnt.contexts,
                        "multiply_adds": needs.multiply_adds,
                        "rows": needs.rows,
                        "bytes": 2 * needs.rows * needs.row_bytes,
                        "multiply_adds_per_second": limits.multiply_adds(threads),
                        "handover": limits.handover(),
                        "rows_per_second": limits.rows(learnt, settings, threads),
                    }
                )
        publish(__doc__, options, corpus, rows, markdown(HEADER, lines(rows)))


if __name__ == "__main__":
    main()
