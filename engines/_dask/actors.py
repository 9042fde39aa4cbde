"""Dask actors: one on each worker, each with one task that runs and one that waits.

A call of an actor goes from the client to the worker and back, and not through the scheduler, which
a task passes twice.  ``dask.bag`` and ``map_partitions`` make tasks of several inputs, which pass
through the scheduler like any other and return no result before the last input of the partition.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import islice
from typing import ClassVar, Self

from typing_extensions import override

from engines._dask.configuration import malformed_files
from engines._dask.opening import opened
from engines.environment import Framework, folder_obstacle
from engines.errors import WorkerLostError
from engines.interface import (
    Capability,
    Input,
    Output,
    Requirement,
    Resources,
    Setting,
)
from engines.shares import WithoutShares

_AHEAD = 2
"""Tasks that an actor has at once.  It runs them one after the other; without one that waits, it
would be idle for a round trip after each task.  Dask's scheduler does the same by default."""


class DaskActorsEngine(WithoutShares):
    """Sends an actor another task when it has finished one."""

    name: ClassVar[str] = "dask-actors"
    plain: ClassVar[str | None] = "dask"
    summary: ClassVar[str] = "Dask actors, one on each worker process"
    taker: ClassVar[str] = "an actor"
    capabilities: ClassVar[frozenset[Capability]] = frozenset(
        {Capability.PARALLEL, Capability.STREAMS}
    )
    requirements: ClassVar[tuple[Requirement, ...]] = (
        Requirement(distribution="distributed", module="distributed"),
    )
    extra: ClassVar[str | None] = "dask"

    def __init__(
        self, client: Framework, actors: Sequence[Framework], settings: tuple[Setting, ...]
    ) -> None:
        self._client = client
        self._actors = actors
        self._settings = settings

    @override
    @classmethod
    def obstacles(cls) -> Iterator[str]:
        yield from folder_obstacle()
        yield from malformed_files()

    @override
    @classmethod
    @contextmanager
    def open(cls, resources: Resources) -> Iterator[Self]:
        with opened(resources) as (client, settings):
            futures = [
                client.submit(_Worker, actor=True, workers=[worker], pure=False)
                for worker in client.scheduler_info()["workers"]
            ]
            yield cls(client, client.gather(futures), settings)

    @override
    def _results(
        self, function: Callable[[Input], Output], inputs: Sequence[Input]
    ) -> Iterator[tuple[int, Output]]:
        from distributed import as_completed

        rest = enumerate(inputs)
        running: dict[Framework, tuple[int, Framework]] = {}

        def feed(actor: Framework) -> Iterator[Framework]:
            for index, value in islice(rest, 1):
                call = actor.call(function, value)
                running[call] = index, actor
                yield call

        # In rounds, so that a few tasks are spread over all actors.
        fed = _AHEAD * list(self._actors)
        finished = as_completed([call for actor in fed for call in feed(actor)])
        try:
            for call in finished:
                index, actor = running.pop(call)
                finished.update(feed(actor))
                yield index, call.result()
        except OSError as error:
            raise WorkerLostError(f"dask-actors: {error}") from error

    @override
    def workers(self) -> int:
        return len(self._client.scheduler_info()["workers"])

    @override
    def settings(self) -> tuple[Setting, ...]:
        return self._settings


class _Worker:
    """The class of the actors."""

    def call(self, function: Callable[[Input], Output], value: Input) -> Output:
        """Run one task."""
        return function(value)
