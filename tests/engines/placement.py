"""Where a contract test runs an engine: in its own process, on daemons of this host, on containers.

The name of the engine states the place: "ray", "ray on daemons", "ray on containers".
"""

import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import NamedTuple

from deploy import keys
from engines.cluster import LOOPBACK, Node
from engines.daemons import free_ports, running
from engines.environment import thread_environment
from engines.interface import Resources
from engines.registry import clusters

HERE, DAEMONS, CONTAINERS = "here", "daemons", "containers"


class Placed(NamedTuple):
    """An engine and the place where it runs."""

    engine: str
    where: str


def placed(name: str) -> Placed:
    engine, _, where = name.partition(" on ")
    return Placed(engine, where or HERE)


class Joined(NamedTuple):
    """How a driver joins a running cluster."""

    address: str
    page: int
    """Port of the dashboard."""
    environment: dict[str, str]


@contextmanager
def daemons(engine: str, resources: Resources) -> Iterator[Joined]:
    """Run a head, and one worker for each core, on loopback, with credentials as in containers."""
    node = Node(
        cores=1,
        threads_per_worker=resources.threads_per_worker,
        smallest_share=resources.smallest_share,
        config=resources.config,
        host=LOOPBACK,
    )
    with ExitStack() as stack:
        # A short path, because Unix sockets below it have a limited path length.
        folder = Path(stack.enter_context(_folder()))
        keys.make(folder / "keys")
        environment = {
            **os.environ,
            **keys.environment(str(folder / "keys")),
            **thread_environment(resources),
            "PYTHONPATH": os.pathsep.join([str(Path.cwd()), *sys.path]),
            "RAY_TMPDIR": str(folder),
        }
        cluster, port, page = clusters()[engine], *free_ports(2)
        address = cluster.address(LOOPBACK, port)
        head = cluster.head(node, port, page)
        stack.enter_context(running(head, folder / "head.log", environment))
        for number in range(resources.workers):
            worker_folder = folder / f"worker-{number}"
            worker_folder.mkdir()
            (worker_page,) = free_ports(1)
            worker = cluster.worker(node, address, worker_page, worker_folder)
            stack.enter_context(running(worker, folder / f"{number}.log", environment))
        yield Joined(address, page, keys.environment(str(folder / "keys")))


def _folder() -> tempfile.TemporaryDirectory[str]:
    return tempfile.TemporaryDirectory(prefix="c-", dir="/tmp", ignore_cleanup_errors=True)
