"""Starts the clusters of docker-compose.yml so that their nodes can import the test tasks."""

import fcntl
import json
import os
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from engines.interface import Config, Resources
from engines.registry import clusters

REPOSITORY = Path(__file__).parents[2]
_FILES = ("docker-compose.yml", "tests/cluster/compose.yml")
_UP_LIMIT_S = 400


@dataclass(frozen=True, kw_only=True)
class Containers:
    """A running cluster of one engine."""

    engine: str
    environment: Mapping[str, str]
    took_s: float = 0.0
    """Seconds that the cluster needed to start."""

    @property
    def address(self) -> str:
        return clusters()[self.engine].address()

    @property
    def project(self) -> str:
        """The name for Docker Compose; another process may test a cluster of the same engine."""
        return f"contract-{self.engine}-{os.getpid()}"

    @property
    def label(self) -> str:
        """The Docker filter that selects the containers, networks and volumes of this cluster."""
        return f"label=com.docker.compose.project={self.project}"

    def command(self, *arguments: str) -> list[str]:
        """The command line that calls Docker Compose for this cluster."""
        files = [part for name in _FILES for part in ("--file", str(REPOSITORY / name))]
        project = ["--project-name", self.project, "--profile", "tools"]
        return ["docker", "compose", *project, *files, *arguments]

    def compose(self, *arguments: str) -> str:
        """Run Docker Compose, check that it succeeded, and return its standard output."""
        _, *command = self.command(*arguments)
        return docker(*command, environment=self.environment)

    def inside(self, command: Sequence[str]) -> list[str]:
        """The command line that runs a Python command in the network of the cluster."""
        _, *arguments = command
        run = ("run", "--rm", "--no-TTY", "--no-deps", "--entrypoint", "python", "compare")
        return self.command(*run, *arguments)

    def inspected(self) -> list[dict[str, Any]]:
        """The output of ``docker inspect`` for each running container of the cluster."""
        ids = docker("ps", "--quiet", "--filter", self.label).split()
        details: list[dict[str, Any]] = json.loads(docker("inspect", *ids)) if ids else []
        return details


def docker(
    *command: str, environment: Mapping[str, str] | None = None, limit_s: float = _UP_LIMIT_S
) -> str:
    """Run a command of Docker, check that it succeeded, and return its standard output."""
    completed = subprocess.run(
        ["docker", *command],
        env=environment,
        capture_output=True,
        text=True,
        timeout=limit_s,
        check=False,
    )
    assert completed.returncode == 0, completed.stdout + completed.stderr
    return completed.stdout


_kept: dict[tuple[str, float, Config], Containers] = {}


def containers(engine: str, resources: Resources) -> Containers:
    """Return the cluster with these resources; start it, and stop the previous one, if needed."""
    key = (engine, resources.smallest_share, resources.config)
    if key not in _kept:
        release_containers()
        # Port 0 selects a free port, because another cluster of this project may be running.
        ports = {f"{name.upper()}_DASHBOARD_PORT": "0" for name in clusters()}
        sizes = {
            "NODE_SMALLEST_SHARE": str(resources.smallest_share),
            "NODE_THREADS": str(resources.threads_per_worker),
            "NODE_CONFIG": resources.config.value,
            f"{engine.upper()}_WORKERS": str(resources.workers),
        }
        cluster = Containers(engine=engine, environment={**os.environ, **ports, **sizes})
        _kept[key] = cluster  # before the start, so that a failed start is also cleaned up
        with _no_other_starting():
            started_s = time.monotonic()
            cluster.compose("up", "--detach", "--wait", f"{engine}-cluster")
            _kept[key] = replace(cluster, took_s=time.monotonic() - started_s)
    return _kept[key]


@contextmanager
def _no_other_starting() -> Iterator[None]:
    """Wait until no other process of the tests starts a cluster.

    Starting takes all cores, and a node of Ray that has not started within 30 s ends.
    """
    with (Path(tempfile.gettempdir()) / "engine-compare-tests-start.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def release_containers() -> None:
    """Stop the running cluster, if there is one."""
    while _kept:
        _, cluster = _kept.popitem()
        cluster.compose("down", "--volumes", "--timeout", "2")
