"""Lets something go wrong while an engine runs fragile tasks, and notes what it does.

The same rules hold for every engine.  A fault happens when a third of the tasks have ended, as
their workers report it.  The victim is the process that started a task last.  A task that fails by
itself is the one whose number is a third of the number of tasks.

A session that runs in a container cannot act on others; it asks the runner.
"""

import contextlib
import os
import signal
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, wait
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, NamedTuple, TypeAlias, TypedDict

import psutil
from typing_extensions import override

from compare.measure import clock
from compare.measure.background import in_background
from compare.measure.deeds import Ask, nobody
from compare.measure.driver import OwnDriver
from compare.records.deeds import Deed
from engines.errors import EngineError
from engines.interface import Engine
from workload.interface import PackedReport, PackedTask, Task, TaskReport
from workload.kernels import fragile
from workload.kernels.fragile import ENDED, FAILING, LOADING, STARTED, InjectedError, Note
from workload.task import run_or_raise

LOAD_S = 0.5
"""Seconds of loading, if a process is to die meanwhile."""
_LOOK_EVERY_S, _AT_ONCE_S = 0.01, 0.05

Victim: TypeAlias = Callable[[Sequence[Note], int, float], Note | None]
"""From the notes, the number of tasks and the time: the latest note of the process to hit, once it
is time for it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """What goes wrong: one task fails by itself, or its process is hit from outside."""

    deed: str = fragile.SOUND
    """What the task does whose number is a third of the number of tasks."""
    load_s: float = 0.0
    """Seconds that every process needs before its first task."""
    victim: Victim | None = None
    stopped_s: float | None = None
    """The victim is stopped, or its container cut off, for so long; ``None``: it is killed."""
    node: bool = False
    """All processes of the victim's node are killed with it, as if the node lost its power."""
    driver: bool = False
    """The driver is killed instead of the victim; the batch starts again in another driver."""
    container: bool = False
    """The container of the victim is killed, or cut off from the network."""

    def tasks(self, case: str, path: Path, count: int, seconds: float) -> list[Task]:
        """So many tasks of this length that take notes in the file, one of which may fail."""
        deeds = {faulty(count): self.deed}
        settings = (str(path), self.load_s)
        return [
            fragile.task(case, settings, number, seconds, deeds.get(number, fragile.SOUND))
            for number in range(count)
        ]


class Reach(NamedTuple):
    """What can be hit beside the engine's own processes."""

    nodes: Sequence[int] = ()
    """Pids of the daemons of a private cluster's nodes; empty if the engine has no nodes."""
    ask: Ask = nobody
    """For what is done to containers."""


_NOTHING_ELSE = Reach()


class Happened(TypedDict):
    """The fields of a ``FaultRun`` that are measured."""

    tasks: int
    verdict: Literal["finished", "failed", "hung"]
    words: str
    ended_s: float
    fault_s: float | None
    received: tuple[int, ...]
    wrong: int
    starts: tuple[int, ...]
    completed_s: tuple[float, ...]


def faulty(count: int) -> int:
    """Number of the task that fails by itself."""
    return count // 3


def in_a_task(notes: Sequence[Note], count: int, _: float) -> Note | None:
    """The process that started a task last and is still in it, when a third have ended."""
    if sum(note.what == ENDED for note in notes) < faulty(count):
        return None
    return _last_doing(notes, STARTED)


def in_its_loading(notes: Sequence[Note], _: int, now_s: float) -> Note | None:
    """The process that began to load last, when the first of them had some time for it."""
    loading = [note for note in notes if note.what == LOADING]
    if not loading or now_s < loading[0].at_s + LOAD_S / 2:
        return None
    return _last_doing(notes, LOADING)


def _last_doing(notes: Sequence[Note], what: str) -> Note | None:
    """The last note of this kind whose process has noted nothing since."""
    latest = {(note.host, note.pid): note for note in notes}
    doing = [note for note in latest.values() if note.what == what]
    return max(doing, key=lambda note: note.at_s, default=None)


def happened(
    engine: Engine,
    tasks: Sequence[Task],
    fault: Fault,
    deadline_s: float,
    reach: Reach = _NOTHING_ELSE,
) -> Happened:
    """Submit the tasks, let the fault happen, and wait for the end, but not beyond the deadline.

    Raises:
        EngineError: what was asked for was not done.
        Exception: neither an error of the engine nor the injected one.
    """
    packed: list[PackedTask] = [tuple(task) for task in tasks]
    seen: list[tuple[int, PackedReport]] = []

    def submit() -> Iterator[tuple[int, PackedReport]]:
        for result in engine.run(run_or_raise, packed):
            seen.append(result)  # also those before an error
            yield result

    path = Path(str(tasks[0].settings[0]))
    path.touch()
    submitted_s = clock.now()
    batch = in_background(lambda: clock.batch(submit))
    with _Hitting(fault, path, len(tasks), engine, reach) as hitting:
        while not batch.done() and clock.now() - submitted_s < deadline_s:
            hitting.look()
            wait([batch], _LOOK_EVERY_S)
        ended_s = clock.now() - submitted_s
    verdict, words = _verdict(batch)
    words = words or hitting.of_the_killed_driver()
    if verdict == "finished" and batch.result().arrivals:
        ended_s = batch.result().arrivals[-1][2] - submitted_s
    fault_s = None if hitting.hit_at_s is None else hitting.hit_at_s - submitted_s
    if verdict == "finished" and fault_s is not None and fault_s > ended_s:
        fault_s = None  # Docker took its time, and there was nothing left to disturb
    received = Counter(index for index, _ in seen)
    started = Counter(note.task for note in hitting.notes if note.what == STARTED)
    return Happened(
        tasks=len(tasks),
        verdict=verdict,
        words=words,
        ended_s=ended_s,
        fault_s=fault_s,
        received=tuple(received[number] for number in range(len(tasks))),
        wrong=sum(TaskReport(*report).output != index for index, report in seen),
        starts=tuple(started[number] for number in range(len(tasks))),
        completed_s=tuple(
            sorted(note.at_s - submitted_s for note in hitting.notes if note.what == ENDED)
        ),
    )


