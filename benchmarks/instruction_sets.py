"""Is Firth ahead of gensim on every set of vector instructions that this machine runs?

    python benchmarks/instruction_sets.py wiki-en-17m.txt.xz

FIRTH_ISA picks the set; gensim takes what its own build and its BLAS find.
"""

from __future__ import annotations

import sys

from common import corpus_of, markdown, options_of, publish, run
from machine import machine
from speed import times_as_fast
from tools import CBOW, SKIP_GRAM, Tool, firth_tool, gensim_tool, trials

SETS = ("avx512", "avx2", "plain")
HEADER = ["model", "tool", "training s", "times as fast as gensim", "analogies %"]


def sets_here() -> list[str]:
    """Those that run on this machine."""
    asking = "from firth import _core; print(_core.instruction_set())"
    asked = {name: run([sys.executable, "-c", asking], environment={"FIRTH_ISA": name}) for name in SETS}
    return [name for name, answer in asked.items() if answer.output.strip() == name]


def main() -> None:
    options = options_of(__doc__, "instruction_sets").parse_args()
    tools: list[Tool] = [firth_tool(f"firth, {name}", FIRTH_ISA=name) for name in sets_here()]
    with corpus_of(options) as corpus, machine() as limits:
        runs = trials([*tools, *gensim_tool()], (SKIP_GRAM, CBOW), corpus, options)
        rows = [row | {"handover": limits.handover()} for row in runs]
        publish(__doc__, options, corpus, rows, markdown(HEADER, times_as_fast(rows, "gensim")))


if __name__ == "__main__":
    main()
