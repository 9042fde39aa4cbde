"""The Spark engine: one job with one partition per input, in local mode or on a cluster."""

import functools
import secrets
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from itertools import accumulate
from pathlib import Path
from typing import Any, ClassVar, Self

from typing_extensions import override

from engines._spark.cluster import CLUSTER
from engines._spark.context import version
from engines._spark.environment import ship
from engines._spark.graph import readers
from engines._spark.host import obstacles
from engines._spark.opening import opened, reason
from engines._spark.settings import EVENTS, FREEZE
from engines._spark.trace import task_spans
from engines._spark.worker import call, call_and_freeze, for_driver, partition, run_node
from engines.cluster import Cluster, wait_for_workers
from engines.environment import (
    Framework,
)
from engines.errors import CpusRejectedError, EngineStartError, WorkerLostError
from engines.interface import (
    Capability,
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

_START_TIMEOUT_S = 60

_LITTLE_CPU = 1e-6
"""CPU request of a task that needs no core.  Spark rejects zero, and with its smallest amount,
1e-9, the number of tasks that fit overflows from three cores on."""


class SparkEngine(Engine):
    """Runs one Spark partition, and therefore one Spark task, for each input."""

    name: ClassVar[str] = "spark"
    summary: ClassVar[str] = "a Spark job with one partition for each task"
    capabilities: ClassVar[frozenset[Capability]] = frozenset(
        {
            Capability.PARALLEL,
            Capability.FRACTIONAL_CPUS,
            Capability.SLOTS,
            Capability.BULK,
            Capability.GRAPHS,
            Capability.TRACES,
            Capability.SPANS_HOSTS,
            Capability.SCALES,
            Capability.SHIPS,
        }
    )
    fixed_s: ClassVar[float] = 0.06
    requirements: ClassVar[tuple[Requirement, ...]] = (
        Requirement(distribution="pyspark", module="pyspark"),
    )
    extra: ClassVar[str | None] = "spark"
    cluster: ClassVar[Cluster | None] = CLUSTER

    def __init__(
        self,
        context: Framework,
        folder: Path,
        resources: Resources,
        settings: tuple[Setting, ...],
    ) -> None:
        self._context = context
        self._folder = folder
        self._resources = resources
        self._settings = settings
        self._freezes = FREEZE in settings

    @override
    @classmethod
    def obstacles(cls) -> Iterator[str]:
        return obstacles()

    @override
    @classmethod
    @contextmanager
    def open(cls, resources: Resources) -> Iterator[Self]:
        with opened(resources) as (context, folder, settings):
            engine = cls(context, folder, resources, settings)
            if resources.idle_s is not None:
                pass  # executors come with the first tasks
            elif resources.cluster is None:
                engine._wait_for_executors()
            else:
                engine._make_sure_of_the_master(resources.cluster)
                wait_for_workers(engine, resources)
            yield engine

    def _wait_for_executors(self) -> None:
        for _ in range(_START_TIMEOUT_S * 20):
            if self.workers() >= self._resources.workers:
                return
            time.sleep(0.05)
        raise EngineStartError(f"spark: no executor registered within {_START_TIMEOUT_S} s")

    def _make_sure_of_the_master(self, address: str) -> None:
        if self._scala().isStopped():
            raise EngineStartError(
                f"spark: the master at {address} did not accept this program: it is not running, "
                f"has another secret, or has another version of Spark than {version()} here; "
                "see its log"
            )

    @override
    def run(
        self,
        function: Callable[[Input], Output],
        inputs: Sequence[Input],
        *,
        cpus: float = 1.0,
        slots: float | None = None,
    ) -> Iterator[tuple[int, Output]]:
        from py4j.protocol import Py4JJavaError

        # Use one partition per input, because Spark runs one task per partition.
        tasks = self._context.parallelize(list(enumerate(inputs)), max(len(inputs), 1))
        if cpus != 1.0 or slots is not None or self._resources.smallest_share < 1:
            try:
                profile = _profile(cpus, slots)
                tasks = tasks.withResources(profile)
            except (Py4JJavaError, ValueError) as error:
                raise CpusRejectedError(f"spark: {reason(error)}") from error
            more_than_one = (cpus if slots is None else slots) > 1
            if more_than_one and not self._concurrent(profile._java_resource_profile):  # noqa: SLF001
                raise CpusRejectedError(
                    "spark: maxNumConcurrentTasks is 0: no executor has that much, so the tasks "
                    "would wait forever"
                )
        return _results(tasks.map(self._call(function)).collect)

    @override
    def ship(self, parcel: Parcel) -> Run:
        ship(self._context, parcel, self._folder)
        return self.run

    @override
    def run_one_by_one(
        self, function: Callable[[Input], Output], inputs: Sequence[Input]
    ) -> Iterator[tuple[int, Output]]:
        task_function = self._call(function)

        def job(index: int, value: Input) -> list[tuple[int, Output]]:
            results: list[tuple[int, Output]]
            results = self._context.parallelize([(index, value)], 1).map(task_function).collect()
            return results

        # A job blocks the thread that submits it until the job ends.
        threads, tag = 2 * self._resources.workers, secrets.token_hex(8)
        pool = ThreadPoolExecutor(threads, initializer=self._context.addJobTag, initargs=(tag,))
        try:
            jobs = [pool.submit(job, index, value) for index, value in enumerate(inputs)]
            for done in as_completed(jobs):
                yield from _results(done.result)
        finally:
            # Jobs remain only if the run was abandoned.
            pool.shutdown(wait=False, cancel_futures=True)
            self._context.cancelJobsWithTag(tag)
            pool.shutdown()

    @override
    def run_graph(
        self, function: Callable[[Input, tuple[Output, ...]], Output], graph: Graph[Input]
    ) -> Iterator[tuple[int, Output]]:
        """Run the graph in stages: a layer starts when the whole previous layer has ended.

        The graph is one job.  Each stage writes its outputs to shuffle files, once for each task of
        the next layer that needs them and once for the driver.  The driver's copies go to the first
        partition, from which the job's last stage reads them.
        """
        context = self._context
        plan = context.broadcast((function, graph, readers(graph), self._freezes))
        widths = [*(len(layer) for layer in graph[1:]), 1]
        stages: list[Framework] = []
        outputs = context.parallelize([], len(graph[0]))
        for layer, width in enumerate(widths):
            tasks = outputs.mapPartitionsWithIndex(functools.partial(run_node, plan, layer))
            outputs = tasks.partitionBy(width, partition)
            stages.append(outputs)
        firsts = [0, *accumulate(widths)][:-1]
        try:
            yield from _results(lambda: context.runJob(context.union(stages), for_driver, firsts))
        finally:
            plan.destroy()

    @override
    def own_trace(self) -> tuple[OwnSpan, ...]:
        context = self._scala()
        # A separate thread writes the events, and flushes them at the end of a job.
        context.listenerBus().waitUntilEmpty()
        (log,) = (self._folder / EVENTS).glob(f"{context.applicationId()}*")
        return task_spans(log)

    def _call(self, function: Callable[[Input], Output]) -> Callable[..., tuple[int, Output]]:
        return functools.partial(call_and_freeze if self._freezes else call, function)

    @override
    def workers(self) -> int:
        manager = self._scala().resourceProfileManager()
        return self._concurrent(manager.defaultResourceProfile())

    def _concurrent(self, profile: Framework) -> int:
        return int(self._scala().maxNumConcurrentTasks(profile))

    def _scala(self) -> Framework:
        """The Scala context behind PySpark's, which does not expose all that this one does."""
        return self._context._jsc.sc()  # noqa: SLF001

    @override
    def settings(self) -> tuple[Setting, ...]:
        return self._settings


def _profile(cpus: float, slots: float | None) -> Framework:
    from pyspark.resource import ResourceProfileBuilder, TaskResourceRequests

    asked = TaskResourceRequests()
    if slots is None:
        asked.cpus(cpus)
    else:
        asked.cpus(_LITTLE_CPU).resource("slot", slots)
    return ResourceProfileBuilder().require(asked).build


def _results(job: Callable[[], Iterable[tuple[int, Any]]]) -> Iterator[tuple[int, Any]]:
    from py4j.protocol import Py4JError

    try:
        results = job()
    except Py4JError as error:
        raise WorkerLostError(f"spark: {reason(error)}") from error
    yield from results
