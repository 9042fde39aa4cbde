"""Spark: one job of as many partitions as there are inputs, in local mode."""

import functools
import gc
import importlib.util
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ClassVar, Self

from typing_extensions import override

from engines.environment import (
    FOLDER,
    PYTHON,
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
    Input,
    Output,
    Requirement,
    Resources,
    Setting,
)

_START_TIMEOUT_S = 60
_STOP_TIMEOUT_S = 5

# The second logger is the one whose level PySpark otherwise sets, with a banner.
_LOGGING = """
rootLogger.level = error
rootLogger.appenderRef.stderr.ref = stderr
logger.shell.name = org.apache.spark.api.python.PythonGatewayServer
logger.shell.level = error
logger.repl.name = org.apache.spark.repl.Main
logger.repl.level = error
appender.stderr.type = Console
appender.stderr.name = stderr
appender.stderr.target = SYSTEM_ERR
appender.stderr.layout.type = PatternLayout
appender.stderr.layout.pattern = %p %c{1}: %m%n
"""


_FREEZE = Setting(
    name="gc.freeze",
    value="in a worker, after a task that imported modules",
    reason="PySpark collects garbage after every task, and with torch imported looks at 165,000 "
    "objects each time",
)


class SparkEngine(Engine):
    """One Spark partition, and so one Spark task, for each input."""

    name: ClassVar[str] = "spark"
    summary: ClassVar[str] = "a Spark job with one partition for each task"
    capabilities: ClassVar[frozenset[Capability]] = frozenset(
        {Capability.PARALLEL, Capability.FRACTIONAL_CPUS}
    )
    requirements: ClassVar[tuple[Requirement, ...]] = (
        Requirement(distribution="pyspark", module="pyspark"),
    )
    extra: ClassVar[str | None] = "spark"
    needs_java: ClassVar[bool] = True

    def __init__(
        self, context: Framework, resources: Resources, settings: tuple[Setting, ...]
    ) -> None:
        self._context = context
        self._resources = resources
        self._settings = settings

    @override
    @classmethod
    @contextmanager
    def open(cls, resources: Resources) -> Iterator[Self]:
        variables = budget(resources) + _variables()
        properties = _properties(resources)
        tuned = (_FREEZE,) if resources.config is Config.TUNED else ()
        settings = variables + properties + tuned
        forget("SPARK_", "PYSPARK_", "HADOOP_", "YARN_", "JAVA_TOOL_OPTIONS", "_JAVA_OPTIONS")
        forget("JDK_JAVA_OPTIONS", "CLASSPATH")
        with private_folder() as folder:
            export(variables, folder)
            share_import_path()
            (folder / "log4j2.properties").write_text(_LOGGING)
            for part in ("bin", "jars"):
                (folder / part).symlink_to(_home() / part)
            with _context(properties, folder) as context:
                engine = cls(context, resources, settings)
                engine._wait_for_executors()
                yield engine

    def _wait_for_executors(self) -> None:
        for _ in range(_START_TIMEOUT_S * 20):
            if self.workers() >= self._resources.workers:
                return
            time.sleep(0.05)
        raise EngineStartError(f"spark: no executor registered within {_START_TIMEOUT_S} s")

    @override
    def run(
        self,
        function: Callable[[Input], Output],
        inputs: Sequence[Input],
        *,
        cpus: float = 1.0,
    ) -> Iterator[tuple[int, Output]]:
        from py4j.protocol import Py4JJavaError

        # A partition for each input: Spark makes one task of a partition.
        tasks = self._context.parallelize(list(enumerate(inputs)), max(len(inputs), 1))
        if cpus != 1.0 or self._resources.smallest_share < 1:
            try:
                tasks = tasks.withResources(_profile(cpus))
            except (Py4JJavaError, ValueError) as error:
                raise CpusRejectedError(f"spark: {_reason(error)}") from error
        call = _call_and_freeze if _FREEZE in self._settings else _call
        return _results(tasks.map(functools.partial(call, function)))

    @override
    def workers(self) -> int:
        context = self._context._jsc.sc()  # noqa: SLF001 - PySpark does not say it itself
        return int(
            context.maxNumConcurrentTasks(context.resourceProfileManager().defaultResourceProfile())
        )

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


