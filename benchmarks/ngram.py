"""How fast are n-gram models made? From text to an ARPA file, beside lmplz if its binary is given.

    python benchmarks/ngram.py wiki.txt --order 5 --lmplz kenlm/build/bin/lmplz --compare

Each run is a process of its own, ours and theirs in turn, and ours takes nothing from a cache. Prints a Markdown
table of medians; --compare reads both files into memory and tells the greatest difference of their numbers.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

OURS = """
import json, sys, time
from firth import lm
from firth.corpus import Corpus
text, out, order, threads = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
times = [time.perf_counter()]
corpus = Corpus.read(text)
times.append(time.perf_counter())
model = lm.NGram(order=order, threads=threads).fit(text, progress=False)
times.append(time.perf_counter())
model.save(out)
times.append(time.perf_counter())
print(json.dumps([len(corpus.ids), *times]))
"""
Row = tuple[float, float, float, float]  # seconds: reading, counting and estimation, writing, all


def ours(text: str, out: Path, order: int, threads: int) -> tuple[int, Row]:
    with tempfile.TemporaryDirectory() as cache:
        result = subprocess.run(
            [sys.executable, "-c", OURS, text, out, str(order), str(threads)],
            env={**os.environ, "FIRTH_CACHE": cache},
            stdout=subprocess.PIPE,
            check=True,
        )
    words, *at = json.loads(result.stdout)
    return words, (at[1] - at[0], at[2] - at[1], at[3] - at[2], at[3] - at[0])


def lmplz(binary: str, text: str, out: Path, order: int) -> float:
    command = [binary, "-o", str(order), "--text", text, "--arpa", str(out), "-T", f"{out.parent}/"]
    began = time.perf_counter()
    subprocess.run(command, stderr=subprocess.DEVNULL, check=True)
    return time.perf_counter() - began


def numbers(path: Path) -> dict[str, tuple[float, ...]]:
    """What stands behind each n-gram of an ARPA file."""
    rows = (line.rstrip("\n").split("\t") for line in path.open(encoding="utf-8", errors="surrogateescape"))
    return {row[1]: (float(row[0]), float(row[2]) if len(row) > 2 else 0.0) for row in rows if len(row) > 1}


def apart(first: Path, second: Path) -> float:
    one, two = numbers(first), numbers(second)
    if one.keys() != two.keys():
        raise SystemExit(f"the files hold other n-grams, as {next(iter(one.keys() ^ two.keys()))!r}")
    return max(abs(a - b) for gram, pair in one.items() for a, b in zip(pair, two[gram], strict=True))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("text", help="plain text, a sentence a line")
    parser.add_argument("--order", type=int, default=5)
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--lmplz", metavar="PATH", help="the binary to run beside")
    parser.add_argument("--compare", action="store_true", help="compare the numbers, too")
    options = parser.parse_args()

    rows: list[Row] = []
    theirs: list[float] = []
    with tempfile.TemporaryDirectory() as folder:
        out, other = Path(folder) / "ours.arpa", Path(folder) / "lmplz.arpa"
        for _ in range(options.runs):
            words, row = ours(options.text, out, options.order, options.threads)
            rows.append(row)
            if options.lmplz:
                theirs.append(lmplz(options.lmplz, options.text, other, options.order))
        difference = apart(out, other) if options.lmplz and options.compare else None

    reading, making, writing, whole = (statistics.median(column) for column in zip(*rows, strict=True))
    print(f"{words:,} words, order {options.order}, {options.threads} threads, medians of {options.runs} runs\n")
    print("| | seconds | M words/s |\n|---|---|---|")
    for name, seconds in (
        ("reading and encoding the text", reading),
        ("counting and estimation", making),
        ("writing the ARPA file", writing),
        ("all of it", whole),
    ):
        print(f"| {name} | {seconds:.2f} | {words / seconds / 1e6:.2f} |")
    if theirs:
        seconds = statistics.median(theirs)
        print(f"| lmplz, all of it | {seconds:.2f} | {words / seconds / 1e6:.2f} |")
        print(f"\nlmplz takes {seconds / whole:.1f} times as long.")
    if difference is not None:
        print(f"The numbers of the two files are at most {difference:.1e} apart.")


if __name__ == "__main__":
    main()
