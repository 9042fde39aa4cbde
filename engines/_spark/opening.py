"""Starts Spark, or joins a running cluster: what all adapters of Spark have in common."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from engines._spark.cluster import CLUSTER, version_on
from engines._spark.host import FOREIGN
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
from engines.cluster import head_of, refuse_other_versions
from engines.environment import (
    Framework,
    budget,
    export,
    filled,
    forget,
    private_folder,
    share_import_path,
)
from engines.errors import EngineStartError
from engines.interface import Config, Resources, Setting

_STOP_TIMEOUT_S = 5


@contextmanager
def opened(resources: Resources) -> Iterator[tuple[Framework, Path, tuple[Setting, ...]]]:
    """A SparkContext, the private folder, and all settings made.

    Raises:
        EngineStartError: Spark did not start, or cannot join the cluster.
    """
    conf = properties(resources)
    environment = budget(resources) + variables(resources)
    tuned = (FREEZE,) if resources.config is Config.TUNED else ()
    credentials = _credentials() if resources.cluster is not None else ""
    if resources.cluster is not None:
        _refuse_another_version(resources.cluster)
    forget("SPARK_", "PYSPARK_", "HADOOP_", "YARN_", *FOREIGN)
    with private_folder() as folder:
        export(environment, folder)
        share_import_path()
        (folder / "log4j2.properties").write_text(LOGGING)
        # Use a file, because every user can read properties on a command line.
        (folder / DEFAULTS).write_text(credentials)
        for part in ("bin", "jars"):
            (folder / part).symlink_to(home() / part)
        (folder / SLOTS_SCRIPT).write_text(slots_script(resources.workers))
        (folder / SLOTS_SCRIPT).chmod(0o700)
        (folder / EVENTS).mkdir()
        with _context(conf, folder) as context:
            yield context, folder, environment + conf + tuned


@contextmanager
def _context(properties: tuple[Setting, ...], folder: Path) -> Iterator[Framework]:
    """A SparkContext; on exit its JVM ends too."""
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


def _refuse_another_version(address: str) -> None:
    """Fail early: another version's master drops unreadable messages; a driver waits minutes."""
    theirs = version_on(f"http://{head_of(address)}:{CLUSTER.page}/")
    if theirs is not None:
        who = f"spark: the master at {address}"
        refuse_other_versions(who, {"pyspark": theirs}, {"pyspark": version()})


def version() -> str:
    import pyspark

    version: str = pyspark.__version__
    return version


def reason(error: Exception) -> str:
    """Spark's own error message without stack traces."""
    try:
        lines = str(getattr(error, "java_exception", error)).splitlines()
    except OSError:
        # The message is stored in the JVM.
        return "its JVM has ended"
    if not lines[0].endswith("(most recent call last):"):
        return lines[0]
    # The last line of a traceback of Python is not indented, and says what happened.
    return f"{lines[0]} … {next(line for line in reversed(lines) if not line[:1].isspace())}"


def _credentials() -> str:
    """The properties with credentials from the user's own configuration; empty without one."""
    configured = os.environ.get("SPARK_CONF_DIR")
    path = Path(configured or ".") / DEFAULTS
    if configured is None or not path.is_file():
        return ""
    try:
        return path.read_text()
    except OSError as error:
        raise EngineStartError(f"spark: cannot read {path}: {error.strerror}") from error
