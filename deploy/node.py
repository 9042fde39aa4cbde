"""Starts one daemon of a cluster and tells what its host spends.

    python -m deploy.node ROLE [--head ADDRESS]

ROLE is ``ray-head``, ``ray-worker``, ``dask-scheduler``, ``dask-worker``, ``spark-master`` or
``spark-worker``.  Size and form come from the environment: ``NODE_CORES``, ``NODE_THREADS``,
``NODE_SMALLEST_SHARE``, ``NODE_CONFIG``, ``NODE_HOST``.  Credentials do, too: see ``deploy.keys``.
"""

import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from types import FrameType

import typer

from deploy import spending
from engines import dask_cluster, ray_cluster, spark_cluster
from engines.daemons import Daemon, Node
from engines.environment import share_import_path
from engines.interface import Config


def heads() -> dict[str, Callable[[Node], Daemon]]:
    """By role."""
    return {
        "ray-head": ray_cluster.head,
        "dask-scheduler": dask_cluster.head,
        "spark-master": spark_cluster.head,
    }


def daemon(role: str, node: Node, head: str | None, folder: Path) -> Daemon:
    """What runs in that role.

    Raises:
        ValueError: there is no such role, or a worker is not told its head.
    """
    if role in heads():
        return heads()[role](node)
    if head is None:
        raise ValueError(f"{role} needs --head ADDRESS, unless it is one of {', '.join(heads())}")
    if role == "ray-worker":
        return ray_cluster.worker(node, head)
    if role == "dask-worker":
        return dask_cluster.worker(node, head)
    if role == "spark-worker":
        return spark_cluster.worker(node, head, folder=folder)
    raise ValueError(f"no role called {role!r}")


def node_of(variables: dict[str, str]) -> Node:
    """The node that the environment describes."""
    return Node(
        cores=int(variables.get("NODE_CORES", "1")),
        threads_per_worker=int(variables.get("NODE_THREADS", "1")),
        smallest_share=float(variables.get("NODE_SMALLEST_SHARE", "1")),
        config=Config(variables.get("NODE_CONFIG", "tuned")),
        host=variables.get("NODE_HOST") or None,
    )


def run(role: str, head: str | None = None) -> None:
    """Run the daemon until it ends or this process is told to; exit with its code."""
    # Short, since Unix sockets are made below it.
    with tempfile.TemporaryDirectory(prefix="ec-", ignore_cleanup_errors=True) as folder:
        try:
            started = daemon(role, node_of(dict(os.environ)), head, Path(folder))
        except ValueError as error:
            typer.echo(f"error: {error}", err=True)
            sys.exit(2)
        share_import_path()
        settings = {setting.name: setting.value for setting in started.settings}
        typer.echo(f"{role}: {' '.join(started.command)}")
        process = subprocess.Popen(started.command, env=os.environ | settings)

        def hand_on(number: int, _: FrameType | None) -> None:
            process.send_signal(number)

        signal.signal(signal.SIGTERM, hand_on)
        signal.signal(signal.SIGINT, hand_on)
        with spending.served(alive=started.alive):
            sys.exit(process.wait())


if __name__ == "__main__":
    typer.run(run)
