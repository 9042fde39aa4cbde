"""Spark: one job of as many partitions as there are inputs, in local mode."""

import functools
import json
import os
import secrets
import subprocess
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from itertools import accumulate
from pathlib import Path
from typing import Any, ClassVar, Self

from typing_extensions import override

from engines._spark.cluster import CLUSTER, version_on
from engines._spark.settings import (
    DEFAULTS,
    EVENTS,
    FREEZE,
    LOGGING,
    SLOTS_SCRIPT,
    home,
    properties,
    slots_script,
    variables,
)
from engines._spark.worker import call, call_and_freeze, for_driver, partition, run_node
from engines.cluster import Cluster, head_of, refuse_other_versions, wait_for_workers
from engines.environment import (
    Framework,
    budget,
    export,
    filled,
    forget,
    private_folder,
    share_import_path,
)
from engines.errors import CpusRejectedError, EngineStartError, WorkerLostError
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

_START_TIMEOUT_S = 60
_STOP_TIMEOUT_S = 5

_LITTLE_CPU = 1e-6
"""What a task asks for that needs no core: Spark takes no zero, and its smallest amount, 1e-9, lets
the number of tasks that fit overflow from three cores on."""


class SparkEngine(Engine):
    """One Spark partition, and so one Spark task, for each input."""

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
        }
    )
    fixed_s: ClassVar[float] = 0.06
    requirements: ClassVar[tuple[Requirement, ...]] = (
        Requirement(distribution="pyspark", module="pyspark"),
    )
    extra: ClassVar[str | None] = "spark"
    cluster: ClassVar[Cluster | None] = CLUSTER
    needs_java: ClassVar[bool] = True

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
    @contextmanager
    def open(cls, resources: Resources) -> Iterator[Self]:
        conf = properties(resources)
        environment = budget(resources) + variables(resources)
        tuned = (FREEZE,) if resources.config is Config.TUNED else ()
        settings = environment + conf + tuned
        credentials = _credentials() if resources.cluster is not None else ""
        if resources.cluster is not None:
            _refuse_another_version(resources.cluster)
        forget("SPARK_", "PYSPARK_", "HADOOP_", "YARN_", "JAVA_TOOL_OPTIONS", "_JAVA_OPTIONS")
        forget("JDK_JAVA_OPTIONS", "CLASSPATH")
        with private_folder() as folder:
            export(environment, folder)
            share_import_path()
            (folder / "log4j2.properties").write_text(LOGGING)
            # In a file, since properties on a command line can be read by everyone.
            (folder / DEFAULTS).write_text(credentials)
            for part in ("bin", "jars"):
                (folder / part).symlink_to(home() / part)
            (folder / SLOTS_SCRIPT).write_text(slots_script(resources.workers))
            (folder / SLOTS_SCRIPT).chmod(0o700)
            (folder / EVENTS).mkdir()
            with _context(conf, folder) as context:
                engine = cls(context, folder, resources, settings)
                if resources.cluster is None:
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
                f"spark: the master at {address} did not take this program in: it is not there, "
                f"or has other secrets, or is another version of Spark than {_version()} here; "
                "its log says which"
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

        # A partition for each input: Spark makes one task of a partition.
        tasks = self._context.parallelize(list(enumerate(inputs)), max(len(inputs), 1))
        if cpus != 1.0 or slots is not None or self._resources.smallest_share < 1:
            try:
                profile = _profile(cpus, slots)
                tasks = tasks.withResources(profile)
            except (Py4JJavaError, ValueError) as error:
                raise CpusRejectedError(f"spark: {_reason(error)}") from error
            more_than_one = (cpus if slots is None else slots) > 1
            if more_than_one and not self._concurrent(profile._java_resource_profile):  # noqa: SLF001
                raise CpusRejectedError(
                    "spark: maxNumConcurrentTasks is 0: no executor has so much, and the tasks "
                    "would wait for ever"
                )
        return _results(tasks.map(self._call(function)).collect)

    @override
    def run_one_by_one(
        self, function: Callable[[Input], Output], inputs: Sequence[Input]
    ) -> Iterator[tuple[int, Output]]:
        one = self._call(function)

        def job(index: int, value: Input) -> list[tuple[int, Output]]:
            results: list[tuple[int, Output]]
            results = self._context.parallelize([(index, value)], 1).map(one).collect()
            return results

        # A job holds the thread that submits it until it has ended.
        threads, tag = 2 * self._resources.workers, secrets.token_hex(8)
        pool = ThreadPoolExecutor(threads, initializer=self._context.addJobTag, initargs=(tag,))
        try:
            jobs = [pool.submit(job, index, value) for index, value in enumerate(inputs)]
            for done in as_completed(jobs):
                yield from _results(done.result)
        finally:
            # Jobs are left over only when the run was given up.
            pool.shutdown(wait=False, cancel_futures=True)
            self._context.cancelJobsWithTag(tag)
            pool.shutdown()

    @override
    def run_graph(
        self, function: Callable[[Input, tuple[Output, ...]], Output], graph: Graph[Input]
    ) -> Iterator[tuple[int, Output]]:
        """By stages: a layer starts when all of the layer before has ended.

        One job.  Each stage writes its outputs to shuffle files, once for each task of the next
        layer that needs them and once for the driver, whose copies go to the first partition.  The
        job's last stage reads them from there.
        """
        context = self._context
        plan = context.broadcast((function, graph, _readers(graph), self._freezes))
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
        # Events are written by a thread of their own, and flushed with the end of a job.
        context.listenerBus().waitUntilEmpty()
        (log,) = (self._folder / EVENTS).glob(f"{context.applicationId()}*")
        with log.open() as lines:
            events = [json.loads(line) for line in lines if '"SparkListenerTaskEnd"' in line]
        return tuple(
            OwnSpan(
                name=f"task {event['Task Info']['Index']} in stage {event['Stage ID']}",
                worker=f"executor {event['Task Info']['Executor ID']}",
                start_s=event["Task Info"]["Launch Time"] / 1e3,
                end_s=event["Task Info"]["Finish Time"] / 1e3,
            )
            for event in events
        )

    def _call(self, function: Callable[[Input], Output]) -> Callable[..., tuple[int, Output]]:
        return functools.partial(call_and_freeze if self._freezes else call, function)

    @override
    def workers(self) -> int:
        manager = self._scala().resourceProfileManager()
        return self._concurrent(manager.defaultResourceProfile())

    def _concurrent(self, profile: Framework) -> int:
        return int(self._scala().maxNumConcurrentTasks(profile))

    def _scala(self) -> Framework:
        """The context behind PySpark's, which does not tell all that this one does."""
        return self._context._jsc.sc()  # noqa: SLF001

    @override
    def settings(self) -> tuple[Setting, ...]:
        return self._settings


