"""Waits until all nodes of a cluster are in, says how to use and to stop it, and stays.

python -m deploy.ready ENGINE --nodes 2
"""

import json
import os
import signal
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

READY = Path("/tmp/ready")  # noqa: S108 - of this container alone; its health check looks for it
_TIMEOUT_S = 5.0


def _ray(told: Mapping[str, Any]) -> int:
    nodes = told["data"]["summary"]
    return sum(
        node["raylet"].get("state") == "ALIVE" and not node["raylet"].get("isHeadNode", False)
        for node in nodes
    )


def _dask(told: Mapping[str, Any]) -> int:
    return len({worker["host"] for worker in told["workers"].values()})


def _spark(told: Mapping[str, Any]) -> int:
    return int(told["aliveworkers"])


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """How one framework's cluster is asked, and used."""

    page: str
    nodes: Callable[[Mapping[str, Any]], int]
    """How many nodes the page tells of, without the head."""
    address: str
    dashboard: str
    token_path: str | None = None
    """The variable that names the file with what the page asks for."""


KINDS = {
    "ray": Kind(
        page="http://ray-head:8265/nodes?view=summary",
        nodes=_ray,
        address="ray-head:6379",
        dashboard="http://127.0.0.1:8265",
        token_path="RAY_AUTH_TOKEN_PATH",  # noqa: S106 - a name
    ),
    "dask": Kind(
        page="http://dask-scheduler:8787/json/identity.json",
        nodes=_dask,
        address="tls://dask-scheduler:8786",
        dashboard="http://127.0.0.1:8787/status",
    ),
    "spark": Kind(
        page="http://spark-master:8080/json/",
        nodes=_spark,
        address="spark://spark-master:7077",
        dashboard="http://127.0.0.1:8080",
    ),
}


def nodes_up(kind: Kind) -> int:
    """How many nodes can take tasks now; 0 while the head does not answer."""
    request = urllib.request.Request(kind.page)  # noqa: S310 - http, within the network
    if kind.token_path is not None:
        token = Path(os.environ[kind.token_path]).read_text().strip()
        request.add_header("Authorization", f"Bearer {token}")
    try:
        with urllib.request.urlopen(request, timeout=_TIMEOUT_S) as answer:  # noqa: S310
            return kind.nodes(json.load(answer))
    except (OSError, ValueError, KeyError):
        return 0


def wait(
    name: Annotated[str, typer.Argument(metavar="ENGINE")],
    nodes: Annotated[int, typer.Option(min=1, help="How many are expected.")] = 2,
) -> None:
    """Wait, say it, and stay until told to stop."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        if name in KINDS:
            _wait_for(name, KINDS[name], nodes)
        else:
            typer.echo(
                f"{name}: one host with all cores.\n"
                f"  measure   docker compose exec {name}-cluster python -m compare\n"
                "  stop      docker compose down"
            )
        READY.touch()
        signal.pause()
    except KeyboardInterrupt:
        typer.echo(f"{name}: what was started with it runs on; stop it with docker compose down")


def _wait_for(name: str, kind: Kind, nodes: int) -> None:
    last = -1
    while (found := nodes_up(kind)) < nodes:
        if found != last:
            typer.echo(f"{name}: {found} of {nodes} nodes")
            last = found
        time.sleep(0.5)
    typer.echo(
        f"{name}: all {nodes} nodes are in.\n"
        f"  inside the network  {kind.address}\n"
        f"  dashboard           {kind.dashboard}\n"
        f"  measure             docker compose run --rm compare --engines {name}\n"
        "  stop                docker compose down      (Ctrl-C leaves the nodes running)"
    )


if __name__ == "__main__":
    typer.run(wait)
