"""Starts Spark, or joins a running cluster: what all adapters of Spark have in common."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path

from engines._spark.context import credentials, opened_context, refuse_another_version
from engines._spark.elastic import elastic_cluster, new_secret
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
from engines.environment import (
    Framework,
    budget,
    export,
    forget,
    private_folder,
    share_import_path,
)
from engines.interface import Config, Resources, Setting


@contextmanager
def opened(resources: Resources) -> Iterator[tuple[Framework, Path, tuple[Setting, ...]]]:
    """A SparkContext, the private folder, and all settings made.

    Raises:
        EngineStartError: Spark did not start, or cannot join the cluster.
    """
    conf = properties(resources)
    environment = budget(resources) + variables(resources)
    tuned = (FREEZE,) if resources.config is Config.TUNED else ()
    secret = credentials() if resources.cluster is not None else ""
    if resources.idle_s is not None:
        secret = new_secret()
    if resources.cluster is not None:
        refuse_another_version(resources.cluster)
    forget("SPARK_", "PYSPARK_", "HADOOP_", "YARN_", *FOREIGN)
    with private_folder() as folder:
        export(environment, folder)
        share_import_path()
        (folder / "log4j2.properties").write_text(LOGGING)
        # Use a file, because every user can read properties on a command line.
        (folder / DEFAULTS).write_text(secret)
        for part in ("bin", "jars"):
            (folder / part).symlink_to(home() / part)
        (folder / SLOTS_SCRIPT).write_text(slots_script(resources.workers))
        (folder / SLOTS_SCRIPT).chmod(0o700)
        (folder / EVENTS).mkdir()
        private: AbstractContextManager[str | None] = nullcontext()
        if resources.idle_s is not None:
            private = elastic_cluster(resources, folder)
        with private as master, opened_context(conf, folder, master) as context:
            yield context, folder, environment + conf + tuned


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
