"""A mapped text larger than memory: its pages come just before they are learnt, and go when they have been."""

from __future__ import annotations

import mmap
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from firth._core import read_ahead
from firth.crew import Job


def readers_ahead(
    ids: NDArray[np.uint32],
    offsets: NDArray[np.uint64],
    *,
    seed: int,
    epoch: int,
    in_rounds: bool,
    next_block: NDArray[np.uint64],
) -> list[Job]:
    """While an epoch is learnt, have what comes next read from the disk; nobody need where it is in memory."""
    if _file(ids) is None:
        return []
    return [partial(read_ahead, ids, offsets, seed=seed, epoch=epoch, in_rounds=in_rounds, next_block=next_block)]


def _file(array: NDArray[Any]) -> mmap.mmap | None:
    """The mapped file that an array lies in; None for memory, and for what is mapped to be written."""
    base: Any = array
    while isinstance(base, np.ndarray):
        base = base.base
    return base if isinstance(base, mmap.mmap) and not array.flags.writeable else None
