"""A private Spark cluster on this host that starts and ends executors of one core."""

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from engines._spark.cluster import CLUSTER, worker
from engines._spark.settings import EXECUTOR_MIB
from engines.cluster import LOOPBACK, Node
from engines.daemons import free_ports, running
from engines.interface import Resources


def new_secret() -> str:
    """Properties that keep other users of this host from the private master."""
    return f"spark.authenticate true\nspark.authenticate.secret {secrets.token_hex(32)}\n"


@contextmanager
def elastic_cluster(resources: Resources, folder: Path) -> Iterator[str]:
    """The address of a master whose one worker has room for all executors, but runs none yet.

    Raises:
        EngineStartError: the master or the worker did not start.
    """
    node = Node(
        cores=resources.workers,
        threads_per_worker=resources.threads_per_worker,
        config=resources.config,
        host=LOOPBACK,
    )
    port, page, workers_page = free_ports(3)
    address = CLUSTER.address(LOOPBACK, port)
    master = CLUSTER.head(node, port, page)
    room = worker(node, address, workers_page, folder, memory_mib=EXECUTOR_MIB * resources.workers)
    # A worker that cannot reach its master tries again, so the master comes first.
    with running(master, folder / "master.log"), running(room, folder / "worker.log"):
        yield address
