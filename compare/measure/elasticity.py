"""Lets the demand for workers rise and fall, and watches which worker processes exist.

An engine is not asked what it has.  A worker is known by a task that noted its process.  Of this
process and those that it descends from, the worker is the oldest that is younger than the watch: a
node of Ray with its processes, a process of Dask, an executor of Spark.  A process that ends before
it runs a task is not seen.  Linux, read from /proc.
"""

import itertools
import os
import time
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import Future, wait
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, NamedTuple, TypedDict

from compare.measure import clock
from compare.measure.background import in_background
from compare.records.measurements import Submission, WorkerLife
from engines.errors import EngineError
from engines.interface import Engine
from workload.interface import PackedTask, Task
from workload.kernels import fragile
from workload.kernels.fragile import ENDED, STARTED
from workload.task import run_or_raise

_LOOK_EVERY_S = 0.02
_TICK_S = 1 / os.sysconf("SC_CLK_TCK")
"""The kernel rounds the start of a process down to such a tick."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Demand:
    """Many tasks with a long one at their end, and when all have ended, as many again."""

    many: int
    task_s: float
    long_s: float | None
    """Seconds of the long task; ``None``: the many tasks come once and alone."""

    @property
    def batches(self) -> tuple[tuple[float, ...], ...]:
        """Seconds of the tasks that are submitted at once."""
        many = (self.task_s,) * self.many
        if self.long_s is None:
            return (many,)
        return ((*many, self.long_s), many)

    @property
    def tasks(self) -> int:
        """Number of all tasks."""
        return sum(map(len, self.batches))


class Limits(NamedTuple):
    """When the watch ends at the latest."""

    work_s: float
    """Without a last result, after this time."""
    release_s: float
    """With workers that still exist, this long after the last result or the error."""


class Watched(TypedDict):
    """The fields of an ``ElasticityRun`` that are measured."""

    verdict: Literal["finished", "failed", "hung"]
    words: str
    ended_s: float
    watched_s: float
    submitted: tuple[Submission, ...]
    completed_s: tuple[float, ...]
    starts: tuple[int, ...]
    workers: tuple[WorkerLife, ...]


def watched(engine: Engine, label: str, notes: Path, demand: Demand, limits: Limits) -> Watched:
    """Submit the tasks, and watch until all workers are gone or the time is up.

    Raises:
        Exception: not an error of the engine.
    """
    notes.touch()
    watch = _Watch(notes)
    submitted: list[Submission] = []

    def submit() -> None:
        numbers = itertools.count()
        for lengths in demand.batches:
            tasks = [_task(label, notes, next(numbers), seconds) for seconds in lengths]
            packed: list[PackedTask] = [tuple(task) for task in tasks]
            submitted.append(Submission(watch.now_s(), len(tasks)))
            for _ in engine.run(run_or_raise, packed):
                pass

    work = in_background(submit)
    ended_s = _until_done(work, watch, limits.work_s)
    # Before the watch goes on: an engine that ends its work meanwhile was too late.
    verdict, words = _verdict(work)
    until_s = ended_s if verdict == "hung" else ended_s + limits.release_s
    while watch.workers_exist() and watch.now_s() < until_s:
        time.sleep(_LOOK_EVERY_S)
        watch.look()
    return Watched(
        verdict=verdict,
        words=words,
        ended_s=ended_s,
        watched_s=watch.now_s(),
        submitted=tuple(submitted),
        completed_s=watch.completed_s(),
        starts=tuple(watch.starts[number] for number in range(demand.tasks)),
        workers=watch.lives(),
    )


def _task(label: str, notes: Path, number: int, seconds: float) -> Task:
    return fragile.task(label, (str(notes), 0.0), number, seconds, fragile.SOUND)


def _until_done(work: "Future[None]", watch: "_Watch", limit_s: float) -> float:
    while not work.done() and watch.now_s() < limit_s:
        wait([work], _LOOK_EVERY_S)
        watch.look()
    ended_s = watch.now_s()
    watch.look()
    return ended_s


def _verdict(work: "Future[None]") -> tuple[Literal["finished", "failed", "hung"], str]:
    if not work.done():
        return "hung", ""
    error = work.exception()
    if error is None:
        return "finished", ""
    if isinstance(error, EngineError):
        return "failed", str(error)
    raise error


class _Process(NamedTuple):
    """A process, and when it was started on the clock of this host."""

    pid: int
    parent: int
    created_s: float


class _Watch:
    """The workers that tasks have named, since the watch began."""

    def __init__(self, notes: Path) -> None:
        self.starts: Counter[int] = Counter()
        """How often each task was started."""
        self._began_s = clock.now()
        self._notes = notes
        self._read_bytes = 0
        self._ended_s: dict[int, float] = {}
        self._of: dict[int, _Process] = {}
        """The worker of each process that noted something."""
        self._first_task_s: dict[_Process, float] = {}
        self._gone_s: dict[_Process, float] = {}

    def now_s(self) -> float:
        return clock.now() - self._began_s

    def look(self) -> None:
        """Read new notes, and find out which workers are gone."""
        for note in self._new_notes():
            at_s = note.at_s - self._began_s
            if note.what == STARTED:
                self.starts[note.task] += 1
                worker = self._worker(note.pid, note.at_s)
                self._first_task_s.setdefault(worker, at_s)
            elif note.what == ENDED:
                self._ended_s.setdefault(note.task, at_s)
        for worker in self._first_task_s.keys() - self._gone_s.keys():
            found = process(worker.pid)
            if found is None or found.created_s > worker.created_s + _TICK_S:
                self._gone_s[worker] = self.now_s()

    def workers_exist(self) -> bool:
        return len(self._gone_s) < len(self._first_task_s)

    def completed_s(self) -> tuple[float, ...]:
        return tuple(sorted(self._ended_s.values()))

    def lives(self) -> tuple[WorkerLife, ...]:
        return tuple(
            WorkerLife(
                created_s=max(0.0, worker.created_s - self._began_s),
                first_task_s=first_task_s,
                gone_s=self._gone_s.get(worker),
            )
            for worker, first_task_s in sorted(self._first_task_s.items(), key=lambda one: one[1])
        )

    def _new_notes(self) -> Sequence[fragile.Note]:
        with self._notes.open("rb") as file:
            file.seek(self._read_bytes)
            lines, newline, _ = file.read().rpartition(b"\n")
        self._read_bytes += len(lines) + len(newline)
        return fragile.notes(lines.decode())

    def _worker(self, pid: int, at_s: float) -> _Process:
        if pid not in self._of:
            # One that has ended already counts from its task on.
            found = process(pid)
            worker = found or _Process(pid, 0, at_s)
            while found is not None and found.created_s > self._began_s - _TICK_S:
                worker, found = found, process(found.parent)
            known = {other.pid: other for other in self._first_task_s}
            self._of[pid] = known.get(worker.pid, worker)
        return self._of[pid]


def process(pid: int) -> _Process | None:
    """The running process with this number; ``None`` if it has ended."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return None
    # The name of the program, in parentheses, may contain anything.
    state, parent, *rest = text.rpartition(")")[2].split()
    if state in "ZX":
        return None
    # psutil gives the start to a second at worst: it adds whole seconds of the host's start.
    since_s = time.clock_gettime(time.CLOCK_BOOTTIME) - int(rest[17]) * _TICK_S
    return _Process(pid, int(parent), clock.now() - since_s)
