"""Spark on several hosts: how to start a master and a worker of a standalone cluster."""

import re
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from engines._spark.settings import SLOTS_SCRIPT, home, slots_script, worker_slots
from engines.cluster import LOOPBACK, Cluster, Daemon, Node
from engines.environment import budget
from engines.interface import Setting

_EXECUTOR_MIB = 1024
_PAGE_TIMEOUT_S = 3


def _head(node: Node, port: int, page: int) -> Daemon:
    """The master."""
    return Daemon(
        command=(
            *_class("master.Master"),
            *("--host", node.name),
            *("--port", str(port)),
            *("--webui-port", str(page)),
        ),
        settings=(*budget(node.resources), *_DAEMON, *_local(node)),
        alive=f"http://{node.name}:{page}/json/",
    )


def worker(
    node: Node, head: str, page: int, folder: Path, *, memory_mib: int = _EXECUTOR_MIB
) -> Daemon:
    """A worker with cores and the same number of slots, which a script in the folder reports."""
    script = folder / SLOTS_SCRIPT
    script.write_text(slots_script(node.cores))
    script.chmod(0o700)
    slots = " ".join(
        f"-D{setting.name}={setting.value}" for setting in worker_slots(node.cores, str(folder))
    )
    return Daemon(
        command=(
            *_class("worker.Worker"),
            *("--host", node.name),
            *("--webui-port", str(page)),
            *("--cores", str(node.cores)),
            *("--memory", f"{memory_mib}m"),
            *("--work-dir", str(folder)),
            head,
        ),
        settings=(
            *budget(node.resources),
            *_DAEMON,
            *_local(node),
            Setting(name="SPARK_WORKER_OPTS", value=slots, reason="slots of this worker"),
            Setting(name="SPARK_LOCAL_DIRS", value=str(folder), reason="the node's private folder"),
        ),
        alive=f"http://{node.name}:{page}/json/",
    )


_DAEMON = (
    Setting(
        name="SPARK_DAEMON_MEMORY", value="256m", reason="for a few nodes; the default is 1 GB"
    ),
)


def _local(node: Node) -> tuple[Setting, ...]:
    if node.host != LOOPBACK:
        return ()
    reason = "the pages of the daemons listen on loopback only, as their other ports do"
    return (Setting(name="SPARK_LOCAL_IP", value=LOOPBACK, reason=reason),)


def version_on(page: str) -> str | None:
    """Spark's version on the page of a master; ``None`` if there is no answer or no version."""
    try:
        with urllib.request.urlopen(page, timeout=_PAGE_TIMEOUT_S) as answer:  # noqa: S310
            html = answer.read().decode(errors="replace")
    except OSError:
        return None
    match = re.search(r'class="version\b[^>]*>\s*([0-9][^<\s]*)', html)
    return match and match[1]


def _class(name: str) -> tuple[str, str]:
    return str(home() / "bin" / "spark-class"), f"org.apache.spark.deploy.{name}"


def _nodes(status: Mapping[str, Any]) -> int:
    return int(status["aliveworkers"])


CLUSTER = Cluster(
    head_role="spark-master",
    worker_role="spark-worker",
    scheme="spark://",
    port=7077,
    page=8080,
    worker_page=8081,
    head=_head,
    worker=worker,
    nodes_path="/json/",
    nodes=_nodes,
)
