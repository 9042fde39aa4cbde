"""What a cluster of several hosts is made of: one head, and workers that are alike."""

import socket
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from engines.errors import EngineStartError
from engines.interface import Config, Engine, Resources, Setting

LOOPBACK = "127.0.0.1"
_JOIN_TIMEOUT_S = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """What a host gives to the tasks of a cluster; equal for every engine of a comparison."""

    cores: int
    threads_per_worker: int = 1
    smallest_share: float = 1.0
    config: Config = Config.TUNED
    host: str | None = None
    """Name or address that the node listens on and is reached by.  ``None``: its host's."""

    @property
    def resources(self) -> Resources:
        """The node as an engine of its own would see it."""
        return Resources(
            workers=self.cores,
            threads_per_worker=self.threads_per_worker,
            smallest_share=self.smallest_share,
            config=self.config,
        )

    @property
    def name(self) -> str:
        """What other nodes reach it by."""
        return self.host or socket.gethostname()

    @property
    def interface(self) -> str:
        """What its servers bind to."""
        return LOOPBACK if self.host == LOOPBACK else "0.0.0.0"  # noqa: S104 - see docs/security.md


@dataclass(frozen=True, slots=True, kw_only=True)
class Daemon:
    """A process to start, and to leave alone."""

    command: tuple[str, ...]
    settings: tuple[Setting, ...]
    """Environment variables beside those that hold credentials."""
    alive: str
    """A page that answers while it is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cluster:
    """How an engine spans hosts: what starts its head and its workers, and what tells of them."""

    head_role: str
    """Also the service in ``docker-compose.yml``, and so the host's name in its network."""
    worker_role: str
    scheme: str
    """What an address begins with."""
    port: int
    page: int
    """Port of the dashboard."""
    worker_page: int
    head: Callable[[Node, int, int], Daemon]
    """Of a node and the ports of both."""
    worker: Callable[[Node, str, int, Path], Daemon]
    """Of a node, the address of the head, the port of the page, and a folder of its own."""
    nodes_path: str
    """Of the dashboard: JSON that tells of the nodes."""
    nodes: Callable[[Mapping[str, Any]], int]
    """How many nodes that JSON tells of, without the head."""
    token_variable: str | None = None
    """Names the file with what the dashboard asks for."""

    def address(self, host: str | None = None, port: int | None = None) -> str:
        """Of a head, in the framework's own form; by default of the one in containers."""
        return f"{self.scheme}{host or self.head_role}:{port or self.port}"


def head_of(address: str) -> str:
    """The host in an address of any framework's form."""
    return address.rpartition("://")[2].rpartition(":")[0]


def refuse_other_versions(who: str, theirs: Mapping[str, str], ours: Mapping[str, str]) -> None:
    """Compare what a node has of each package with what this program has of it.

    Raises:
        EngineStartError: they are not the same; of Python, not the same minor version.
    """
    for name, there in theirs.items():
        here = ours.get(name, "none")
        if _compared(name, here) != _compared(name, there):
            raise EngineStartError(
                f"{who} has {name} {there}, and this program has {here}: use the same image for "
                "both, or install the same version"
            )


def _compared(name: str, version: str) -> str:
    # Code that is sent is byte code, which only its own minor version of Python runs.
    return ".".join(version.split(".")[:2]) if name == "python" else version


def wait_for_workers(engine: Engine, resources: Resources) -> None:
    """Until a cluster has as many workers as the comparison is planned for.

    Raises:
        EngineStartError: it has other than that many, also after a while.
    """
    for _ in range(_JOIN_TIMEOUT_S * 10):
        if (found := engine.workers()) == resources.workers:
            return
        time.sleep(0.1)
    if not found:
        raise EngineStartError(
            f"{engine.name}: the cluster at {resources.cluster} has no workers for this program: "
            "start some, or see what else they are busy with"
        )
    raise EngineStartError(
        f"{engine.name}: the cluster at {resources.cluster} has {found} workers, and the "
        f"comparison is planned for {resources.workers}: say --workers {found}, or start others"
    )
