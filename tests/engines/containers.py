"""The clusters of docker-compose.yml, whose nodes can import the contract's tasks."""

import json
import os
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from engines.interface import Config, Resources
from engines.registry import clusters

REPOSITORY = Path(__file__).parents[2]
_FILES = ("docker-compose.yml", "tests/cluster/compose.yml")
_UP_LIMIT_S = 180


@dataclass(frozen=True, kw_only=True)
class Containers:
    """One cluster that is up."""

    engine: str
    environment: Mapping[str, str]
    took_s: float = 0.0
    """Until it was up."""

    @property
    def address(self) -> str:
        return clusters()[self.engine].address()

    @property
    def label(self) -> str:
        """What Docker knows its parts by."""
        return f"label=com.docker.compose.project=contract-{self.engine}"

    def command(self, *arguments: str) -> list[str]:
        """Docker Compose for this cluster."""
        files = [part for name in _FILES for part in ("--file", str(REPOSITORY / name))]
        project = ["--project-name", f"contract-{self.engine}", "--profile", "tools"]
        return ["docker", "compose", *project, *files, *arguments]

    def compose(self, *arguments: str) -> str:
        """Run it, and see that it did what it was asked."""
        done = subprocess.run(
            self.command(*arguments),
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=_UP_LIMIT_S,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def inside(self, command: Sequence[str]) -> list[str]:
        """A command of this Python, to be run in the network of the cluster."""
        _, *arguments = command
        run = ("run", "--rm", "--no-TTY", "--no-deps", "--entrypoint", "python", "compare")
        return self.command(*run, *arguments)

    def inspected(self) -> list[dict[str, Any]]:
        """What Docker says of each of its containers that runs."""
        ids = docker("ps", "--quiet", "--filter", self.label).split()
        found: list[dict[str, Any]] = json.loads(docker("inspect", *ids)) if ids else []
        return found


def docker(*command: str) -> str:
    done = subprocess.run(["docker", *command], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


_kept: dict[tuple[str, float, Config], Containers] = {}


def containers(engine: str, resources: Resources) -> Containers:
    """The cluster for these resources; one at a time, until another is asked for."""
    key = (engine, resources.smallest_share, resources.config)
    if key not in _kept:
        release_containers()
        # Any free port: somebody may have a cluster of this project up.
        ports = {f"{name.upper()}_DASHBOARD_PORT": "0" for name in clusters()}
        sizes = {
            "NODE_SMALLEST_SHARE": str(resources.smallest_share),
            "NODE_THREADS": str(resources.threads_per_worker),
            "NODE_CONFIG": resources.config.value,
            f"{engine.upper()}_WORKERS": str(resources.workers),
        }
        asked = Containers(engine=engine, environment={**os.environ, **ports, **sizes})
        _kept[key] = asked  # taken down also when it does not come up
        started_s = time.monotonic()
        asked.compose("up", "--detach", "--wait", f"{engine}-cluster")
        _kept[key] = replace(asked, took_s=time.monotonic() - started_s)
    return _kept[key]


def release_containers() -> None:
    """Take down the one that is up."""
    while _kept:
        _, one = _kept.popitem()
        one.compose("down", "--volumes", "--timeout", "2")
