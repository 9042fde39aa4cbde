"""CPU seconds and memory of this process and all its descendants.  Linux, read from /proc.

The private clusters that a session opens are its descendants, including daemons and JVM, so the
tree contains exactly what the comparison has to count.
"""

import threading
import time
from collections import defaultdict
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass
from types import TracebackType
from typing import Self

import psutil

from compare.measure import clock

_WAIT_S = 0.25
_MOST_WAITS = 20
_WATCH_S = 0.3
"""Between two readings of ``CpuWatch``: with 20 processes, one takes 3 ms."""
_LONG_S = 0.5
_IDLE_CORES = 0.15
"""Busy cores; the kernel counts in hundredths of a second."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Seen:
    """A process at one reading."""

    own_s: float = 0.0
    waited_s: float = 0.0
    """CPU seconds of its children that ended and that it waited for."""
    parent: int = 0


class _CpuCounter:
    """Adds up the CPU time that the processes of the tree used between readings.

    When a process ends, its time goes to the parent that waits for it.  If no parent waits, as with
    Ray's workers, the tree loses this time.  The counter therefore keeps the time that it has seen
    of each process, and does not count it again if a parent receives it.  ``CpuWatch`` lets it see
    processes that begin and end between two other readings.
    """

    def __init__(self) -> None:
        self._total_s = 0.0
        self._seen: dict[psutil.Process, _Seen] = {}
        self._lock = threading.Lock()

    def read(self) -> float:
        with self._lock:
            return self._read()

    def _read(self) -> float:
        now: dict[psutil.Process, _Seen] = {}
        for process in _tree():
            with suppress(psutil.Error), process.oneshot():  # ended since the tree was listed
                times = process.cpu_times()
                now[process] = _Seen(
                    own_s=times.user + times.system,
                    waited_s=times.children_user + times.children_system,
                    parent=process.ppid(),
                )
        handed_on_s = self._handed_on_s(now)
        for process, seen in now.items():
            before = self._seen.get(process, _Seen())
            waited_s = seen.waited_s - before.waited_s - handed_on_s[process.pid]
            self._total_s += seen.own_s - before.own_s + max(0.0, waited_s)
        self._seen = now
        return self._total_s

    def _handed_on_s(self, now: Mapping[psutil.Process, _Seen]) -> Mapping[int, float]:
        """Time already counted for ended processes, by the ancestor that may have received it."""
        gone = {process.pid: seen for process, seen in self._seen.items() if process not in now}
        handed_on_s: defaultdict[int, float] = defaultdict(float)
        for seen in gone.values():
            ancestor = seen.parent
            while ancestor in gone:
                ancestor = gone[ancestor].parent
            handed_on_s[ancestor] += seen.own_s + seen.waited_s
        return handed_on_s


_cpu = _CpuCounter()


def tree_cpu_s() -> float:
    """User and system seconds of the process tree so far, including ended processes."""
    return _cpu.read()


def tree_sizes() -> tuple[int, int, int]:
    """Bytes, processes and threads of the tree.

    Bytes are the sum of the proportional set sizes: a page that n processes share counts 1/n in
    each.
    """
    total = processes = threads = 0
    for process in _tree():
        try:
            total += process.memory_full_info().pss
            threads += process.num_threads()
            processes += 1
        except psutil.Error:
            continue  # ended since the tree was listed
    return total, processes, threads


def host_cpu_s() -> tuple[float, float]:
    """Busy and stolen CPU seconds of the whole host since it was started."""
    times = psutil.cpu_times()
    # Guest time is contained in user time already.
    busy = times.user + times.nice + times.system + times.irq + times.softirq
    return busy, times.steal


def host_busy_s() -> float:
    """Busy CPU seconds of the whole host since it was started."""
    return host_cpu_s()[0]


def wait_until_idle(busy_s: Callable[[], float] = tree_cpu_s) -> None:
    """Wait until what ``busy_s`` counts is almost idle, but at most some seconds.

    After a measurement, workers may still start or end, and a JVM may still compile.  There is no
    point in waiting for other programs: they end when they end.
    """
    for _ in range(_MOST_WAITS):
        before_s = busy_s()
        time.sleep(_WAIT_S)
        if (busy_s() - before_s) / _WAIT_S < _IDLE_CORES:
            return


class CpuWatch(AbstractContextManager["CpuWatch"]):
    """Reads the CPU time of the tree in a thread, while something is timed that takes long.

    Some engines start and end their workers within one batch.  What is timed for less than half a
    second is never disturbed.
    """

    def __init__(self) -> None:
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

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

    def _watch(self) -> None:
        while not self._stop.wait(_WATCH_S):
            if clock.timed_for_s() > _LONG_S:
                tree_cpu_s()


class TreeSampler(AbstractContextManager["TreeSampler"]):
    """Samples the tree's sizes in a thread and keeps the largest of each.

    The interval is long because one sample walks the page tables of every process in the tree (some
    milliseconds each): at 2 s it takes less than 1% of a core.
    """

    def __init__(self, interval_s: float = 2.0) -> None:
        self._interval_s = interval_s
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._sample, daemon=True)
        self.peak_bytes = self.peak_processes = self.peak_threads = 0

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
            # The last sample is taken after the clock stopped, so that short cases have one, too.
            sizes = tree_sizes()
            self.peak_bytes = max(self.peak_bytes, sizes[0])
            self.peak_processes = max(self.peak_processes, sizes[1])
            self.peak_threads = max(self.peak_threads, sizes[2])
            if stopped:
                return


def _tree() -> list[psutil.Process]:
    own = psutil.Process()
    return [own, *own.children(recursive=True)]
