"""Threads around the native loop, and how they are stopped.

The loop itself is in C++ and knows no Python: a thread here lends it a core without the GIL, while the calling
thread looks up ten times a second, reports, and listens for Ctrl-C.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

POLL_SECONDS = 0.1
AT_ONCE, AFTER_BLOCK = (
    1,
    2,
)  # what the stop flag tells the loop: to leave at the next window, before the next block


class Job(Protocol):
    """Something to do until it is done, or the flag tells otherwise."""

    def __call__(self, *, stop: NDArray[np.int32]) -> None:
        """Do it."""


class Crew:
    """Threads that do a job each, until it is done or they are told to leave it."""

    def __init__(self, jobs: Sequence[Job]):
        self.stop = np.zeros(1, dtype=np.int32)
        self.done = False
        self.failures: list[BaseException] = []
        self.change = threading.Condition()  # guards the next two
        self.at_work, self.to_come = 0, len(jobs)
        self.threads = [threading.Thread(target=self._do, args=(job,)) for job in jobs]

    def _do(self, job: Job) -> None:
        with self.change:
            self.to_come -= 1
            if self.stop[0]:
                return
            self.at_work += 1
        try:
            job(stop=self.stop)
        except BaseException as failure:
            self.failures.append(failure)
            self.stop[0] = AT_ONCE
        finally:
            with self.change:
                self.at_work -= 1
                self.change.notify()

    def work(self, report: Callable[[], bool], *, interrupted: int) -> bool:
        """Start the threads and watch them; true when their work is done, false when `report` made them rest.

        None of them touches anything when this returns, however it does; after a KeyboardInterrupt they leave as
        `interrupted` says. That is counted here: a Thread.join that Ctrl-C interrupts takes the thread for ended
        (CPython 3.11).
        """
        leave = AT_ONCE
        try:
            for thread in self.threads:
                thread.start()
            while not self.done:
                self.done = self._ended(POLL_SECONDS)
                if not self.done and report():
                    leave = AFTER_BLOCK
                    break
        except KeyboardInterrupt:
            leave = interrupted
            raise
        finally:
            self._leave(leave)
        if self.failures:
            raise self.failures[0]
        return self.done

    def _ended(self, seconds: float) -> bool:
        with self.change:
            return self.change.wait_for(lambda: not (self.at_work or self.to_come), seconds)

    def _leave(self, when: int) -> None:
        try:
            with self.change:
                self.stop[0] = when  # who comes after this turns back
                self.change.wait_for(lambda: not self.at_work)
        except KeyboardInterrupt:  # again
            with self.change:
                self.stop[0] = AT_ONCE
                self.change.wait_for(lambda: not self.at_work)
            raise
