"""A mapped text larger than memory: its pages come just before they are learnt, and go when they have been."""

from __future__ import annotations

import mmap
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
from numpy.typing import NDArray

from firth._core import read_ahead


@contextmanager
def reading_ahead(
    ids: NDArray[np.uint32],
    offsets: NDArray[np.uint64],
    *,
    seed: int,
    epoch: int,
    in_rounds: bool,
    next_block: NDArray[np.uint64],
) -> Iterator[None]:
    """While an epoch is learnt, have what comes next read from the disk; to no effect where it is in memory."""
    if _file(ids) is None:
        yield
        return
    stop = np.zeros(1, dtype=np.int32)
    settings: dict[str, Any] = {"seed": seed, "epoch": epoch, "in_rounds": in_rounds}
    settings |= {"next_block": next_block, "stop": stop}
    thread = threading.Thread(target=read_ahead, args=(ids, offsets), kwargs=settings)
    try:
        thread.start()  # within: Ctrl-C may come at any moment, and who is not told to stop never ends
        yield
    finally:
        stop[0] = 1
        if thread.is_alive():
            thread.join()


def _file(array: NDArray[Any]) -> mmap.mmap | None:
    """The mapped file that an array lies in; None for memory, and for what is mapped to be written."""
    base: Any = array
    while isinstance(base, np.ndarray):
        base = base.base
    return base if isinstance(base, mmap.mmap) and not array.flags.writeable else None
