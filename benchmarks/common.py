"""What all benchmarks share: options, commands and what these cost, the text, the machine, tables and JSON."""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import statistics
import subprocess
import tempfile
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from firth import _core, demo
from firth.files import open_binary

Row = dict[str, Any]


def options_of(description: str | None, name: str) -> argparse.ArgumentParser:
    """A parser with the options that every benchmark has."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "text", type=Path, nargs="?", help="a line is a sentence; without it the text of `firth demo`"
    )
    parser.add_argument("--words", type=int, help="use the first so many words of the text")
    parser.add_argument("--eval", type=Path, help="folder that holds questions-words.txt, to tell the quality")
    parser.add_argument("--runs", type=int, default=3, help="of which medians are told (default: 3)")
    parser.add_argument("--threads", type=int, default=min(2, os.cpu_count() or 1), help="(default: 2)")
    parser.add_argument(
        "--json", type=Path, default=Path("out/bench") / f"{name}.json", help="(default: %(default)s)"
    )
    return parser


@dataclass(frozen=True)
class Corpus:
    """The text of a benchmark as a plain file, which all tools can read."""

    name: str
    path: Path
    words: int
    bytes: int


@contextmanager
def corpus_of(options: argparse.Namespace) -> Iterator[Corpus]:
    """The text that the options name, in a temporary folder."""
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        path = Path(folder) / "text.txt"
        source = options.text
        if source is None:
            source = Path(folder) / "library.txt"
            demo.write_text(source)
        words = write_beginning(source, path, options.words)
        name = options.text.name if options.text else "the texts of Python's standard library"
        yield Corpus(name, path, words, path.stat().st_size)


def write_beginning(source: Path, path: Path, words: int | None = None) -> int:
    """Write the first words of a text, to the end of a line, as a plain file; returns how many they are."""
    written = 0
    with open_binary(source) as file, path.open("wb") as out:
        for line in file:
            out.write(line)
            written += len(line.split())
            if words is not None and written >= words:
                break
    return written


@dataclass(frozen=True)
class Finished:
    """What a command printed and cost."""

    output: str
    seconds: float  # from its start to its end
    peak_mb: float | None  # of resident memory; None where this process itself has had more, which hides it


def run(
    command: Sequence[str | Path], *, environment: Mapping[str, str] | None = None, cores: int | None = None
) -> Finished:
    """Run a command, on the first so many cores if given; raises `RuntimeError` with its words where it fails."""

    def confine() -> None:
        if cores is not None:
            os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:cores])

    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        began = time.perf_counter()
        process = subprocess.Popen(
            [str(part) for part in command],
            stdout=out,
            stderr=err,
            env={**os.environ, **(environment or {})},
            preexec_fn=confine if cores else None,
        )
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - began
        process.returncode = os.waitstatus_to_exitcode(status)
        out.seek(0), err.seek(0)
        output, complaint = (each.read().decode(errors="replace") for each in (out, err))
    if process.returncode:
        raise RuntimeError(f"{' '.join(map(str, command))}\nfailed with {process.returncode}: {output}{complaint}")
    own = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss  # a child begins with its parent's peak
    unit = 1 if platform.system() == "Darwin" else 1024
    return Finished(output, seconds, usage.ru_maxrss * unit / 1e6 if usage.ru_maxrss > own else None)


def median(rows: Iterable[Row], key: str) -> float | None:
    """The median of a number over the runs that know it; None where none does."""
    found = [row[key] for row in rows if row.get(key) is not None]
    return statistics.median(found) if found else None


def mean(rows: Iterable[Row], key: str) -> str:
    """The mean of a number over the runs that know it, its standard deviation behind ±, for a table."""
    found = [row[key] for row in rows if row.get(key) is not None]
    if not found:
        return "–"
    return f"{statistics.mean(found):.1f}" + (f" ± {statistics.stdev(found):.1f}" if len(found) > 1 else "")


def number(value: float | None, form: str = ".2f") -> str:
    """A number for a table, a dash where there is none."""
    return "–" if value is None else format(value, form)


def ratio(above: float | None, below: float | None) -> float | None:
    """One number over another, where both are known."""
    return None if above is None or not below else above / below


def of(rows: Iterable[Row], **wanted: object) -> list[Row]:
    """The rows that hold these values."""
    return [row for row in rows if all(row[key] == value for key, value in wanted.items())]


def markdown(header: Sequence[str], lines: Iterable[Sequence[str]]) -> str:
    """A Markdown table."""
    rule = ["---"] * len(header)
    return "\n".join(f"| {' | '.join(cells)} |" for cells in (header, rule, *lines))


def publish(
    question: str | None, options: argparse.Namespace, corpus: Corpus, rows: Sequence[Row], table: str
) -> None:
    """Print the table and what it was measured on, and write both with every run to JSON."""
    title = (question or "").split("\n")[0]
    text = {"name": corpus.name, "words": corpus.words, "bytes": corpus.bytes}
    machine, versions = hardware(), software()
    record = {
        "question": title,
        "hardware": machine,
        "software": versions,
        "corpus": text,
        "options": {key: str(value) for key, value in vars(options).items() if value is not None},
        "runs": list(rows),
        "table": table,
    }
    options.json.parent.mkdir(parents=True, exist_ok=True)
    options.json.write_text(json.dumps(record, indent=1) + "\n")
    named = ", ".join(f"{name} {each}" for name, each in versions.items() if each)
    print(
        f"## {title}\n\n{table}\n\n"
        f"{corpus.words:,} words of {corpus.name}; medians of {options.runs} runs in turn. {machine['cpu']}, "
        f"{machine['cores']} cores, {machine['memory_gb']} GB, {machine['instruction_set']}; {named}."
        f"{mood(rows)}\n",
        flush=True,
    )


def mood(rows: Sequence[Row]) -> str:
    """The state of the machine during the runs, where they tell it: of a virtual one it changes."""
    waits = [row["handover"] for row in rows if row.get("handover")]
    if not waits:
        return ""
    alone = "" if max(waits) < 10_000 else "; other processes were busy, measure alone"
    return f" What a core has written another saw after {min(waits):,.0f} to {max(waits):,.0f} ns{alone}."


def hardware() -> dict[str, Any]:
    """The machine that the figures hold for."""
    return {
        "cpu": _cpu(),
        "architecture": platform.machine(),
        "cores": os.cpu_count(),
        "memory_gb": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9, 1),
        "instruction_set": _core.instruction_set(),
        "system": platform.platform(),
    }


def _cpu() -> str:
    info = Path("/proc/cpuinfo")
    names = (
        [line.split(":", 1)[1] for line in info.read_text().splitlines() if line.startswith("model name")]
        if (info.exists())
        else []
    )
    return names[0].strip() if names else platform.processor() or "unknown processor"


def software() -> dict[str, str | None]:
    """Versions of what takes part; None for what is not installed."""
    return {"Python": platform.python_version()} | {
        name: _version(name) for name in ("firth", "numpy", "gensim", "fasttext")
    }


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None