@contextmanager
def _context(properties: tuple[Setting, ...], folder: Path) -> Iterator[Framework]:
    """A SparkContext; on exit its Java machine is gone too."""
    from py4j.protocol import Py4JError
    from pyspark import SparkConf, SparkContext
    from pyspark.errors import PySparkException

    conf = SparkConf(loadDefaults=False)
    for setting in properties:
        conf.set(setting.name, filled(setting.value, folder))
    try:
        context = SparkContext(conf=conf)
    except (Py4JError, PySparkException, OSError) as error:
        raise EngineStartError(f"spark did not start: {error}") from error
    gateway = context._gateway  # noqa: SLF001 - PySpark leaves its process behind
    try:
        yield context
    finally:
        context.stop()
        gateway.shutdown()
        # The Java machine lives until its standard input ends, which would be when we do.
        gateway.proc.stdin.close()
        try:
            gateway.proc.wait(_STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            gateway.proc.kill()
            gateway.proc.wait()


def _refuse_another_version(address: str) -> None:
    """A master of another version drops what it cannot read, and a driver waits for minutes."""
    theirs = version_on(f"http://{head_of(address)}:{CLUSTER.page}/")
    if theirs is not None:
        who = f"spark: the master at {address}"
        refuse_other_versions(who, {"pyspark": theirs}, {"pyspark": _version()})


def _version() -> str:
    import pyspark

    version: str = pyspark.__version__
    return version


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
        raise WorkerLostError(f"spark: {_reason(error)}") from error
    yield from results


def _readers(graph: Graph[Any]) -> list[list[list[int]]]:
    """For each task of each layer, the places in the next layer of those that need its output."""
    readers: list[list[list[int]]] = [[[] for _ in layer] for layer in graph]
    for layer, following in enumerate(graph[1:]):
        for reader, node in enumerate(following):
            for place in set(node.needs):
                readers[layer][place].append(reader)
    return readers


def _reason(error: Exception) -> str:
    """Spark's own words without the stack of its Java machine."""
    try:
        return str(getattr(error, "java_exception", error)).splitlines()[0]
    except OSError:
        # The words are in the Java machine.
        return "its Java machine has ended"


def _credentials() -> str:
    """What the user's own configuration says of how to prove who one is, if it does."""
    configured = os.environ.get("SPARK_CONF_DIR")
    path = Path(configured or ".") / DEFAULTS
    if configured is None or not path.is_file():
        return ""
    try:
        return path.read_text()
    except OSError as error:
        raise EngineStartError(f"spark: cannot read {path}: {error.strerror}") from error
