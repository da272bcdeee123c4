"""Room for large arrays: memory as far as it was granted, then mapped files; and threads that work on them."""

from __future__ import annotations

import os
import weakref
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from firth.corpus.storage import scratch, unwritable

Result = TypeVar("Result")
Array = NDArray[Any]


class Workspace:
    """Gives arrays, in memory while they need less than `memory` bytes together, then in files of a folder.

    Those live on after the folder is gone, as long as they are used.
    """

    def __init__(self, folder: Path, memory: int, threads: int):
        self.folder, self.memory, self.threads = folder, memory, threads
        self.used, self.files = 0, 0

    def array(self, size: int, dtype: type[np.generic]) -> Array:
        """An array of zeros; raises `CorpusError` where the disk is full."""
        count = size * np.dtype(dtype).itemsize
        if not self._takes(count):
            return self._mapped(lambda file: _reserve(file, count), size, dtype)
        return self._counted(np.zeros(size, dtype))

    def keep(self, arrays: Sequence[Array]) -> list[Array]:
        """The same arrays, all of one dtype, moved to a file where memory has no room for them."""
        count = sum(array.nbytes for array in arrays)
        if self._takes(count):
            return [self._counted(array) for array in arrays]

        def write(file: int) -> None:
            for array in arrays:
                rest = array.view(np.uint8).data
                while rest:
                    rest = rest[os.write(file, rest) :]

        ends = np.cumsum([len(array) for array in arrays])
        return np.split(self._mapped(write, int(ends[-1]), arrays[0].dtype.type), ends[:-1])

    def run(self, tasks: Sequence[Callable[[], Result]]) -> list[Result]:
        """The results of all tasks, done by the threads of this workspace."""
        return run(tasks, self.threads)

    def _takes(self, count: int) -> bool:
        return self.used + count <= self.memory

    def _counted(self, array: Array) -> Array:
        def forget(count: int) -> None:
            self.used -= count

        self.used += array.nbytes
        weakref.finalize(array, forget, array.nbytes)
        return array

    def _mapped(self, write: Callable[[int], None], size: int, dtype: type[np.generic]) -> Array:
        path = self.folder / f"array{self.files}"
        self.files += 1
        if not size:
            return np.zeros(0, dtype)
        try:
            file = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
            try:
                write(file)
            finally:
                os.close(file)
        except OSError as error:
            raise unwritable(self.folder, error) from error
        return np.asarray(np.memmap(path, dtype, mode="r+", shape=(size,)))


def run(tasks: Sequence[Callable[[], Result]], threads: int) -> list[Result]:
    """The results of all tasks. An interrupt is passed on when those at work have ended, and no other begins."""
    if len(tasks) == 1:
        return [tasks[0]()]
    with ThreadPoolExecutor(threads) as pool:
        futures = [pool.submit(task) for task in tasks]
        try:
            return [future.result() for future in futures]
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise


@contextmanager
def workspace(memory: int, threads: int) -> Iterator[Workspace]:
    """A workspace whose files lie in a temporary folder (TMPDIR names another place for it)."""
    with scratch() as folder:
        yield Workspace(folder, memory, threads)


def _reserve(file: int, count: int) -> None:
    # A full disk is an error here; later, where the map is written to, it would be the end of the process.
    if hasattr(os, "posix_fallocate"):
        os.posix_fallocate(file, 0, max(count, 1))
    else:
        os.truncate(file, count)
