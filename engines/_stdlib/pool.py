"""``multiprocessing.Pool``: processes fed from one queue, the simplest pool in Python."""

import os
import queue
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import count, repeat
from typing import TYPE_CHECKING, ClassVar, Self, TypeVar

from typing_extensions import override

from engines._stdlib.processes import SPAWN_REASON
from engines.environment import budget, end_with_parent, thread_environment
from engines.errors import EngineStartError, WorkerLostError
from engines.interface import Capability, Input, Output, Resources, Setting
from engines.shares import WithoutShares

if TYPE_CHECKING:
    from multiprocessing.pool import Pool
    from multiprocessing.synchronize import Semaphore

Taken = TypeVar("Taken")

_START_TIMEOUT_S = 60
_LOSS_NOTICED_WITHIN_S = 1

_SETTINGS = (
    Setting(
        name="start method",
        value="spawn",
        reason=SPAWN_REASON,
    ),
    Setting(name="chunksize", value="1", reason="one input is one task in every engine"),
)


class ProcessEngine(WithoutShares):
    """A pool of spawned processes."""

    name: ClassVar[str] = "multiprocessing"
    summary: ClassVar[str] = "Pool.imap_unordered of the standard library"
    taker: ClassVar[str] = "a pool"
    capabilities: ClassVar[frozenset[Capability]] = frozenset(
        {Capability.PARALLEL, Capability.STREAMS, Capability.BULK}
    )
    fixed_s: ClassVar[float] = 0.001

    def __init__(self, pool: "Pool", settings: tuple[Setting, ...]) -> None:
        self._pool = pool
        self._settings = settings
        self._lost = threading.Event()

    @override
    @classmethod
    @contextmanager
    def open(cls, resources: Resources) -> Iterator[Self]:
        import multiprocessing
        from multiprocessing import connection

        os.environ.update(thread_environment(resources))
        spawn = multiprocessing.get_context("spawn")
        ready = spawn.Semaphore(0)
        with spawn.Pool(resources.workers, initializer=_report_ready, initargs=(ready,)) as pool:
            for _ in range(resources.workers):
                if not ready.acquire(timeout=_START_TIMEOUT_S):
                    raise EngineStartError(
                        f"multiprocessing: {resources.workers} workers did not start within "
                        f"{_START_TIMEOUT_S} s; look for an import error above"
                    )
            engine = cls(pool, budget(resources) + _SETTINGS)
            # A pool replaces a dead worker but does not rerun its task, and waits for the result
            # forever.  So a thread waits for a process to end, at no cost to the tasks.  It needs
            # a copy of the list: the pool closes a dead worker's sentinel if nobody else holds it.
            workers = list(pool._pool)  # type: ignore[attr-defined]  # noqa: SLF001 - no public way

            def watch() -> None:
                connection.wait([worker.sentinel for worker in workers])
                engine._lost.set()

            # Where workers are killed on purpose, the pool shows what its users see: it waits.
            if not resources.faults:
                threading.Thread(target=watch, daemon=True).start()
            yield engine
        pool.join()

    @override
    def _results(
        self, function: Callable[[Input], Output], inputs: Sequence[Input]
    ) -> Iterator[tuple[int, Output]]:
        # Sending the function with each task costs less than pickling a partial of it.
        tasks = zip(repeat(function), count(), inputs, strict=False)
        results = self._pool.imap_unordered(_call, tasks)
        for _ in inputs:
            yield self._taken(results.next)

    @override
    def run_one_by_one(
        self, function: Callable[[Input], Output], inputs: Sequence[Input]
    ) -> Iterator[tuple[int, Output]]:
        done: queue.SimpleQueue[tuple[int, Output] | BaseException] = queue.SimpleQueue()
        for index, value in enumerate(inputs):
            task = (function, index, value)
            self._pool.apply_async(_call, (task,), callback=done.put, error_callback=done.put)

        def take(timeout_s: float) -> tuple[int, Output]:
            result = done.get(timeout=timeout_s)
            if isinstance(result, BaseException):
                raise result
            return result

        for _ in inputs:
            yield self._taken(take)

    def _taken(self, take: Callable[[float], Taken]) -> Taken:
        """Return the next result; raise if it can no longer arrive."""
        from multiprocessing import TimeoutError as NothingYet

        while True:
            try:
                return take(_LOSS_NOTICED_WITHIN_S)
            except (NothingYet, queue.Empty) as error:
                if self._lost.is_set():
                    raise WorkerLostError(
                        "multiprocessing: a worker process died, and its task is lost"
                    ) from error

    @override
    def workers(self) -> int:
        workers: int = self._pool._processes  # type: ignore[attr-defined]  # noqa: SLF001
        return workers

    @override
    def settings(self) -> tuple[Setting, ...]:
        return self._settings


def _report_ready(ready: "Semaphore") -> None:
    end_with_parent()
    ready.release()


def _call(task: tuple[Callable[[Input], Output], int, Input]) -> tuple[int, Output]:
    function, index, value = task
    return index, function(value)
