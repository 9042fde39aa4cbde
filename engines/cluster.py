"""Describes a cluster of several hosts: one head and identical workers."""

import socket
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from engines.errors import EngineStartError
from engines.interface import Config, Engine, Resources, Setting

LOOPBACK = "127.0.0.1"
_JOIN_TIMEOUT_S = 60
"""Spark starts a JVM for each program on every worker, which takes its time on a busy machine."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """Resources that a host gives to a cluster's tasks; equal for all engines of a comparison."""

    cores: int
    threads_per_worker: int = 1
    smallest_share: float = 1.0
    config: Config = Config.TUNED
    host: str | None = None
    """Name or address that the node listens on and others connect to.  ``None``: the host name."""

    @property
    def resources(self) -> Resources:
        """The same resources in the form that a single-host engine takes."""
        return Resources(
            workers=self.cores,
            threads_per_worker=self.threads_per_worker,
            smallest_share=self.smallest_share,
            config=self.config,
        )

    @property
    def name(self) -> str:
        """The name or address that other nodes connect to."""
        return self.host or socket.gethostname()

    @property
    def interface(self) -> str:
        """The address that the node's servers bind to."""
        return LOOPBACK if self.host == LOOPBACK else "0.0.0.0"  # noqa: S104 - see docs/security.md


@dataclass(frozen=True, slots=True, kw_only=True)
class Daemon:
    """A long-running process of a node: its command, environment and health page."""

    command: tuple[str, ...]
    settings: tuple[Setting, ...]
    """Environment variables in addition to those that hold credentials."""
    alive: str
    """URL that answers as long as the daemon is alive."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cluster:
    """How an engine spans hosts: how to start its head and workers, and how to count its nodes."""

    head_role: str
    """Also the service name in ``docker-compose.yml``, hence the host name in its network."""
    worker_role: str
    scheme: str
    """Prefix of an address, such as ``tls://``."""
    port: int
    page: int
    """Port of the dashboard."""
    worker_page: int
    head: Callable[[Node, int, int], Daemon]
    """Describes the head for a node, the port of the head and the port of the dashboard."""
    worker: Callable[[Node, str, int, Path], Daemon]
    """Describes a worker for a node, the head's address, its page's port and a private folder."""
    nodes_path: str
    """Path of the dashboard that returns JSON about the nodes."""
    nodes: Callable[[Mapping[str, Any]], int]
    """Counts the nodes in that JSON, without the head."""
    token_variable: str | None = None
    """Environment variable with the path of the token file that the dashboard requires."""

    def address(self, host: str | None = None, port: int | None = None) -> str:
        """Address of a head in the framework's own form; by default that of the head container."""
        return f"{self.scheme}{host or self.head_role}:{port or self.port}"


def head_of(address: str) -> str:
    """Extract the host from an address in any framework's form."""
    return address.rpartition("://")[2].rpartition(":")[0]


def refuse_other_versions(who: str, theirs: Mapping[str, str], ours: Mapping[str, str]) -> None:
    """Compare the package versions of a node with those of this program.

    Raises:
        EngineStartError: a version differs; for Python, only the minor version must match.
    """
    for name, there in theirs.items():
        here = ours.get(name, "none")
        if _compared(name, here) != _compared(name, there):
            raise EngineStartError(
                f"{who} has {name} {there}, and this program has {here}: use the same image for "
                "both, or install the same version"
            )


def _compared(name: str, version: str) -> str:
    # Functions are sent as bytecode, which only the same minor version of Python can run.
    return ".".join(version.split(".")[:2]) if name == "python" else version


def wait_for_workers(engine: Engine, resources: Resources) -> None:
    """Wait until a cluster has as many workers as the comparison is planned for.

    Raises:
        EngineStartError: the number of workers still differs after the time limit.
    """
    until_s = time.monotonic() + _JOIN_TIMEOUT_S
    while (joined := engine.workers()) != resources.workers and time.monotonic() < until_s:
        time.sleep(0.1)
    if joined == resources.workers:
        return
    if not joined:
        raise EngineStartError(
            f"{engine.name}: the cluster at {resources.cluster} has no workers for this program: "
            "start some, or check whether other programs use them"
        )
    workers = "worker" if joined == 1 else "workers"
    raise EngineStartError(
        f"{engine.name}: the cluster at {resources.cluster} has {joined} {workers}, but the "
        f"comparison is planned for {resources.workers}: use --workers {joined}, or change "
        "the cluster"
    )