def _verdict(batch: "Future[clock.Batch]") -> tuple[Literal["finished", "failed", "hung"], str]:
    if not batch.done():
        return "hung", ""
    error = batch.exception()
    if error is None:
        return "finished", ""
    if isinstance(error, InjectedError | MemoryError):
        # Ray appends it to the traceback of the worker; an error of memory says no more.
        lines = str(error).strip().splitlines()
        name = type(error).__name__
        return "failed", f"{name}: {lines[-1]}" if lines else name
    if isinstance(error, EngineError):
        return "failed", str(error)
    raise error


class _Hitting(AbstractContextManager["_Hitting"]):
    """Reads the notes, and hits the victim when it is time for it."""

    def __init__(self, fault: Fault, path: Path, count: int, engine: Engine, reach: Reach) -> None:
        self.notes: list[Note] = []
        self.hit_at_s: float | None = None
        """When the fault happened."""
        self._fault = fault
        self._count = count
        self._engine = engine
        self._reach = reach
        self._left: list[psutil.Process] = []
        """By a killed driver."""
        self._left_until_s: float | None = None
        """When the last of them had ended."""
        self._file = path.open()
        self._half_line = ""
        self._stopped: Note | None = None

    @override
    def __exit__(self, *_: object) -> None:
        self._let_go_on()
        self._read()
        self._file.close()

    def look(self) -> None:
        """Hit the victim if it is time for it, and let it go on if it was stopped long enough."""
        self._read()
        now_s, fault = clock.now(), self._fault
        if self._left and self._left_until_s is None and not any(map(_lives, self._left)):
            self._left_until_s = now_s
        if self.hit_at_s is None and fault.victim is not None:
            victim = fault.victim(self.notes, self._count, now_s)
            if victim is not None:
                self._hit(victim)
        elif self.hit_at_s is not None and now_s >= self.hit_at_s + (fault.stopped_s or 0.0):
            self._let_go_on()

    def _read(self) -> None:
        lines, _, self._half_line = (self._half_line + self._file.read()).rpartition("\n")
        added = fragile.notes(lines)
        self.notes += added
        failing = [note.at_s for note in added if note.what == FAILING]
        if self.hit_at_s is None and failing:
            self.hit_at_s = failing[0]

    def _hit(self, victim: Note) -> None:
        stopped = self._fault.stopped_s is not None
        if self._fault.container:
            deed = Deed(what="cut" if stopped else "kill", host=victim.host)
            self.hit_at_s = self._reach.ask(deed)
            self._stopped = victim if stopped else None
            return
        # It may have ended by itself: then look for another.
        with contextlib.suppress(ProcessLookupError, psutil.NoSuchProcess):
            if isinstance(self._engine, OwnDriver):
                self._left = self._engine.kill()
            elif self._fault.node:
                _kill_node_of(victim.pid, self._reach.nodes)
            else:
                os.kill(victim.pid, signal.SIGSTOP if stopped else signal.SIGKILL)
            self.hit_at_s = clock.now()
            self._stopped = victim if stopped else None

    def of_the_killed_driver(self) -> str:
        """What became of the processes that a killed driver had started; empty without any."""
        if not self._left or self.hit_at_s is None:
            return ""
        if self._left_until_s is not None:
            took_s = self._left_until_s - self.hit_at_s
            when = "at once" if took_s < _AT_ONCE_S else f"after {took_s:.1f} s"
            return f"(all processes of the killed driver had ended {when})"
        living = sorted({process.name() for process in self._left if _lives(process)})
        return f"(processes of the killed driver live on: {', '.join(living)})"

    def _let_go_on(self) -> None:
        stopped, self._stopped = self._stopped, None
        if stopped is None:
            return
        if self._fault.container:
            self._reach.ask(Deed(what="mend", host=stopped.host))
            return
        with contextlib.suppress(ProcessLookupError):
            os.kill(stopped.pid, signal.SIGCONT)


def _lives(process: psutil.Process) -> bool:
    """Whether it has not ended; one that nobody has waited for has ended, too."""
    try:
        return bool(process.is_running() and process.status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


def _kill_node_of(pid: int, nodes: Sequence[int]) -> None:
    """Kill the daemon, one of ``nodes``, from which the process descends, and all below it."""
    (daemon,) = (above for above in psutil.Process(pid).parents() if above.pid in nodes)
    for process in (daemon, *daemon.children(recursive=True)):
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()
