"""How Spark is set up: variables, properties and files, each setting with its reason."""

import importlib.util
import json
from pathlib import Path

from engines.environment import FOLDER, PYTHON
from engines.errors import EngineStartError
from engines.interface import Config, Resources, Setting

# The second logger is the one whose level PySpark otherwise sets, with a banner.
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
"""In the private folder: what tells a Spark worker which slots it has."""
EVENTS = "events"
"""In the private folder: where Spark keeps its record."""

DEFAULTS = "spark-defaults.conf"
"""In a folder of configuration: properties that need not be on a command line."""

FREEZE = Setting(
    name="gc.freeze",
    value="in a worker, after a task that imported modules",
    reason="PySpark collects garbage after every task, and with torch imported looks at 165,000 "
    "objects each time",
)


def slots_script(workers: int) -> str:
    """Says what Spark expects of a discovery script."""
    told = {"name": "slot", "addresses": [str(number) for number in range(workers)]}
    return f"#!/bin/sh\necho '{json.dumps(told)}'\n"


def variables(resources: Resources) -> tuple[Setting, ...]:
    """Read by Spark's scripts and by its workers from the environment."""
    settings = [
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
        Setting(
            name="PYSPARK_PYTHON",
            value=PYTHON,
            reason="workers with the driver's packages; the default is any python3",
        ),
    ]
    if not _others_connect(resources):
        settings.append(
            Setting(
                name="SPARK_LOCAL_IP", value="127.0.0.1", reason="nothing listens beyond loopback"
            )
        )
    return tuple(settings)


def _others_connect(resources: Resources) -> bool:
    """Executors on other hosts have to reach the driver."""
    return resources.cluster is not None and "127.0.0.1" not in resources.cluster


def properties(resources: Resources) -> tuple[Setting, ...]:
    """Of the ``SparkConf``."""
    settings = [
        *_master(resources),
        Setting(name="spark.app.name", value="engine-compare", reason="a name is required"),
        *([] if _others_connect(resources) else _LOOPBACK),
        Setting(name="spark.local.dir", value=FOLDER, reason="private, and removed on exit"),
        Setting(
            name="spark.driver.extraJavaOptions",
            value=f"-Djava.io.tmpdir={FOLDER} -XX:-UsePerfData",
            reason="nothing is left in the host's folder for temporary files",
        ),
        *([_EXECUTOR_FOLDER] if resources.cluster is None else []),
        Setting(name="spark.ui.showConsoleProgress", value="false", reason="no bar on the console"),
        Setting(
            name="spark.executorEnv.OMP_NUM_THREADS",
            value=str(resources.threads_per_worker),
            reason="Spark otherwise sets it to the cores of a task",
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
                value="4g",
                reason="arguments and results pass through the driver, and two of 64 MB at once "
                "can be too many for the default of 1 GB",
            ),
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


def _master(resources: Resources) -> tuple[Setting, ...]:
    if resources.cluster is not None:
        return (
            Setting(name="spark.master", value=resources.cluster, reason="the cluster to join"),
            Setting(
                name="spark.cores.max",
                value=str(resources.workers),
                reason="as many cores as every engine has",
            ),
        )
    shares = resources.smallest_share < 1
    return (
        Setting(
            name="spark.master",
            value=f"local-cluster[1,{resources.workers},2048]"
            if shares
            else f"local[{resources.workers}]",
            reason="one executor with a core for each worker, apart from the driver, since only "
            "then may tasks of one application ask for different shares of a core"
            if shares
            else "a core for each worker",
        ),
    )


_LOOPBACK = (
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
)
_EXECUTOR_FOLDER = Setting(
    name="spark.executor.extraJavaOptions",
    value=f"-Djava.io.tmpdir={FOLDER} -XX:-UsePerfData",
    reason="the same for the executor of a local cluster",
)


def _slots(resources: Resources) -> tuple[Setting, ...]:
    if resources.cluster is not None:
        return (
            Setting(
                name="spark.executor.resource.slot.amount",
                value="1",
                reason="of the slots of a worker, for tasks that ask for a share of it",
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


_SLOTS = "one for each worker, for tasks that ask for a share of it"


def worker_slots(cores: int, folder: str) -> tuple[Setting, ...]:
    """Properties of a Spark worker whose slots a script in that folder tells."""
    return (
        Setting(name="spark.worker.resource.slot.amount", value=str(cores), reason=_SLOTS),
        Setting(
            name="spark.worker.resource.slot.discoveryScript",
            value=f"{folder}/{SLOTS_SCRIPT}",
            reason="Spark asks a program which slots there are",
        ),
    )


_RECORD = (
    Setting(
        name="spark.eventLog.enabled",
        value="true",
        reason="its own record of who ran what when is compared with ours",
    ),
    Setting(
        name="spark.eventLog.dir",
        value=f"file://{FOLDER}/{EVENTS}",
        reason="private, and removed on exit",
    ),
    Setting(
        name="spark.eventLog.rolling.enabled",
        value="false",
        reason="one file, that can be read while the session is open",
    ),
    Setting(name="spark.eventLog.compress", value="false", reason="the same"),
)


def home() -> Path:
    """Where the Spark is that comes with PySpark."""
    spec = importlib.util.find_spec("pyspark")
    if spec is None or spec.origin is None:
        raise EngineStartError("spark did not start: pyspark is not installed")
    return Path(spec.origin).parent
