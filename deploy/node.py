"""Starts one daemon of a cluster and serves the resource usage of its host.

    python -m deploy.node ROLE [--head ADDRESS] [-- OPTION...]

The options are those of the daemon's own command, for whoever else looks after it, such as an
operator on Kubernetes.  ROLE is that of a head or a worker in an engine's ``Cluster``, such as
``ray-head``.  Environment variables give the size and configuration of the node: ``NODE_CORES``,
``NODE_THREADS``, ``NODE_SMALLEST_SHARE``, ``NODE_CONFIG``, ``NODE_HOST``.  They also give the
credentials; see ``deploy.keys``.
"""

import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path
from types import FrameType
from typing import Annotated

import typer

from deploy import host_usage
from engines.cluster import Daemon, Node
from engines.environment import share_import_path
from engines.interface import Config
from engines.registry import clusters


def daemon(role: str, node: Node, head: str | None, folder: Path) -> Daemon:
    """The daemon of that role.

    Raises:
        ValueError: the role does not exist, or a worker has no head address.
    """
    known = clusters().values()
    for cluster in known:
        if role == cluster.head_role:
            return cluster.head(node, cluster.port, cluster.page)
        if role == cluster.worker_role:
            if head is None:
                raise ValueError(f"{role} needs --head ADDRESS")
            return cluster.worker(node, head, cluster.worker_page, folder)
    roles = ", ".join(f"{cluster.head_role}, {cluster.worker_role}" for cluster in known)
    raise ValueError(f"no role called {role!r}; known: {roles}")


def node_of(variables: dict[str, str]) -> Node:
    """The node that the environment describes."""
    return Node(
        cores=int(variables.get("NODE_CORES", "1")),
        threads_per_worker=int(variables.get("NODE_THREADS", "1")),
        smallest_share=float(variables.get("NODE_SMALLEST_SHARE", "1")),
        config=Config(variables.get("NODE_CONFIG", "tuned")),
        host=variables.get("NODE_HOST") or None,
    )


def run(
    role: str,
    options: Annotated[list[str] | None, typer.Argument()] = None,
    head: str | None = None,
) -> None:
    """Run the daemon until it ends or is stopped by a signal; exit with its code."""
    # The path is short, because Unix sockets are created below it.
    with tempfile.TemporaryDirectory(prefix="ec-", ignore_cleanup_errors=True) as folder:
        try:
            started = daemon(role, node_of(dict(os.environ)), head, Path(folder))
        except ValueError as error:
            typer.echo(f"error: {error}", err=True)
            sys.exit(2)
        share_import_path()
        settings = {setting.name: setting.value for setting in started.settings}
        command = [*started.command, *(options or ())]
        typer.echo(f"{role}: {' '.join(command)}")
        process = subprocess.Popen(command, env=os.environ | settings)

        def hand_on(number: int, _: FrameType | None) -> None:
            process.send_signal(number)

        signal.signal(signal.SIGTERM, hand_on)
        signal.signal(signal.SIGINT, hand_on)
        with host_usage.served(alive=started.alive):
            sys.exit(process.wait())


if __name__ == "__main__":
    typer.run(run)
