"""Waits until all nodes have joined a cluster, prints how to use and stop it, and keeps running.

    python -m deploy.wait_ready ENGINE --nodes 2 [--head HOST]

With a host, it waits for the cluster with that head, and ends as soon as it is ready.
For an engine that does not span hosts, there is nothing to wait for.
"""

import json
import os
import signal
import time
import urllib.request
from pathlib import Path
from typing import Annotated

import typer

from engines.cluster import Cluster
from engines.registry import clusters

READY = Path("/tmp/ready")  # noqa: S108 - private to this container; its health check looks for it
_TIMEOUT_S = 5.0


def nodes_up(cluster: Cluster, head: str | None = None) -> int:
    """Number of nodes that can accept tasks now; 0 if the head does not answer."""
    page = f"http://{head or cluster.head_role}:{cluster.page}{cluster.nodes_path}"
    request = urllib.request.Request(page)
    if cluster.token_variable is not None:
        token = Path(os.environ[cluster.token_variable]).read_text().strip()
        request.add_header("Authorization", f"Bearer {token}")
    try:
        with urllib.request.urlopen(request, timeout=_TIMEOUT_S) as answer:  # noqa: S310
            return cluster.nodes(json.load(answer))
    except (OSError, ValueError, KeyError):
        return 0


def wait(
    name: Annotated[str, typer.Argument(metavar="ENGINE")],
    nodes: Annotated[int, typer.Option(min=1, help="Number of nodes to wait for.")] = 2,
    head: Annotated[str | None, typer.Option(help="Host of the head; end when ready.")] = None,
) -> None:
    """Wait until the cluster is ready, print how to use it, and run until stopped."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        cluster = clusters().get(name)
        if head is not None:
            if cluster is None:
                raise typer.BadParameter(f"{name} does not span hosts")
            _joined(name, cluster, nodes, head)
            return
        if cluster is not None:
            _wait_for(name, cluster, nodes)
        else:
            typer.echo(
                f"{name}: one host with all cores.\n"
                f"  measure   docker compose exec {name}-cluster python -m compare\n"
                "  stop      docker compose down"
            )
        READY.touch()
        signal.pause()
    except KeyboardInterrupt:
        if head is not None:
            raise
        typer.echo(f"{name}: the other containers keep running; stop them with docker compose down")


def _joined(name: str, cluster: Cluster, nodes: int, head: str | None = None) -> None:
    """Return when so many nodes have joined."""
    last = -1
    while (joined := nodes_up(cluster, head)) < nodes:
        if joined != last:
            typer.echo(f"{name}: {joined} of {nodes} nodes")
            last = joined
        time.sleep(0.5)


def _wait_for(name: str, cluster: Cluster, nodes: int) -> None:
    _joined(name, cluster, nodes)
    typer.echo(
        f"{name}: all {nodes} nodes have joined.\n"
        f"  inside the network  {cluster.address()}\n"
        f"  dashboard           http://127.0.0.1:{os.environ['DASHBOARD_PORT']}\n"
        f"  measure             docker compose run --rm compare --engines {name}\n"
        "  stop                docker compose down      (Ctrl-C leaves the nodes running)"
    )


if __name__ == "__main__":
    typer.run(wait)
