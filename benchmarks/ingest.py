"""How fast does text become ids?

    python benchmarks/ingest.py wiki-en-17m.txt.xz --word2vec-c ./word2vec

Firth counts and encodes in one go, splitting at white space and checking UTF-8, and keeps the ids on disk; gensim
and word2vec.c count alone. Each is given one core, then all. A .xz and a .gz of the same text are read beside
what decompresses them, alone: Firth's choice of it, and Python's own (zlib and liblzma).
"""

from __future__ import annotations

import gzip
import json
import lzma
import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from common import Corpus, Finished, Row, corpus_of, markdown, median, number, of, options_of, publish, ratio, run
from tools import STEP, add_word2vec_c, installed

TARGET = 150  # MB/s a core
ALONE = {"decompress-firth": "of its decompressor alone", "decompress-python": "of Python's alone"}
HEADER = ["tool", "text", "cores", "s", "MB/s", "MB/s a core", "at least", *ALONE.values()]
Measure = Callable[[Path, int], float]


def step(name: str) -> Measure:
    """Seconds of a step of step.py."""

    def measure(text: Path, cores: int) -> float:
        with tempfile.TemporaryDirectory(prefix="bench-") as folder:
            needed = [folder, f"threads={cores}"] if name == "encode-firth" else []
            done: Finished = run([sys.executable, STEP, name, text, *needed], cores=cores)
        seconds: float = json.loads(done.output)["seconds"]
        return seconds

    return measure


def counting(binary: str) -> Measure:
    """Seconds of the whole command: without an output file word2vec.c does nothing but count."""

    def measure(text: Path, cores: int) -> float:
        with tempfile.NamedTemporaryFile() as vocabulary:
            return run([binary, "-train", text, "-save-vocab", vocabulary.name], cores=cores).seconds

    return measure


def compressed(path: Path) -> list[Path]:
    """The text as .gz and as .xz, quickly compressed: that changes how fast they are read but little."""
    packed = [path.with_name(path.name + suffix) for suffix in (".gz", ".xz")]
    with path.open("rb") as file, gzip.open(packed[0], "wb") as out:
        shutil.copyfileobj(file, out, 1 << 20)
    with path.open("rb") as file, lzma.open(packed[1], "wb", preset=1) as out:
        shutil.copyfileobj(file, out, 1 << 20)
    return packed


def lines(rows: Sequence[Row], corpus: Corpus) -> Iterator[list[str]]:
    for tool, text, cores in dict.fromkeys((row["tool"], row["text"], row["cores"]) for row in rows):
        runs = of(rows, tool=tool, text=text, cores=cores)
        seconds = median(runs, "seconds")
        speed = ratio(corpus.bytes / 1e6, seconds)
        plain = tool == "firth" and text == "plain"
        alone = [median(of(rows, tool=each, text=text, cores=cores), "seconds") for each in ALONE]
        shares = [number(None if tool in ALONE else ratio(each, seconds), ".0%") for each in alone]
        figures = [number(seconds), number(speed, ".0f"), number(ratio(speed, cores), ".0f")]
        yield [tool, text, str(cores), *figures, number(TARGET if plain else None, "g"), *shares]


def main() -> None:
    parser = options_of(__doc__, "ingest")
    add_word2vec_c(parser)
    options = parser.parse_args()
    tools = {"firth": step("encode-firth")}
    if installed("gensim"):
        tools["gensim"] = step("count-gensim")
    if options.word2vec_c:
        tools["word2vec.c"] = counting(options.word2vec_c)
    rows: list[Row] = []
    with corpus_of(options) as corpus:
        read = [(name, measure, corpus.path) for name, measure in tools.items()]
        for path in compressed(corpus.path):
            read.append(("firth", tools["firth"], path))
            read += [(name, step(name), path) for name in ALONE]
        for _ in range(options.runs):
            for name, measure, path in read:
                for cores in sorted({1, options.threads, os.cpu_count() or 1}):
                    kind = "plain" if path == corpus.path else path.suffix
                    row = {"tool": name, "text": kind, "cores": cores, "seconds": measure(path, cores)}
                    print(row, file=sys.stderr, flush=True)
                    rows.append(row)
        publish(__doc__, options, corpus, rows, markdown(HEADER, lines(rows, corpus)))


if __name__ == "__main__":
    main()
