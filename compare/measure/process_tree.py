"""CPU seconds and memory of this process and everything below it.  Linux, read from /proc.

The private clusters that a session opens are its descendants, daemons and JVM included, so the
tree is exactly what the comparison has to count.
"""

import threading
import time
from collections import defaultdict
from collections.abc import Mapping
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass
from types import TracebackType
from typing import Self

import psutil

_WAIT_S = 0.25
_MOST_WAITS = 20
_IDLE_CORES = 0.15
"""Busy cores of the whole host; the kernel counts in hundredths of a second."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Seen:
    """A process at one reading."""

    own_s: float = 0.0
    waited_s: float = 0.0
    """Of its children that ended and that it waited for."""
    parent: int = 0


class _CpuCounter:
    """Adds up what the processes of the tree used from one reading to the next.

    The time of a process that ends goes to the parent that waits for it; where none does, as with
    Ray's workers, it is gone from the tree.  So what was seen of a process is kept, and is not
    counted again where a parent got it.
    """

    def __init__(self) -> None:
        self._total_s = 0.0
        self._seen: dict[psutil.Process, _Seen] = {}

    def read(self) -> float:
        now: dict[psutil.Process, _Seen] = {}
        for process in _tree():
            with suppress(psutil.Error), process.oneshot():  # ended since the tree was listed
                times = process.cpu_times()
                now[process] = _Seen(
                    own_s=times.user + times.system,
                    waited_s=times.children_user + times.children_system,
                    parent=process.ppid(),
                )
        handed_on_s = self._of_those_gone(now)
        for process, seen in now.items():
            before = self._seen.get(process, _Seen())
            waited_s = seen.waited_s - before.waited_s - handed_on_s[process.pid]
            self._total_s += seen.own_s - before.own_s + max(0.0, waited_s)
        self._seen = now
        return self._total_s

    def _of_those_gone(self, now: Mapping[psutil.Process, _Seen]) -> Mapping[int, float]:
        """What was counted of processes that ended since, by the ancestor that may have got it."""
        gone = {process.pid: seen for process, seen in self._seen.items() if process not in now}
        handed_on_s: defaultdict[int, float] = defaultdict(float)
        for seen in gone.values():
            heir = seen.parent
            while heir in gone:
                heir = gone[heir].parent
            handed_on_s[heir] += seen.own_s + seen.waited_s
        return handed_on_s


_cpu = _CpuCounter()


def tree_cpu_s() -> float:
    """User and system seconds of the process tree so far, those of ended processes included."""
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


def wait_until_idle() -> None:
    """Until the host has next to nothing to do, at most some seconds.

    What was measured before may not have settled: workers that start or end, a JVM that compiles.
    """
    for _ in range(_MOST_WAITS):
        before_s, _ = host_cpu_s()
        time.sleep(_WAIT_S)
        after_s, _ = host_cpu_s()
        if (after_s - before_s) / _WAIT_S < _IDLE_CORES:
            return


class TreeSampler(AbstractContextManager["TreeSampler"]):
    """Samples the tree's sizes in a thread and keeps the largest of each.

    One sample walks the page tables of every process in the tree (some milliseconds each), hence
    the long interval: at 2 s it takes under 1% of a core.
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
            # The last sample is taken after the clock stopped: short cases have one, too.
            sizes = tree_sizes()
            self.peak_bytes = max(self.peak_bytes, sizes[0])
            self.peak_processes = max(self.peak_processes, sizes[1])
            self.peak_threads = max(self.peak_threads, sizes[2])
            if stopped:
                return


def _tree() -> list[psutil.Process]:
    own = psutil.Process()
    return [own, *own.children(recursive=True)]
