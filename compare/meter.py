"""CPU seconds and memory of this process and everything below it.  Linux, read from /proc.

The private clusters that a session opens are its descendants, daemons and JVM included, so the
tree is exactly what the comparison has to count.
"""

import threading
from contextlib import AbstractContextManager
from types import TracebackType
from typing import Self

import psutil


def tree_cpu_s() -> float:
    """User and system seconds of the process tree, ended and waited-for children included."""
    total = 0.0
    for process in _tree():
        try:
            times = process.cpu_times()
        except psutil.Error:
            continue  # ended since the tree was listed
        total += times.user + times.system + times.children_user + times.children_system
    return total


def tree_memory_bytes() -> int:
    """Sum of the proportional set sizes: a page shared by n processes counts 1/n in each."""
    total = 0
    for process in _tree():
        try:
            total += process.memory_full_info().pss
        except psutil.Error:
            continue
    return total


def host_cpu_s() -> tuple[float, float]:
    """Busy and stolen CPU seconds of the whole host since it was started."""
    times = psutil.cpu_times()
    # Guest time is contained in user time already.
    busy = times.user + times.nice + times.system + times.irq + times.softirq
    return busy, times.steal


class MemorySampler(AbstractContextManager["MemorySampler"]):
    """Samples the tree's memory in a thread and keeps the largest sum.

    One sample walks the page tables of every process in the tree (some milliseconds each), hence
    the long interval: at 2 s it takes under 1% of a core.
    """

    def __init__(self, interval_s: float = 2.0) -> None:
        self._interval_s = interval_s
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._sample, daemon=True)
        self.peak_bytes = 0

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stop.set()
        self._thread.join()

    def _sample(self) -> None:
        while True:
            stopped = self._stop.wait(self._interval_s)
            # The last sample is taken after the clock stopped: short cases have one, too.
            self.peak_bytes = max(self.peak_bytes, tree_memory_bytes())
            if stopped:
                return


def _tree() -> list[psutil.Process]:
    own = psutil.Process()
    return [own, *own.children(recursive=True)]
