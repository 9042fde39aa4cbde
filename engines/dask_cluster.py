"""Dask on several hosts: what starts a scheduler and a worker."""

import sys

from engines.daemons import LOOPBACK, Daemon, Node
from engines.dask_settings import counted, held, threads, variables
from engines.environment import budget

PORT = 8786
PAGE = 8787
_WORKER_PAGE = 8788
_DASK = (sys.executable, "-m", "dask")


def head(node: Node, port: int = PORT, page: int = PAGE) -> Daemon:
    """The scheduler."""
    return Daemon(
        command=(
            *_DASK,
            "scheduler",
            f"--host={node.interface}",
            f"--port={port}",
            f"--dashboard-address={node.interface}:{page}",
        ),
        settings=(*budget(node.resources), *variables(node.resources)),
        alive=f"http://{LOOPBACK}:{page}/health",
    )


def worker(node: Node, head: str, page: int = _WORKER_PAGE) -> Daemon:
    """A process for each core, or one with all of them for tasks that ask for shares."""
    resources = node.resources
    cores = held(resources)
    amount = counted(cores, resources)
    return Daemon(
        command=(
            *_DASK,
            "worker",
            head,
            f"--nworkers={1 if cores else node.cores}",
            f"--nthreads={threads(resources)}",
            # No other engine stops a worker for what it holds.
            "--memory-limit=0",
            f"--dashboard-address={node.interface}:{page}",
            *([f"--host={LOOPBACK}"] if node.host == LOOPBACK else []),
            *([f"--resources=cpu={amount},slot={amount}"] if cores else []),
        ),
        settings=(*budget(resources), *variables(resources)),
        alive=f"http://{LOOPBACK}:{page}/health",
    )
