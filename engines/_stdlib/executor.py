"""``concurrent.futures.ProcessPoolExecutor``, whose tasks are submitted again after a loss.

The executor breaks when one of its processes dies: all its tasks fail that have no result yet, and
it takes no more.  A program that must go on makes a new executor and submits these tasks again.
"""

import os
import threading
from collections import Counter
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import Future, as_completed
from contextlib import contextmanager
from typing import TYPE_CHECKING, ClassVar, Self

from typing_extensions import override

from engines._stdlib.processes import SPAWN_REASON
from engines.environment import budget, end_with_parent, thread_environment
from engines.errors import EngineStartError, WorkerLostError
from engines.interface import (
    Capability,
    Config,
    Input,
    Output,
    Resources,
    Setting,
)
from engines.shares import WithoutShares

if TYPE_CHECKING:
    from concurrent.futures import ProcessPoolExecutor
    from concurrent.futures.process import BrokenProcessPool
    from multiprocessing.synchronize import Semaphore

_START_TIMEOUT_S = 60
_CLOSE_LIMIT_S = 1
_MOST_RETRIES = 3

_SETTINGS = (
    Setting(
        name="mp_context",
        value="spawn",
        reason=SPAWN_REASON,
    ),
    Setting(
        name="submit again after BrokenProcessPool",
        value=str(_MOST_RETRIES),
        reason="a program around the executor has to do this; as often as Ray and Dask do by "
        "default",
    ),
)
_RETRY_ERRORS = Setting(
    name="submit again after an error of a task",
    value=str(_MOST_RETRIES),
    reason="an error may pass, as one of the network does; set only where tasks fail on purpose",
)


class ExecutorEngine(WithoutShares):
    """An executor of spawned processes, and a new one when a process has died."""

    name: ClassVar[str] = "process-executor"
    summary: ClassVar[str] = "ProcessPoolExecutor; lost tasks are submitted again"
    taker: ClassVar[str] = "an executor"
    capabilities: ClassVar[frozenset[Capability]] = frozenset(
        {Capability.PARALLEL, Capability.STREAMS}
    )
    fixed_s: ClassVar[float] = 0.002

    def __init__(self, pool: "_Pool", resources: Resources) -> None:
        self._pool = pool
        repeats = resources.faults and resources.config is Config.TUNED
        self._error_retries = _MOST_RETRIES if repeats else 0
        self._settings = (*budget(resources), *_SETTINGS, *((_RETRY_ERRORS,) if repeats else ()))

    @override
    @classmethod
    @contextmanager
    def open(cls, resources: Resources) -> Iterator[Self]:
        os.environ.update(thread_environment(resources))
        pool = _Pool(resources.workers)
        try:
            pool.wait_until_ready()
            yield cls(pool, resources)
        finally:
            pool.close()

    @override
    def _results(
        self, function: Callable[[Input], Output], inputs: Sequence[Input]
    ) -> Iterator[tuple[int, Output]]:
        """Submit the tasks in rounds, each those that have no result yet."""
        left = dict(enumerate(inputs))
        losses = 0
        errors: Counter[int] = Counter()
        while left:
            executor = self._pool.executor
            loss = yield from self._round(executor, function, left, errors)
            if loss is None:
                continue
            losses += 1
            if losses > _MOST_RETRIES:
                # Nobody knows which of the running tasks killed its process.
                raise WorkerLostError(
                    f"process-executor: a worker died in each of {losses} attempts: {loss}"
                ) from loss
            self._pool.replace(executor)

    def _round(
        self,
        executor: "ProcessPoolExecutor",
        function: Callable[[Input], Output],
        left: dict[int, Input],
        errors: Counter[int],
    ) -> Generator[tuple[int, Output], None, "BrokenProcessPool | None"]:
        """Yield results and remove their inputs; returns the error of a broken executor."""
        from concurrent.futures.process import BrokenProcessPool

        loss: BrokenProcessPool | None = None
        futures: dict[Future[Output], int] = {}
        try:
            try:
                for index, value in left.items():
                    futures[executor.submit(function, value)] = index
            except BrokenProcessPool as error:
                loss = error
            for future in as_completed(list(futures)):
                index = futures.pop(future)
                failure = future.exception()
                if isinstance(failure, BrokenProcessPool):
                    loss = failure
                elif failure is not None:
                    errors[index] += 1
                    if errors[index] > self._error_retries:
                        raise failure
                else:
                    del left[index]
                    yield index, future.result()
        finally:
            # Futures remain only if the run was abandoned.
            for future in futures:
                future.cancel()
        return loss

    @override
    def workers(self) -> int:
        return self._pool.workers()

    @override
    def settings(self) -> tuple[Setting, ...]:
        return self._settings


class _Pool:
    """The executor that takes tasks now."""

    def __init__(self, workers: int) -> None:
        import multiprocessing

        self._workers = workers
        self._spawn = multiprocessing.get_context("spawn")
        self._ready = self._spawn.Semaphore(0)
        self._lock = threading.Lock()
        self.executor = self._new()

    def _new(self) -> "ProcessPoolExecutor":
        from concurrent.futures import ProcessPoolExecutor

        return ProcessPoolExecutor(
            self._workers,
            mp_context=self._spawn,
            initializer=_report_ready,
            initargs=(self._ready,),
        )

    def wait_until_ready(self) -> None:
        """Start all processes: the executor starts one with each task that finds none idle."""
        for _ in range(self._workers):
            self.executor.submit(os.getpid)
        for _ in range(self._workers):
            if not self._ready.acquire(timeout=_START_TIMEOUT_S):
                raise EngineStartError(
                    f"process-executor: {self._workers} workers did not start within "
                    f"{_START_TIMEOUT_S} s; look for an import error above"
                )

    def replace(self, broken: "ProcessPoolExecutor") -> None:
        """Make a new executor, unless another run that lost its tasks already did."""
        with self._lock:
            if self.executor is broken:
                broken.shutdown()
                self.executor = self._new()

    def close(self) -> None:
        """Stop all processes; those that still have a task are killed."""
        executor = self.executor
        # shutdown() forgets both.  The annotation corrects the one of typeshed.
        manager: threading.Thread | None = executor._executor_manager_thread  # type: ignore[assignment]  # noqa: SLF001
        processes = list(executor._processes.values())  # noqa: SLF001
        executor.shutdown(wait=False, cancel_futures=True)
        for process in processes:
            process.join(_CLOSE_LIMIT_S / self._workers)
        for process in processes:
            process.kill()
        if manager is not None:
            manager.join()

    def workers(self) -> int:
        """The number of processes that the executor keeps."""
        workers: int = self.executor._max_workers  # type: ignore[attr-defined]  # noqa: SLF001
        return workers


def _report_ready(ready: "Semaphore") -> None:
    end_with_parent()
    ready.release()
