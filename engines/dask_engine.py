"""Dask futures on a private local cluster."""

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import ClassVar, Self

from typing_extensions import override

from engines.environment import (
    FOLDER,
    Framework,
    arguments,
    budget,
    export,
    forget,
    private_folder,
    share_import_path,
)
from engines.errors import CpusRejectedError, EngineStartError, WorkerLostError
from engines.interface import (
    Capability,
    Config,
    Engine,
    Input,
    Output,
    Requirement,
    Resources,
    Setting,
)

_START_TIMEOUT_S = 60
_STOP_TIMEOUT_S = 5

_CORE = 1_000_000
"""A core in the units that Dask counts.  Whole numbers, since it adds and compares without
rounding: twenty times 0.1 of 2.0 cores would admit nineteen tasks."""


class DaskEngine(Engine):
    """One Dask future for each input."""

    name: ClassVar[str] = "dask"
    summary: ClassVar[str] = "Dask futures, one worker process for each core"
    capabilities: ClassVar[frozenset[Capability]] = frozenset(
        {Capability.PARALLEL, Capability.STREAMS, Capability.FRACTIONAL_CPUS}
    )
    requirements: ClassVar[tuple[Requirement, ...]] = (
        Requirement(distribution="distributed", module="distributed"),
    )
    extra: ClassVar[str | None] = "dask"

    def __init__(
        self, client: Framework, smallest_share: float, settings: tuple[Setting, ...]
    ) -> None:
        self._client = client
        self._smallest_share = smallest_share
        self._settings = settings

    @override
    @classmethod
    @contextmanager
    def open(cls, resources: Resources) -> Iterator[Self]:
        variables = budget(resources) + _variables(resources)
        cluster_arguments = _cluster_arguments(resources)
        forget("DASK_")
        with private_folder() as folder:
            export(variables, folder)
            share_import_path()
            import dask.config
            import distributed

            # Read again without the files that the host or its user may have for other clusters.
            dask.config.refresh(paths=[])
            try:
                cluster = distributed.LocalCluster(**arguments(cluster_arguments, folder))
            except (RuntimeError, OSError, TimeoutError) as error:
                raise EngineStartError(f"dask did not start: {error}") from error
            client = distributed.Client(cluster)
            try:
                client.wait_for_workers(resources.workers, timeout=_START_TIMEOUT_S)
                yield cls(client, resources.smallest_share, variables + cluster_arguments)
            finally:
                client.close(timeout=_STOP_TIMEOUT_S)
                cluster.close(timeout=_STOP_TIMEOUT_S)

    @override
    def run(
        self,
        function: Callable[[Input], Output],
        inputs: Sequence[Input],
        *,
        cpus: float = 1.0,
    ) -> Iterator[tuple[int, Output]]:
        if cpus < self._smallest_share:
            raise CpusRejectedError(
                f"dask: a worker has threads for shares of {self._smallest_share:g} cores or more, "
                f"not of {cpus:g}"
            )
        if cpus > 1:
            raise CpusRejectedError(
                f"dask: a worker has one core; a task that asks for {cpus:g} would wait for ever"
            )
        # Where all tasks take a whole core, one thread a worker says so already: tasks that ask
        # for resources are not queued at the scheduler but all sent to workers at once.
        share = None if self._smallest_share == 1.0 else {"cpu": round(cpus * _CORE)}
        return self._results(function, inputs, share)

    def _results(
        self,
        function: Callable[[Input], Output],
        inputs: Sequence[Input],
        share: dict[str, int] | None,
    ) -> Iterator[tuple[int, Output]]:
        from distributed import KilledWorker, as_completed

        # pure=False: by default Dask gives equal inputs one key and runs them once.
        futures = self._client.map(function, inputs, pure=False, resources=share)
        indices = {future.key: index for index, future in enumerate(futures)}
        try:
            # Gathered batch by batch: as_completed(with_results=True) asks for each on its own.
            for batch in as_completed(futures).batches():
                outputs = self._client.gather(batch)
                yield from zip((indices[future.key] for future in batch), outputs, strict=True)
        except KilledWorker as error:
            raise WorkerLostError(f"dask: {error}") from error

    @override
    def workers(self) -> int:
        return len(self._client.scheduler_info()["workers"])

    @override
    def settings(self) -> tuple[Setting, ...]:
        return self._settings


def _variables(resources: Resources) -> tuple[Setting, ...]:
    """Dask's configuration, as environment variables so that the workers see it too."""
    folder = Setting(
        name="DASK_TEMPORARY_DIRECTORY", value=FOLDER, reason="private, and removed on exit"
    )
    if resources.config is Config.SHIPPED:
        return (folder,)
    return (
        folder,
        # The scheduler keeps its queue; see docs/decisions/0008-dask-keeps-its-queue.md.
        Setting(
            name="DASK_DISTRIBUTED__WORKER__PROFILE__ENABLED",
            value="False",
            reason="the profiler looks at every worker's stack each 10 ms",
        ),
    )


def _cluster_arguments(resources: Resources) -> tuple[Setting, ...]:
    """Arguments of ``LocalCluster``; each value is a Python literal."""
    threads = math.floor(1 / resources.smallest_share + 1e-9)
    settings = [
        Setting(name="n_workers", value=str(resources.workers), reason="one process for each core"),
        Setting(
            name="threads_per_worker",
            value=str(threads),
            reason="tasks that a worker runs at once: one core in the smallest share asked for",
        ),
        Setting(name="host", value="'127.0.0.1'", reason="nothing listens beyond loopback"),
        Setting(name="silence_logs", value="40", reason="errors only: closing is not news"),
    ]
    if resources.smallest_share < 1:
        settings.append(
            Setting(
                name="resources",
                value=f"{{'cpu': {_CORE}}}",
                reason="a core in millionths, so that tasks can ask for a share of it",
            )
        )
    if resources.config is Config.TUNED:
        settings += [
            Setting(
                name="dashboard_address",
                value="None",
                reason="a page that nobody looks at takes time from the scheduler",
            ),
            Setting(
                name="memory_limit",
                value="0",
                reason="no other engine stops a worker for what it holds",
            ),
        ]
    else:
        settings.append(
            Setting(
                name="dashboard_address",
                value="'127.0.0.1:0'",
                reason="any free port, since 8787 may be taken",
            )
        )
    return tuple(settings)
