"""Real engines with one fault each, which a gate must notice."""

import itertools
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, ClassVar, Self

from typing_extensions import override

from engines.interface import Capability, Engine, Input, Output, Resources, Setting
from engines.registry import load_engine
from workload.interface import PackedReport, PackedTask, TaskReport

MARK = "STRANGE_ENGINE_MARK"
"""The variable that names a file: there once a worker was killed."""
_MANY = 5
"""Fewer tasks are a first no-op or a warm-up, and go well."""
_LONGER_S = 0.05


class Strange(Engine):
    """All is as the real engine does it, but for what a subclass says."""

    summary: ClassVar[str] = "a real engine with a fault"
    capabilities: ClassVar[frozenset[Capability]] = frozenset({Capability.PARALLEL})
    real: ClassVar[str] = "multiprocessing"
    workers_beside: ClassVar[int] = 0
    """More than the plan says."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    @override
    @classmethod
    @contextmanager
    def open(cls, resources: Resources) -> Iterator[Self]:
        workers = resources.workers + cls.workers_beside
        with load_engine(cls.real).open(replace(resources, workers=workers)) as engine:
            yield cls(engine)

    @override
    def run(
        self,
        function: Callable[[Input], Output],
        inputs: Sequence[Input],
        *,
        cpus: float = 1.0,
        slots: float | None = None,
    ) -> Iterator[tuple[int, Output]]:
        if len(inputs) < _MANY:
            return self._engine.run(function, inputs)
        return self.results(self._engine.run(self.instead_of(function), inputs))

    def results(self, results: Iterator[Any]) -> Iterator[Any]:
        """What is handed over of the real results."""
        return results

    def instead_of(self, function: Callable[[Any], Any]) -> Callable[[Any], Any]:
        """What the workers run."""
        return function

    @override
    def workers(self) -> int:
        return self._engine.workers()

    @override
    def settings(self) -> tuple[Setting, ...]:
        return self._engine.settings()


class Forgetful(Strange):
    """Loses a result."""

    name: ClassVar[str] = "forgetful"

    @override
    def results(self, results: Iterator[Any]) -> Iterator[Any]:
        return (one for one in results if one[0] != 3)


class Repeating(Strange):
    """Hands over a result twice."""

    name: ClassVar[str] = "repeating"

    @override
    def results(self, results: Iterator[Any]) -> Iterator[Any]:
        return itertools.chain.from_iterable([one] * (1 + (one[0] == 3)) for one in results)


class Diligent(Strange):
    """Runs each task twice and hands over one of the results."""

    name: ClassVar[str] = "diligent"

    @override
    def instead_of(self, function: Callable[[Any], Any]) -> Callable[[Any], Any]:
        return partial(_twice, function)


class Failing(Strange):
    """Gives a task something else than its input."""

    name: ClassVar[str] = "failing"

    @override
    def instead_of(self, function: Callable[[Any], Any]) -> Callable[[Any], Any]:
        return partial(_with_another_input, function)


class Confused(Strange):
    """Its workers see something else in the images than the serial engine does."""

    name: ClassVar[str] = "confused"

    @override
    def instead_of(self, function: Callable[[Any], Any]) -> Callable[[Any], Any]:
        return partial(_with_other_labels, function)


class Threaded(Strange):
    """Its workers compute with more threads than they were given."""

    name: ClassVar[str] = "threaded"

    @override
    def instead_of(self, function: Callable[[Any], Any]) -> Callable[[Any], Any]:
        return partial(_with_three_threads, function)


class Polite(Strange):
    """Its workers let others go first."""

    name: ClassVar[str] = "polite"

    @override
    def instead_of(self, function: Callable[[Any], Any]) -> Callable[[Any], Any]:
        return partial(_nicely, function)


class Lopsided(Strange):
    """Has a worker fewer than it was given."""

    name: ClassVar[str] = "lopsided"
    workers_beside: ClassVar[int] = -1

    @override
    def instead_of(self, function: Callable[[Any], Any]) -> Callable[[Any], Any]:
        return partial(_slowly, function)  # a short batch may end before the second one wakes


class Crowded(Strange):
    """Has a worker more than it was given."""

    name: ClassVar[str] = "crowded"
    workers_beside: ClassVar[int] = 1

    @override
    def instead_of(self, function: Callable[[Any], Any]) -> Callable[[Any], Any]:
        return partial(_for_longer, function)  # of two short tasks one may end before a third


class MortalRay(Strange):
    """A worker of Ray is killed once it has done its task, and Ray runs that task again."""

    name: ClassVar[str] = "mortal-ray"
    real: ClassVar[str] = "ray"

    @override
    def instead_of(self, function: Callable[[Any], Any]) -> Callable[[Any], Any]:
        return partial(_killed_once, function)


class MortalDask(Strange):
    """The same of Dask."""

    name: ClassVar[str] = "mortal-dask"
    real: ClassVar[str] = "dask"

    @override
    def instead_of(self, function: Callable[[Any], Any]) -> Callable[[Any], Any]:
        return partial(_killed_once, function)


class Disturbing(Strange):
    """Most of the time, it keeps the cores busy with something else, until it is closed.

    If it did so all the time, the second attempt at a sweep would find one speed throughout.
    """

    name: ClassVar[str] = "disturbing"
    _period, _quiet = 8, 2
    """Of so many batches, so many are left alone."""

    def __init__(self, engine: Engine) -> None:
        super().__init__(engine)
        self._batches = 0
        command = [sys.executable, "-c", "while True: pass"]
        crowd = range(4 * len(os.sched_getaffinity(0)))
        self.busy = [subprocess.Popen(command) for _ in crowd]

    @override
    @classmethod
    @contextmanager
    def open(cls, resources: Resources) -> Iterator[Self]:
        with super().open(resources) as engine:
            try:
                yield engine
            finally:
                for process in engine.busy:
                    process.kill()
                    process.wait()

    @override
    def results(self, results: Iterator[Any]) -> Iterator[Any]:
        left_alone = self._batches % self._period < self._quiet
        self._batches += 1
        for process in self.busy:
            process.send_signal(signal.SIGSTOP if left_alone else signal.SIGCONT)
        return results


def _twice(function: Callable[[PackedTask], PackedReport], task: PackedTask) -> PackedReport:
    function(task)
    return function(task)


def _with_another_input(
    function: Callable[[PackedTask], PackedReport], task: PackedTask
) -> PackedReport:
    workload, settings, case, _ = task
    return function((workload, settings, case, "no input"))


def _with_other_labels(
    function: Callable[[PackedTask], PackedReport], task: PackedTask
) -> PackedReport:
    report = TaskReport(*function(task))
    return tuple(report._replace(output=("a cat",) * len(report.output)))


def _with_three_threads(
    function: Callable[[PackedTask], PackedReport], task: PackedTask
) -> PackedReport:
    import torch

    torch.set_num_threads(3)
    return function(task)


def _slowly(function: Callable[[Any], Any], task: PackedTask) -> PackedReport:
    time.sleep(0.02)
    report: PackedReport = function(task)
    return report


def _for_longer(function: Callable[[PackedTask], PackedReport], task: PackedTask) -> PackedReport:
    report = TaskReport(*function(task))
    time.sleep(_LONGER_S)
    return tuple(report._replace(ended_s=report.ended_s + _LONGER_S))


def _nicely(function: Callable[[PackedTask], PackedReport], task: PackedTask) -> PackedReport:
    if os.getpriority(os.PRIO_PROCESS, 0) == 0:
        os.nice(5)
    return function(task)


def _killed_once(function: Callable[[PackedTask], PackedReport], task: PackedTask) -> PackedReport:
    report = function(task)
    try:
        Path(os.environ[MARK]).touch(exist_ok=False)
    except FileExistsError:
        return report
    os.kill(os.getpid(), signal.SIGKILL)
    return report
