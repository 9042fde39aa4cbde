"""What a cluster of several hosts is made of: one head, and workers that are alike."""

import socket
import time
from dataclasses import dataclass

from engines.errors import EngineStartError
from engines.interface import Config, Engine, Resources, Setting

LOOPBACK = "127.0.0.1"
_JOIN_TIMEOUT_S = 30


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


def wait_for_workers(engine: Engine, resources: Resources) -> None:
    """Until a cluster has as many workers as the comparison is planned for.

    Raises:
        EngineStartError: it has other than that many, also after a while.
    """
    for _ in range(_JOIN_TIMEOUT_S * 10):
        if (found := engine.workers()) == resources.workers:
            return
        time.sleep(0.1)
    raise EngineStartError(
        f"{engine.name}: the cluster at {resources.cluster} has {found} workers, and the "
        f"comparison is planned for {resources.workers}: say --workers {found}, or start others"
    )
