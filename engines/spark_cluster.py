"""Spark on several hosts: what starts a master and a worker of a standalone cluster."""

from pathlib import Path

from engines.daemons import Daemon, Node
from engines.environment import budget
from engines.interface import Setting
from engines.spark_engine import home
from engines.spark_settings import SLOTS_SCRIPT, slots_script, worker_slots

PORT = 7077
PAGE = 8080
_WORKER_PAGE = 8081
_EXECUTOR_MIB = 1024


def head(node: Node, port: int = PORT, page: int = PAGE) -> Daemon:
    """The master."""
    return Daemon(
        command=(
            *_class("master.Master"),
            *("--host", node.name),
            *("--port", str(port)),
            *("--webui-port", str(page)),
        ),
        settings=(*budget(node.resources), *_DAEMON),
        alive=f"http://{node.name}:{page}/json/",
    )


def worker(node: Node, head: str, page: int = _WORKER_PAGE, *, folder: Path) -> Daemon:
    """Cores, and as many slots, which a script in the folder tells."""
    script = folder / SLOTS_SCRIPT
    script.write_text(slots_script(node.cores))
    script.chmod(0o700)
    slots = " ".join(f"-D{one.name}={one.value}" for one in worker_slots(node.cores, str(folder)))
    return Daemon(
        command=(
            *_class("worker.Worker"),
            *("--host", node.name),
            *("--webui-port", str(page)),
            *("--cores", str(node.cores)),
            *("--memory", f"{_EXECUTOR_MIB}m"),
            *("--work-dir", str(folder)),
            head,
        ),
        settings=(
            *budget(node.resources),
            *_DAEMON,
            Setting(name="SPARK_WORKER_OPTS", value=slots, reason="slots of this worker"),
            Setting(name="SPARK_LOCAL_DIRS", value=str(folder), reason="the node's own folder"),
        ),
        alive=f"http://{node.name}:{page}/json/",
    )


_DAEMON = (
    Setting(
        name="SPARK_DAEMON_MEMORY", value="256m", reason="a few nodes; the default takes a gigabyte"
    ),
)


def _class(name: str) -> tuple[str, str]:
    return str(home() / "bin" / "spark-class"), f"org.apache.spark.deploy.{name}"
