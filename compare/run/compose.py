"""Clusters of containers: each is started for one session, and removed after it."""

import json
import os
import shutil
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from itertools import chain
from pathlib import Path
from typing import IO

from compare.errors import UsageError
from compare.measure import clock
from compare.measure.machine import cores
from compare.records.deeds import Answer, Deed
from compare.records.plan import SERIAL, Plan, Session, original_of
from compare.records.store import RunFolder
from compare.run.session import resources_of
from compare.run.victims import Victims
from engines.environment import thread_environment
from engines.registry import clusters

FILE = "docker-compose.yml"
_ALONE = "multiprocessing-cluster"
"""The service for engines on one host; it has as many cores as all nodes together."""
_BURST, _LATENCY = "256kbit", "200ms"
"""Token bucket: bytes sent at once, and how long a packet may wait."""
_PLAN_INSIDE = "/mnt/plan"
_UP_LIMIT_S = 180
_LOG_LINES = 8


class ComposeError(Exception):
    """Docker Compose failed; the message has the last lines of its output."""


class Composed:
    """Starts the sessions of one run in containers."""

    def __init__(self, plan: Plan, folder: RunFolder) -> None:
        self._plan = plan
        self._folder = folder
        self._project = f"engine-compare-{plan.run_id}"
        self._override = folder.path / "compose.json"
        self._inside = folder.path / "inside"
        self._victims = Victims(connected=self._limit_link)
        self._prepare()

    def _prepare(self) -> None:
        """Mount the files of the plan, and write a plan with their paths inside the containers."""
        workload, job = self._plan.workload, self._plan.job
        folders: set[Path] = set()
        if workload is not None:
            folders |= {Path(workload.model_folder), *(Path(f).parent for f in workload.images)}
        if job is not None:
            folders |= {Path(job.folder), Path(job.file).parent}
        tops = sorted(str(path) for path in folders if not folders & set(path.parents))
        # Not at their own paths: the nodes' user may have no access to the folders above them.
        places = {top: f"/mnt/{number}" for number, top in enumerate(tops)}
        if workload is not None:
            workload = replace(
                workload,
                model_folder=_moved(workload.model_folder, places),
                images=tuple(_moved(file, places) for file in workload.images),
            )
        if job is not None:
            job = replace(job, file=_moved(job.file, places), folder=_moved(job.folder, places))
        self._inside.mkdir(exist_ok=True)
        RunFolder(self._inside).write_plan(replace(self._plan, workload=workload, job=job))
        mounts = [f"{top}:{place}:ro" for top, place in places.items()]
        mounts.append(f"{self._inside.resolve()}:{_PLAN_INSIDE}:ro")
        roles = [(cluster.head_role, cluster.worker_role) for cluster in clusters().values()]
        services = [_ALONE, "compare", *chain.from_iterable(roles)]
        override = {"services": {name: {"volumes": mounts} for name in services}}
        self._override.write_text(json.dumps(override, indent=1), encoding="utf-8")

    def build(self) -> None:
        """Build the image if something in it has changed; the nodes run the code of this folder.

        Raises:
            ComposeError: the image cannot be built.
        """
        self._compose("build", "--quiet", "keys", environment=dict(os.environ), limit_s=None)

    @contextmanager
    def cluster(self, session: Session) -> Iterator[float | None]:
        """Start nodes for the session, if its engine uses any; yields the seconds until they run.

        Raises:
            ComposeError: the nodes did not start.
        """
        engine = original_of(session.engine)
        if engine not in self._plan.clusters:
            yield None
            return
        environment = self._environment(session)
        try:
            up = ("up", "--detach", "--wait", f"{engine}-cluster")
            _, start_s = clock.timed(lambda: self._compose(*up, environment=environment))
            for container in self._containers():
                self._limit_link(container)
            yield start_s
        finally:
            self._compose("down", "--timeout", "2", environment=environment)

    def _containers(self, service: str | None = None) -> list[str]:
        """Ids of the running containers."""
        labels = [f"project={self._project}", *([f"service={service}"] if service else [])]
        filters = [f"--filter=label=com.docker.compose.{label}" for label in labels]
        listed = subprocess.run(
            ["docker", "ps", "--quiet", *filters], capture_output=True, text=True, check=True
        )
        return listed.stdout.split()

    def _limit_link(self, container: str) -> None:
        """Limit the sending rate of a container with a token bucket, set from outside."""
        rate = self._plan.options.link_rate
        if rate is None:
            return
        done = subprocess.run(
            [
                *("docker", "run", "--rm", "--user=0", "--cap-drop=ALL", "--cap-add=NET_ADMIN"),
                *(f"--network=container:{container}", "--read-only", image()),
                *("tc", "qdisc", "replace", "dev", "eth0", "root", "tbf"),
                *("rate", rate, "burst", _BURST, "latency", _LATENCY),
            ],
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise ComposeError(
                f"--link-rate {rate}: this kernel cannot limit the link of a container "
                f"({done.stderr.strip()}); leave the flag out"
            )

    def start(
        self, plan: Plan, session: Session, _: RunFolder, log: IO[bytes]
    ) -> tuple[subprocess.Popen[bytes], IO[bytes]]:
        """Start a session in a container on the cluster's network, or in one with all cores."""
        service = "compare" if original_of(session.engine) in plan.clusters else _ALONE
        budget = thread_environment(resources_of(plan, session))
        process = subprocess.Popen(
            [
                *self._command("run", "--rm", "--no-TTY", "--no-deps", "--entrypoint", "python"),
                *(f"--env={name}={value}" for name, value in budget.items()),
                service,
                *("-m", "compare.run.session", _PLAN_INSIDE, session.id, "1"),
            ],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            env=self._environment(session),
            start_new_session=True,
        )
        assert process.stdout is not None  # noqa: S101 - a pipe was asked for
        if plan.options.link_rate is not None and service != _ALONE:
            self._limit_link(self._driver(service, process))
        return process, process.stdout

    def _driver(self, service: str, process: subprocess.Popen[bytes]) -> str:
        """Wait for the container of a session, which runs long before its engine is open."""
        while process.poll() is None:
            running = self._containers(service)
            if running:
                return running[0]
            time.sleep(0.05)
        raise ComposeError("the container of the session ended before its link could be limited")

    def act(self, session: Session, deed: Deed) -> Answer:
        """Do what a session asks for, to a node of its own cluster that runs tasks."""
        engine = original_of(session.engine)
        if not session.faults or engine not in self._plan.clusters:
            reason = "nothing is to go wrong with a container of this session"
            return Answer(done_s=None, reason=reason)
        return self._victims.do(deed, self._containers(clusters()[engine].worker_role))

    def close(self) -> None:
        """Remove the containers, network and secrets of the run."""
        subprocess.run(
            self._command("--profile", "tools", "down", "--volumes", "--timeout", "2"),
            env=os.environ | {"COMPOSE_IGNORE_ORPHANS": "1"},
            capture_output=True,
            check=False,
        )

    def _command(self, *arguments: str) -> list[str]:
        files = ["--file", str(compose_file()), "--file", str(self._override)]
        return ["docker", "compose", "--project-name", self._project, *files, *arguments]

    def _environment(self, session: Session) -> dict[str, str]:
        plan = self._plan
        engines = [name.upper() for name in clusters()]
        sizes = {f"{engine}_WORKERS": str(session.workers) for engine in engines} | {
            "NODE_CORES": "1",
            "NODE_THREADS": str(plan.options.threads_per_worker),
            "NODE_SMALLEST_SHARE": str(session.smallest_share),
            "NODE_CONFIG": plan.options.config.value,
            # As many as all nodes together; Docker refuses more than the machine has.
            "ALL_CORES": str(1 if session.engine == SERIAL else min(session.workers, cores())),
        }
        # Any free port, because a running cluster of the user may occupy the usual ones.
        ports = dict.fromkeys((f"{engine}_DASHBOARD_PORT" for engine in engines), "0")
        return os.environ | sizes | ports

    def _compose(
        self, *arguments: str, environment: dict[str, str], limit_s: float | None = _UP_LIMIT_S
    ) -> None:
        try:
            done = subprocess.run(
                self._command(*arguments),
                env=environment,
                capture_output=True,
                text=True,
                timeout=limit_s,
                check=False,
            )
        except subprocess.TimeoutExpired as error:
            raise ComposeError(
                f"docker compose {arguments[0]} took more than {limit_s:.0f} s"
            ) from error
        if done.returncode:
            last = done.stderr.strip().splitlines()[-_LOG_LINES:]
            raise ComposeError(f"docker compose {arguments[0]} failed: " + "\n".join(last))


def image() -> str:
    """The name of the image of all nodes."""
    return f"engine-compare:{os.environ.get('ENGINE_COMPARE_TAG', 'dev')}"


def _moved(path: str, places: Mapping[str, str]) -> str:
    """The path inside a container."""
    for top, place in places.items():
        if Path(path) == Path(top) or Path(top) in Path(path).parents:
            return str(Path(place) / Path(path).relative_to(top))
    raise ValueError(f"{path} is in none of {', '.join(places)}")


def compose_file() -> Path:
    """The Compose file of the clusters, in the folder above this package or the current one.

    Raises:
        UsageError: the file is in neither folder.
    """
    for folder in (Path(__file__).parents[2], Path.cwd()):
        if (folder / FILE).is_file():
            return folder / FILE
    raise UsageError(f"--on compose needs {FILE} of the repository: run the command in a clone")


def check_docker() -> None:
    """Check that containers can be started.

    Raises:
        UsageError: they cannot; the message says what is missing.
    """
    if shutil.which("docker") is None:
        raise UsageError("--on compose needs Docker with Compose, but there is no program 'docker'")
    for command, missing in (
        (["docker", "info"], "the Docker engine does not answer: start it, or join its group"),
        (["docker", "compose", "version"], "Docker has no Compose: install docker-compose-plugin"),
    ):
        if subprocess.run(command, capture_output=True, check=False).returncode:
            raise UsageError(f"--on compose: {missing}")
