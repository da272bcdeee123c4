"""How much memory training needs, and how much there is."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from firth.errors import TrainingError
from firth.objectives import HierarchicalSoftmax, Objective
from firth.vocab import Vocabulary
from firth.weights import padded

FIXED = 100_000_000  # bytes: the interpreter, numpy, threads and what they work on
WORD = 250  # bytes: a word as a string, in the index, its count, thresholds and draws
TREE_WORD = 20  # bytes besides, while the Huffman tree is built: a step up, and the weights it is found from


def needed(vocab: Vocabulary, dim: int, objective: Objective) -> int:
    """Bytes that training takes at its most: both matrices, the vocabulary, and a fixed part.

    The encoded text is mapped and does not count: the system drops its pages when others need the room.
    """
    rows = len(vocab) + objective.output_rows(vocab)
    word = WORD + (TREE_WORD if isinstance(objective, HierarchicalSoftmax) else 0)
    return FIXED + rows * padded(dim) * 4 + len(vocab) * word


def check(vocab: Vocabulary, dim: int, objective: Objective) -> None:
    """Raise `TrainingError` where training would need more memory than there is."""
    need, free = needed(vocab, dim, objective), available()
    # What this process holds already, the interpreter for one, is a part of the need.
    if free is not None and need > free + resident():
        raise TrainingError(
            f"{len(vocab):,} words of dim={dim} need {need / 1e9:,.2f} GB of memory, "
            f"and {free / 1e9:,.2f} GB are free; "
            "lower dim, or the number of words with min_count or max_size"
        )


def available() -> int | None:
    """Bytes that can still be had: of the machine, and of each control group around the process."""
    limits = [
        free for free in (_machine(), *map(_group_v2, _groups()), *map(_group_v1, _groups())) if free is not None
    ]
    return min(limits, default=None)


def resident() -> int:
    """Bytes that the process has in memory now, without mapped files."""
    with suppress(OSError, ValueError, IndexError):
        pages = Path("/proc/self/statm").read_text().split()
        return (int(pages[1]) - int(pages[2])) * os.sysconf("SC_PAGE_SIZE")
    return 0


def _machine() -> int | None:
    with suppress(OSError, ValueError):
        for line in Path("/proc/meminfo").read_text().splitlines():
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) * 1024
    return None


def _groups() -> list[Path]:
    """The paths of the process's memory control groups, and of those around them."""
    with suppress(OSError, ValueError):
        found: set[Path] = set()
        for line in Path("/proc/self/cgroup").read_text().splitlines():
            _, kinds, path = line.split(":", 2)
            if kinds == "" or "memory" in kinds.split(","):
                group = Path(path.strip("/"))
                found |= {group, *group.parents}
        return sorted(found)
    return []


def _group_v2(path: Path) -> int | None:
    return _free(Path("/sys/fs/cgroup") / path, "memory.max", "memory.current", ("inactive_file", "active_file"))


def _group_v1(path: Path) -> int | None:
    folder = Path("/sys/fs/cgroup/memory") / path
    return _free(
        folder, "memory.limit_in_bytes", "memory.usage_in_bytes", ("total_inactive_file", "total_active_file")
    )


def _free(folder: Path, limit: str, usage: str, reclaimable: tuple[str, str]) -> int | None:
    """The limit less what is used, but for the pages of files, which give way."""
    with suppress(OSError, ValueError):
        most = int((folder / limit).read_text())  # "max" is none
        stat = dict(line.split() for line in (folder / "memory.stat").read_text().splitlines())
        return most - int((folder / usage).read_text()) + sum(int(stat.get(name, 0)) for name in reclaimable)
    return None
