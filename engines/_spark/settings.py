"""Spark's configuration: variables, properties and files, each setting with its reason."""

import importlib.util
import json
from pathlib import Path

from engines.environment import FOLDER, PYTHON
from engines.errors import EngineStartError
from engines.interface import Config, Resources, Setting

# Without the second logger PySpark sets its level itself and prints a banner.
LOGGING = """
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

SLOTS_SCRIPT = "slots.sh"
"""Script in the private folder that tells a Spark worker which slots it has."""
EVENTS = "events"
"""Folder in the private folder where Spark writes its event log."""

DEFAULTS = "spark-defaults.conf"
"""File in a configuration folder with properties that need not be on a command line."""

_DRIVER_MEMORY = "4g"
EXECUTOR_MIB = 512
"""Of each executor that is started on demand: four of them share the memory of this host."""
JAVA_OPTIONS = ("--add-modules=jdk.incubator.vector", f"-Xmx{_DRIVER_MEMORY}")
"""Options of the JVM that some Java, or some host, cannot start with: Spark always passes the
first, and the second reserves address space, which ``ulimit -v`` limits."""

FREEZE = Setting(
    name="gc.freeze",
    value="in a worker, after a task that imported modules",
    reason="PySpark runs the garbage collector after every task, which with torch imported scans "
    "165,000 objects each time",
)


def slots_script(workers: int) -> str:
    """A discovery script that prints the slots in the form that Spark expects."""
    slots = {"name": "slot", "addresses": [str(number) for number in range(workers)]}
    return f"#!/bin/sh\necho '{json.dumps(slots)}'\n"


def variables(resources: Resources) -> tuple[Setting, ...]:
    """Environment variables that Spark's scripts and workers read."""
    settings = [
        Setting(
            name="SPARK_HOME",
            value=FOLDER,
            reason="links to the Spark inside PySpark; workers of a local cluster create their "
            "folders here",
        ),
        Setting(
            name="SPARK_CONF_DIR",
            value=FOLDER,
            reason="ignores configuration for other clusters; the log has errors only",
        ),
        Setting(
            name="PYSPARK_PYTHON",
            value=PYTHON,
            reason="workers use the driver's packages; the default is any python3",
        ),
    ]
    if not _others_connect(resources):
        settings.append(
            Setting(
                name="SPARK_LOCAL_IP",
                value="127.0.0.1",
                reason="all servers listen on loopback only",
            )
        )
    return tuple(settings)


def _others_connect(resources: Resources) -> bool:
    """Whether executors on other hosts must connect to the driver."""
    return resources.cluster is not None and "127.0.0.1" not in resources.cluster


def properties(resources: Resources) -> tuple[Setting, ...]:
    """Properties of the ``SparkConf``."""
    settings = [
        *_master(resources),
        Setting(name="spark.app.name", value="engine-compare", reason="a name is required"),
        *([] if _others_connect(resources) else _LOOPBACK),
        Setting(name="spark.local.dir", value=FOLDER, reason="private, and removed on exit"),
        Setting(
            name="spark.driver.extraJavaOptions",
            value=f"-Djava.io.tmpdir={FOLDER} -XX:-UsePerfData",
            reason="no files remain in the host's temporary folder",
        ),
        *([_EXECUTOR_FOLDER] if resources.cluster is None else []),
        Setting(name="spark.ui.showConsoleProgress", value="false", reason="no progress bar"),
        Setting(
            name="spark.executorEnv.OMP_NUM_THREADS",
            value=str(resources.threads_per_worker),
            reason="by default Spark sets it to the number of cores of a task",
        ),
    ]
    if resources.smallest_share < 1:
        settings += _slots(resources)
    if resources.traced:
        settings += _RECORD
    if resources.config is Config.TUNED:
        settings += [
            Setting(
                name="spark.driver.memory",
                value=_DRIVER_MEMORY,
                reason="arguments and results pass through the driver, and two of 64 MB at once "
                "can exceed the default of 1 GB",
            ),
            Setting(
                name="spark.ui.enabled",
                value="false",
                reason="an unused dashboard takes CPU time from the scheduler",
            ),
            Setting(
                name="spark.python.unix.domain.socket.enabled",
                value="true",
                reason="over TCP every task waits about 40 ms for a delayed acknowledgement",
            ),
            *(_quick_compiler(jvm) for jvm in ("driver", "executor")),
        ]
    return tuple(settings)


def _quick_compiler(jvm: str) -> Setting:
    # Not in extraJavaOptions, which have options for both configurations; Spark joins the two.
    # See docs/decisions/0017-stop-sparks-jvm-at-the-quick-compiler.md.
    return Setting(
        name=f"spark.{jvm}.defaultJavaOptions",
        value="-XX:TieredStopAtLevel=1",
        reason="the JVM only schedules, while its optimizing compiler takes CPU time from the "
        "workers during the first thousands of tasks",
    )


