"""What this machine can do of what word2vec needs, measured by machine.cpp, which is compiled here."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from common import run
from needs import Learnt, row_ids, stride
from tools import Settings

from firth import _core

SOURCE = Path(__file__).with_name("machine.cpp")
FLAGS = {
    "avx512": ["-mavx512f", "-mfma", "-mprefer-vector-width=512", "-DBYTES=64"],
    "avx2": ["-mavx2", "-mfma", "-DBYTES=32"],
    "plain": ["-DBYTES=16"],
}


@dataclass(frozen=True)
class Machine:
    """The program, and how long it measures."""

    program: Path
    seconds: float = 1.0

    def multiply_adds(self, threads: int) -> float:
        """A second, on so many threads together."""
        return float(run([self.program, "fma", str(self.seconds), str(threads)]).output)

    def handover(self) -> float | None:
        """Nanoseconds until one core sees what another has written; None where there is but one.

        Where rows are shared much depends on it, and on a virtual machine it may change from minute to minute.
        """
        alone = len(os.sched_getaffinity(0)) < 2
        return None if alone else float(run([self.program, "handover"]).output)

    def rows(self, learnt: Learnt, settings: Settings, threads: int) -> float:
        """A second, on so many threads together: rows loaded, changed and stored in the order of training."""
        ids = self.program.with_name("ids")
        row_ids(learnt, settings).tofile(ids)
        told = [str(each) for each in (threads, ids, 2 * len(learnt.vocab), stride(settings))]
        return float(run([self.program, "rows", str(self.seconds), *told]).output)


@contextmanager
def machine() -> Iterator[Machine]:
    """Compiled with the system's compiler ($CXX or c++), for the vector instructions that Firth uses here."""
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        program = Path(folder) / "machine"
        compiler = os.environ.get("CXX", "c++")
        flags = FLAGS[_core.instruction_set() or "plain"]
        run([compiler, "-O3", "-std=c++20", "-pthread", "-Wno-psabi", *flags, SOURCE, "-o", program])
        yield Machine(program)