def _profile(cpus: float) -> Framework:
    from pyspark.resource import ResourceProfileBuilder, TaskResourceRequests

    return ResourceProfileBuilder().require(TaskResourceRequests().cpus(cpus)).build


def _results(outcomes: Framework) -> Iterator[tuple[int, Any]]:
    from py4j.protocol import Py4JJavaError

    try:
        yield from outcomes.collect()
    except Py4JJavaError as error:
        raise WorkerLostError(f"spark: {_reason(error)}") from error


def _call(function: Callable[[Input], Output], task: tuple[int, Input]) -> tuple[int, Output]:
    index, value = task
    return index, function(value)


_modules_frozen: set[int] = set()


def _call_and_freeze(
    function: Callable[[Input], Output], task: tuple[int, Input]
) -> tuple[int, Output]:
    result = _call(function, task)
    # Only after imports, not after each task: garbage that is frozen is never collected.
    if len(sys.modules) not in _modules_frozen:
        _modules_frozen.add(len(sys.modules))
        gc.freeze()
    return result


def _reason(error: Exception) -> str:
    """Spark's own words without the stack of its Java machine."""
    return str(getattr(error, "java_exception", error)).splitlines()[0]


def _home() -> Path:
    spec = importlib.util.find_spec("pyspark")
    if spec is None or spec.origin is None:
        raise EngineStartError("spark did not start: pyspark is not installed")
    return Path(spec.origin).parent


def _variables() -> tuple[Setting, ...]:
    return (
        Setting(
            name="SPARK_HOME",
            value=FOLDER,
            reason="links to the Spark that comes with PySpark; workers of a local cluster write "
            "their folders there",
        ),
        Setting(
            name="SPARK_CONF_DIR",
            value=FOLDER,
            reason="no configuration for other clusters; errors only in the log",
        ),
        Setting(name="SPARK_LOCAL_IP", value="127.0.0.1", reason="nothing listens beyond loopback"),
        Setting(
            name="PYSPARK_PYTHON",
            value=PYTHON,
            reason="workers with the driver's packages; the default is any python3",
        ),
    )


def _properties(resources: Resources) -> tuple[Setting, ...]:
    shares = resources.smallest_share < 1
    master = (
        f"local-cluster[1,{resources.workers},2048]" if shares else f"local[{resources.workers}]"
    )
    settings = [
        Setting(
            name="spark.master",
            value=master,
            reason="one executor with a core for each worker, apart from the driver, since only "
            "then may tasks of one application ask for different shares of a core"
            if shares
            else "a core for each worker",
        ),
        Setting(name="spark.app.name", value="engine-compare", reason="a name is required"),
        Setting(
            name="spark.driver.bindAddress",
            value="127.0.0.1",
            reason="nothing listens beyond loopback",
        ),
        Setting(
            name="spark.driver.host",
            value="127.0.0.1",
            reason="does not depend on how the host's name resolves",
        ),
        Setting(name="spark.local.dir", value=FOLDER, reason="private, and removed on exit"),
        Setting(
            name="spark.driver.extraJavaOptions",
            value=f"-Djava.io.tmpdir={FOLDER} -XX:-UsePerfData",
            reason="nothing is left in the host's folder for temporary files",
        ),
        Setting(
            name="spark.executor.extraJavaOptions",
            value=f"-Djava.io.tmpdir={FOLDER} -XX:-UsePerfData",
            reason="the same for the executor of a local cluster",
        ),
        Setting(name="spark.ui.showConsoleProgress", value="false", reason="no bar on the console"),
        Setting(
            name="spark.executorEnv.OMP_NUM_THREADS",
            value=str(resources.threads_per_worker),
            reason="Spark otherwise sets it to the cores of a task",
        ),
    ]
    if resources.config is Config.TUNED:
        settings += [
            Setting(
                name="spark.ui.enabled",
                value="false",
                reason="a page that nobody looks at takes time from the scheduler",
            ),
            Setting(
                name="spark.python.unix.domain.socket.enabled",
                value="true",
                reason="over TCP every task waits some 40 ms for a delayed acknowledgement",
            ),
        ]
    return tuple(settings)
