"""Measures how fast the fixed-work kernel runs in plain processes while all cores are busy."""

import os
from contextlib import AbstractContextManager, ExitStack
from types import TracebackType
from typing import Self

from compare.measure import clock
from compare.measure.adapters import adapter_of
from engines.interface import CEILING, Resources
from workload.kernels import spin
from workload.task import run_packed

_TASKS = 8
"""For each worker."""
_TASK_S = 0.012
"""A batch then lasts a tenth of a second: the tail of an uneven end is part of it, as of a sweep's
batches, and what plain processes need to hand out the tasks is less than 1%."""
_CASE = "calibration"


class BusyCores(AbstractContextManager["BusyCores"]):
    """The engine-free ceiling, open beside an engine, which has nothing to do meanwhile."""

    def __init__(self, workers: int, idle_iteration_s: float) -> None:
        """One process for each worker, but not more than there are cores."""
        self._processes = min(workers, len(os.sched_getaffinity(0)))
        self.workers_a_core = workers / self._processes
        self._iterations = max(1, round(_TASK_S / idle_iteration_s))
        self._opened = ExitStack()

    def __enter__(self) -> Self:
        resources = Resources(workers=self._processes, threads_per_worker=1)
        self._ceiling = self._opened.enter_context(adapter_of(CEILING).open(resources))
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._opened.close()

    def iteration_s(self) -> float:
        """Seconds of an iteration for each worker, in one batch on all of them."""
        count = _TASKS * self._processes
        packed = [tuple(spin.task(_CASE, self._iterations))] * count
        batch = clock.batch(lambda: self._ceiling.run(run_packed, packed))
        _, _, received_s = batch.arrivals[-1]
        of_each_s = (received_s - batch.submitted_s) * self._processes / (count * self._iterations)
        return of_each_s * self.workers_a_core