def _master(resources: Resources) -> tuple[Setting, ...]:
    if resources.cluster is not None:
        return (
            Setting(name="spark.master", value=resources.cluster, reason="the cluster to join"),
            Setting(
                name="spark.cores.max",
                value=str(resources.workers),
                reason="the same number of cores as every engine",
            ),
        )
    if resources.idle_s is not None:
        return _scaling(resources.workers, resources.idle_s)
    shares = resources.smallest_share < 1
    if resources.faults and resources.config is Config.TUNED:
        return (
            Setting(
                name="spark.master",
                value=f"local[{resources.workers},4]",
                reason="a core for each worker; a task may fail three times, as on a cluster; by "
                "default the first failure ends a job in local mode",
            ),
        )
    return (
        Setting(
            name="spark.master",
            value=f"local-cluster[1,{resources.workers},2048]"
            if shares
            else f"local[{resources.workers}]",
            reason="one executor, separate from the driver, with a core for each worker: only then "
            "can tasks of one application request different shares of a core"
            if shares
            else "a core for each worker",
        ),
    )


def _scaling(most: int, idle_s: float) -> tuple[Setting, ...]:
    """Executors that start and end with the demand, on a private standalone cluster."""
    return (
        Setting(
            name="spark.master",
            value="spark://127.0.0.1:any",
            reason="a private master, and one worker with room for all executors; in local mode "
            "there are no executors",
        ),
        Setting(name="spark.executor.cores", value="1", reason="one worker for each core"),
        Setting(
            name="spark.executor.memory",
            value=f"{EXECUTOR_MIB}m",
            reason="several executors share the memory of this host; the default is 1 GB",
        ),
        Setting(
            name="spark.dynamicAllocation.enabled",
            value="true",
            reason="executors start and end with the demand; by default they all run to the end",
        ),
        Setting(
            name="spark.dynamicAllocation.maxExecutors",
            value=str(most),
            reason="executors at the same time: as many workers as every engine may have",
        ),
        Setting(
            name="spark.dynamicAllocation.executorIdleTimeout",
            value=f"{idle_s:g}s",
            reason="an idle worker ends after the same time on every engine; the default is 60 s",
        ),
    )


_LOOPBACK = (
    Setting(
        name="spark.driver.bindAddress",
        value="127.0.0.1",
        reason="all servers listen on loopback only",
    ),
    Setting(
        name="spark.driver.host",
        value="127.0.0.1",
        reason="does not depend on how the host name resolves",
    ),
)
_EXECUTOR_FOLDER = Setting(
    name="spark.executor.extraJavaOptions",
    value=f"-Djava.io.tmpdir={FOLDER} -XX:-UsePerfData",
    reason="no files of a local cluster's executor remain in the host's temporary folder",
)


def _slots(resources: Resources) -> tuple[Setting, ...]:
    if resources.cluster is not None:
        return (
            Setting(
                name="spark.executor.resource.slot.amount",
                value="1",
                reason="one slot of each worker, for tasks that request a share of a slot",
            ),
        )
    return (
        *worker_slots(resources.workers, FOLDER),
        Setting(
            name="spark.executor.resource.slot.amount",
            value=str(resources.workers),
            reason=_SLOTS,
        ),
    )


_SLOTS = "one slot per worker, for tasks that request a share of a slot"


def worker_slots(cores: int, folder: str) -> tuple[Setting, ...]:
    """Properties of a Spark worker whose slots a script in that folder reports."""
    return (
        Setting(name="spark.worker.resource.slot.amount", value=str(cores), reason=_SLOTS),
        Setting(
            name="spark.worker.resource.slot.discoveryScript",
            value=f"{folder}/{SLOTS_SCRIPT}",
            reason="Spark runs a program to discover the slots",
        ),
    )


_RECORD = (
    Setting(
        name="spark.eventLog.enabled",
        value="true",
        reason="records which executor ran which task when, to compare with our record",
    ),
    Setting(
        name="spark.eventLog.dir",
        value=f"file://{FOLDER}/{EVENTS}",
        reason="private, and removed on exit",
    ),
    Setting(
        name="spark.eventLog.rolling.enabled",
        value="false",
        reason="one file, which can be read while the session is open",
    ),
    Setting(
        name="spark.eventLog.compress",
        value="false",
        reason="the file can be read while the session is open",
    ),
)


def home() -> Path:
    """The folder of the Spark distribution inside PySpark."""
    spec = importlib.util.find_spec("pyspark")
    if spec is None or spec.origin is None:
        raise EngineStartError("spark did not start: pyspark is not installed")
    return Path(spec.origin).parent
