"""Runs a cluster of several nodes on this host: a head, and a node of one core for each worker."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import NamedTuple

from deploy import keys
from engines.cluster import LOOPBACK, Node
from engines.daemons import free_ports, running
from engines.environment import import_path, thread_environment
from engines.interface import Resources
from engines.registry import clusters


class LocalCluster(NamedTuple):
    """A running cluster, and how a driver joins it."""

    address: str
    page: int
    """Port of the dashboard."""
    environment: dict[str, str]
    """Variables with the credentials."""
    nodes: tuple[int, ...]
    """Pid of the daemon of each node, without the head."""


@contextmanager
def local_nodes(engine: str, resources: Resources) -> Iterator[LocalCluster]:
    """Run the cluster on loopback, with credentials as in containers; end it on exit.

    Raises:
        EngineStartError: a daemon did not start.
    """
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
            **import_path(),
            "TMPDIR": str(folder),
        }
        cluster, port, page = clusters()[engine], *free_ports(2)
        address = cluster.address(LOOPBACK, port)
        head = cluster.head(node, port, page)
        stack.enter_context(running(head, folder / "head.log", environment))
        pids = []
        for number in range(resources.workers):
            worker_folder = folder / f"worker-{number}"
            worker_folder.mkdir()
            (worker_page,) = free_ports(1)
            worker = cluster.worker(node, address, worker_page, worker_folder)
            log = folder / f"{number}.log"
            pids.append(stack.enter_context(running(worker, log, environment)))
        yield LocalCluster(address, page, keys.environment(str(folder / "keys")), tuple(pids))


def _folder() -> tempfile.TemporaryDirectory[str]:
    return tempfile.TemporaryDirectory(prefix="c-", dir="/tmp", ignore_cleanup_errors=True)
