"""Opens a Spark context, on a private cluster or on a running one."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from engines._spark.cluster import CLUSTER, version_on
from engines._spark.settings import DEFAULTS
from engines.cluster import head_of, refuse_other_versions
from engines.environment import Framework, filled
from engines.errors import EngineStartError
from engines.interface import Setting

_STOP_TIMEOUT_S = 5


@contextmanager
def opened_context(
    properties: tuple[Setting, ...], folder: Path, master: str | None
) -> Iterator[Framework]:
    """A SparkContext, on this master if the properties do not name it; on exit its JVM ends too."""
    from py4j.protocol import Py4JError
    from pyspark import SparkConf, SparkContext
    from pyspark.errors import PySparkException

    conf = SparkConf(loadDefaults=False)
    for setting in properties:
        conf.set(setting.name, filled(setting.value, folder))
    if master is not None:
        conf.setMaster(master)
    try:
        context = SparkContext(conf=conf)
    except (Py4JError, PySparkException, OSError) as error:
        raise EngineStartError(f"spark did not start: {error}") from error
    gateway = context._gateway  # noqa: SLF001 - PySpark does not stop its JVM
    try:
        yield context
    finally:
        context.stop()
        gateway.shutdown()
        # The JVM runs until its standard input closes, which otherwise happens when we exit.
        gateway.proc.stdin.close()
        try:
            gateway.proc.wait(_STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            gateway.proc.kill()
            gateway.proc.wait()


def refuse_another_version(address: str) -> None:
    """Fail early: another version's master drops unreadable messages; a driver waits minutes."""
    theirs = version_on(f"http://{head_of(address)}:{CLUSTER.page}/")
    if theirs is not None:
        who = f"spark: the master at {address}"
        refuse_other_versions(who, {"pyspark": theirs}, {"pyspark": version()})


def version() -> str:
    """The version of PySpark here."""
    import pyspark

    ours: str = pyspark.__version__
    return ours


def credentials() -> str:
    """The properties with credentials from the user's own configuration; empty without one."""
    configured = os.environ.get("SPARK_CONF_DIR")
    path = Path(configured or ".") / DEFAULTS
    if configured is None or not path.is_file():
        return ""
    try:
        return path.read_text()
    except OSError as error:
        raise EngineStartError(f"spark: cannot read {path}: {error.strerror}") from error
