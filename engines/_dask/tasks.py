"""The Dask engine: futures on a private local cluster or on a running cluster."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import chain, cycle, islice
from pathlib import Path
from typing import Any, ClassVar, Self

from typing_extensions import override

from engines._dask.cluster import CLUSTER
from engines._dask.configuration import malformed_files
from engines._dask.environment import ship
from engines._dask.opening import opened
from engines._dask.settings import RECORD, RETRIES, counted, held
from engines.awaiter import Awaiter
from engines.cluster import Cluster, wait_for_workers
from engines.environment import Framework, folder_obstacle, private_folder
from engines.errors import CpusRejectedError, WorkerLostError
from engines.interface import (
    Capability,
    Config,
    Engine,
    Graph,
    Input,
    Output,
    OwnSpan,
    Requirement,
    Resources,
    Setting,
)
from engines.parcel import Parcel, Run

_LARGE_BYTES = 1_000_000
"""Inputs and outputs of this size or more do not pass through the scheduler.  See
docs/decisions/0014-move-large-data-past-dasks-scheduler.md."""


class DaskEngine(Engine):
    """Runs one Dask future for each input."""

    name: ClassVar[str] = "dask"
    summary: ClassVar[str] = "Dask futures, one worker process for each core"
    capabilities: ClassVar[frozenset[Capability]] = frozenset(
        {
            Capability.PARALLEL,
            Capability.STREAMS,
            Capability.FRACTIONAL_CPUS,
            Capability.SLOTS,
            Capability.BULK,
            Capability.AWAITS,
            Capability.GRAPHS,
            Capability.TRACES,
            Capability.SPANS_HOSTS,
            Capability.SCALES,
            Capability.SHIPS,
            Capability.INSTALLS,
        }
    )
    requirements: ClassVar[tuple[Requirement, ...]] = (
        Requirement(distribution="distributed", module="distributed"),
    )
    extra: ClassVar[str | None] = "dask"
    cluster: ClassVar[Cluster | None] = CLUSTER

    def __init__(
        self,
        client: Framework,
        folder: Path,
        resources: Resources,
        settings: tuple[Setting, ...],
    ) -> None:
        self._client = client
        self._folder = folder
        self._resources = resources
        self._settings = settings
        self._retries = int(RETRIES.value) if RETRIES in settings else None
        self._large_outputs = False

    @override
    @classmethod
    def obstacles(cls) -> Iterator[str]:
        yield from folder_obstacle()
        yield from malformed_files()

    @override
    @classmethod
    @contextmanager
    def open(cls, resources: Resources) -> Iterator[Self]:
        retries = resources.faults and resources.config is Config.TUNED
        added = (*([RECORD] if resources.traced else []), *([RETRIES] if retries else []))
        with private_folder() as folder, opened(resources) as (client, settings):
            if resources.traced:
                client.get_task_stream()
            engine = cls(client, folder, resources, settings + added)
            if resources.cluster is not None:
                wait_for_workers(engine, resources)
            yield engine

    @override
    def run(
        self,
        function: Callable[[Input], Output],
        inputs: Sequence[Input],
        *,
        cpus: float = 1.0,
        slots: float | None = None,
    ) -> Iterator[tuple[int, Output]]:
        share = self._share(cpus, slots)
        # pure=False: by default Dask gives equal inputs one key and runs them once.
        return self._results(
            lambda values: self._client.map(
                function, values, pure=False, resources=share, retries=self._retries
            ),
            inputs,
        )

    @override
    def ship(self, parcel: Parcel) -> Run:
        ship(self._client, parcel, self._folder)
        return self.run

    @override
    def run_one_by_one(
        self, function: Callable[[Input], Output], inputs: Sequence[Input]
    ) -> Iterator[tuple[int, Output]]:
        share = self._share()
        return self._results(
            lambda values: [
                self._client.submit(function, value, pure=False, resources=share)
                for value in values
            ],
            inputs,
        )

    @override
    def run_async(
        self, function: Callable[[Input], Awaitable[Output]], inputs: Sequence[Input]
    ) -> Iterator[tuple[int, Output]]:
        from distributed import as_completed

        # Use actors, because a coroutine that is submitted as a task occupies a thread of its
        # worker until it ends, as a function does.
        awaiters = self._client.gather(
            [
                self._client.submit(Awaiter, actor=True, workers=[worker])
                for worker in self._client.scheduler_info()["workers"]
            ]
        )
        indices = {
            awaiter.call(function, value): index
            for awaiter, (index, value) in zip(cycle(awaiters), enumerate(inputs))
        }
        try:
            for call in as_completed(list(indices)):
                yield indices[call], call.result()
        except OSError as error:
            raise WorkerLostError(f"dask: {error}") from error

    @override
    def run_graph(
        self, function: Callable[[Input, tuple[Output, ...]], Output], graph: Graph[Input]
    ) -> Iterator[tuple[int, Output]]:
        share = self._share()

        def submitted(values: Sequence[Any]) -> list[Framework]:
            layers: list[list[Framework]] = [[]]
            rest = iter(values)
            for nodes in graph:
                needed = [tuple(layers[-1][place] for place in node.needs) for node in nodes]
                layer = list(islice(rest, len(nodes)))
                layers.append(
                    self._client.map(function, layer, needed, pure=False, resources=share)
                )
            return list(chain.from_iterable(layers))

        return self._results(submitted, [node.value for nodes in graph for node in nodes])

    @override
    def own_trace(self) -> tuple[OwnSpan, ...]:
        from dask.utils import key_split

        return tuple(
            OwnSpan(
                name=key_split(task["key"]),
                worker=f"{task['worker']}-{task['thread']}",
                start_s=span["start"],
                end_s=span["stop"],
            )
            for task in self._client.get_task_stream()
            for span in task["startstops"]
            if span["action"] == "compute"
        )

    def _share(self, cpus: float = 1.0, slots: float | None = None) -> dict[str, float] | None:
        """The resources that a task requests, in Dask's form."""
        resource, amount = ("cpu", cpus) if slots is None else ("slot", slots)
        if amount < self._resources.smallest_share:
            raise CpusRejectedError(
                f"dask: a worker has threads for shares of {self._resources.smallest_share:g} or "
                f"more, not of {amount:g}"
            )
        # If all tasks take a whole core, one thread per worker is enough.  Tasks that request
        # resources are not queued at the scheduler, but all sent to workers at once.
        if self._resources.smallest_share == 1.0 and resource == "cpu" and amount == 1.0:
            return None
        share = {resource: counted(amount, self._resources)}
        if amount > 1 or not held(self._resources):
            self._refuse_if_it_waits_for_ever(share)
        return share

    def _refuse_if_it_waits_for_ever(self, share: dict[str, float]) -> None:
        """Dask accepts any task; only its state at the scheduler shows whether it can start."""
        future = self._client.submit(int, pure=False, resources=share)
        state = self._client.run_on_scheduler(_state, future.key)
        future.cancel()
        if state == "no-worker":
            raise CpusRejectedError(
                f"dask: the task is in state {state!r}: no worker has that much, so it would wait "
                "forever"
            )

    def _results(
        self, submit: Callable[[Sequence[Any]], Sequence[Framework]], inputs: Sequence[Any]
    ) -> Iterator[tuple[int, Any]]:
        from dask.sizeof import sizeof
        from distributed import CancelledError, KilledWorker, as_completed

        arguments = self._with_large_ones_scattered(inputs)
        futures = submit(arguments)
        indices = {future.key: index for index, future in enumerate(futures)}
        finished = as_completed(futures)
        # Release each future when its result is read: while a future exists, a worker keeps the
        # result in memory, and Dask reruns the task if that worker is lost, even long afterwards.
        del futures
        try:
            # Gather by batch: as_completed(with_results=True) requests every result separately.
            for batch in finished.batches():
                outputs = self._client.gather(batch, direct=self._large_outputs or None)
                # The client learns the size of an output only from the output itself.
                self._large_outputs = sizeof(outputs[-1]) >= _LARGE_BYTES
                for future, output in zip(batch, outputs, strict=True):
                    index = indices[future.key]
                    arguments[index] = None
                    yield index, output
        except KilledWorker as error:
            raise WorkerLostError(f"dask: {error}") from error
        except CancelledError as error:
            # Dask cannot send a scattered argument again.
            raise WorkerLostError(f"dask: a worker and its arguments are lost: {error}") from error

    def _with_large_ones_scattered(self, inputs: Sequence[Any]) -> list[Any]:
        """The inputs; a future that refers to a worker's memory replaces each large one.

        Hold such a future until its task has ended, because otherwise Dask drops the input.
        """
        from dask.sizeof import sizeof

        arguments = list(inputs)
        large = [n for n, value in enumerate(arguments) if sizeof(value) >= _LARGE_BYTES]
        if large:
            # hash=False: by default Dask hashes all bytes and stores equal inputs once.
            values = [arguments[n] for n in large]
            try:
                scattered = self._client.scatter(values, hash=False, direct=True)
            except OSError as error:
                raise WorkerLostError(f"dask: {error}") from error
            for n, future in zip(large, scattered, strict=True):
                arguments[n] = future
        return arguments

    @override
    def workers(self) -> int:
        workers = self._client.scheduler_info()["workers"]
        # If tasks request shares of a core, one process holds all cores of its host.
        whole = counted(1, self._resources)
        cores = (worker["resources"].get("cpu", 0) / whole for worker in workers.values())
        return sum(max(1, round(held_there)) for held_there in cores)

    @override
    def settings(self) -> tuple[Setting, ...]:
        return self._settings


async def _state(key: str, dask_scheduler: Framework) -> str:
    """State of a task at the scheduler, which may receive the task only after this query."""
    while key not in dask_scheduler.tasks:  # noqa: ASYNC110 - there is no event for this
        await asyncio.sleep(0.01)
    state: str = dask_scheduler.tasks[key].state
    return state
