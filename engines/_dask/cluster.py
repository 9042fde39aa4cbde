"""Dask on several hosts: how to start a scheduler and a worker."""

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from engines._dask.settings import counted, held, threads, variables
from engines.cluster import LOOPBACK, Cluster, Daemon, Node, refuse_other_versions
from engines.environment import budget

_DASK = (sys.executable, "-m", "dask")


def _head(node: Node, port: int, page: int) -> Daemon:
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


def _worker(node: Node, head: str, page: int, _: Path) -> Daemon:
    """One process per core, or one process with all cores if tasks request shares."""
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
            # No other engine stops a worker because of its memory usage.
            "--memory-limit=0",
            f"--dashboard-address={node.interface}:{page}",
            *([f"--host={LOOPBACK}"] if node.host == LOOPBACK else []),
            *([f"--resources=cpu={amount},slot={amount}"] if cores else []),
        ),
        settings=(*budget(resources), *variables(resources)),
        alive=f"http://{LOOPBACK}:{page}/health",
    )


def _nodes(identity: Mapping[str, Any]) -> int:
    return len({worker["host"] for worker in identity["workers"].values()})


CLUSTER = Cluster(
    head_role="dask-scheduler",
    worker_role="dask-worker",
    scheme="tls://",
    port=8786,
    page=8787,
    worker_page=8788,
    head=_head,
    worker=_worker,
    nodes_path="/json/identity.json",
    nodes=_nodes,
)


_MUST_BE_EQUAL = ("python", "dask", "distributed", "cloudpickle", "msgpack", "tornado")


def refuse_other_packages(versions: Mapping[str, Any], address: str) -> None:
    """Fail early: Dask itself only prints a warning, and fails later with another message.

    Raises:
        EngineStartError: the scheduler or a worker has another version of a package.
    """
    ours = _versions(versions["client"])
    for node, theirs in (("scheduler", versions["scheduler"]), *versions["workers"].items()):
        refuse_other_versions(f"dask: the {node} at {address}", _versions(theirs), ours)


def _versions(node: Mapping[str, Any]) -> dict[str, str]:
    packages = {**node["packages"], "python": node["host"]["python"]}
    return {name: str(packages[name]) for name in _MUST_BE_EQUAL}
