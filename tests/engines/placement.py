"""Where the engines of the contract run: here, on daemons of this host, or on containers.

"ray"    "ray on daemons"    "ray on containers"
"""

import contextlib
import os
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import NamedTuple

from compare.prepare import IN_NETWORK
from deploy import keys
from engines import dask_cluster, ray_cluster, spark_cluster
from engines.daemons import LOOPBACK, Daemon, Node
from engines.environment import thread_environment
from engines.interface import Config, Resources

HERE, DAEMONS, CONTAINERS = "here", "daemons", "containers"
_UP_LIMIT_S = 60
_DOWN_LIMIT_S = 10


class Placed(NamedTuple):
    """An engine and where it runs."""

    engine: str
    where: str


def placed(name: str) -> Placed:
    engine, _, where = name.partition(" on ")
    return Placed(engine, where or HERE)


class Cluster(NamedTuple):
    """One that runs: how a driver joins it."""

    address: str
    environment: dict[str, str]


class Containers(NamedTuple):
    """The same, of containers."""

    address: str
    project: str
    environment: dict[str, str]

    def inside(self, command: Sequence[str]) -> list[str]:
        """A command of this Python, to be run in the network of the cluster."""
        _, *arguments = command
        run = ["run", "--rm", "--no-TTY", "--no-deps", "--entrypoint", "python", "compare"]
        return [*compose(self.project), *run, *arguments]


REPOSITORY = Path(__file__).parents[2]


def compose(project: str) -> list[str]:
    """Docker Compose with the tests' own mounts."""
    files = ["docker-compose.yml", "tests/cluster/compose.yml"]
    told = [part for name in files for part in ("--file", str(REPOSITORY / name))]
    return ["docker", "compose", "--project-name", project, "--profile", "tools", *told]


_kept: dict[tuple[str, float, Config], tuple[Containers, ExitStack]] = {}


def containers(engine: str, resources: Resources) -> Containers:
    """The cluster of docker-compose.yml for these resources; one at a time, until another is
    asked for.
    """
    key = (engine, resources.smallest_share, resources.config)
    if key not in _kept:
        release_containers()
        stack = ExitStack()
        _kept[key] = (stack.enter_context(_containers(engine, resources)), stack)
    return _kept[key][0]


def release_containers() -> None:
    """Take down the one that is up."""
    while _kept:
        _, (_, stack) = _kept.popitem()
        stack.close()


@contextmanager
def _containers(engine: str, resources: Resources) -> Iterator[Containers]:
    project = f"contract-{engine}"
    environment = os.environ | {
        "NODE_SMALLEST_SHARE": str(resources.smallest_share),
        "NODE_THREADS": str(resources.threads_per_worker),
        "NODE_CONFIG": resources.config.value,
        f"{engine.upper()}_WORKERS": str(resources.workers),
        **dict.fromkeys(("RAY_DASHBOARD_PORT", "DASK_DASHBOARD_PORT", "SPARK_DASHBOARD_PORT"), "0"),
    }

    def run(*arguments: str) -> None:
        done = subprocess.run(
            [*compose(project), *arguments],
            env=environment,
            capture_output=True,
            text=True,
            timeout=3 * _UP_LIMIT_S,
            check=False,
        )
        assert done.returncode == 0, done.stderr

    try:
        run("up", "--detach", "--wait", f"{engine}-cluster")
        yield Containers(IN_NETWORK[engine], project, environment)
    finally:
        run("down", "--volumes", "--timeout", "2")


@contextmanager
def daemons(engine: str, resources: Resources) -> Iterator[Cluster]:
    """A head and a worker for each core, all on loopback, with credentials as in containers."""
    node = Node(
        cores=1,
        threads_per_worker=resources.threads_per_worker,
        smallest_share=resources.smallest_share,
        config=resources.config,
        host=LOOPBACK,
    )
    with ExitStack() as stack:
        # A short path: Unix sockets are made below it.
        folder = Path(stack.enter_context(_folder()))
        keys.make(folder / "keys")
        environment = {
            **os.environ,
            **keys.environment(str(folder / "keys")),
            **thread_environment(resources),
            "PYTHONPATH": os.pathsep.join([str(Path.cwd()), *sys.path]),
            "RAY_TMPDIR": str(folder),
        }
        port, page = _free_port(), _free_port()
        modules = {"ray": ray_cluster, "dask": dask_cluster, "spark": spark_cluster}
        prefix = {"ray": "", "dask": "tls://", "spark": "spark://"}[engine]
        address = f"{prefix}{LOOPBACK}:{port}"
        head = modules[engine].head(node, port, page)
        stack.enter_context(_running(head, environment, folder / "head.log"))
        for number in range(resources.workers):
            own = folder / f"worker-{number}"
            own.mkdir()
            worker = _worker(engine, node, address, own)
            stack.enter_context(_running(worker, environment, folder / f"{number}.log"))
        yield Cluster(address, keys.environment(str(folder / "keys")))


def _worker(engine: str, node: Node, address: str, folder: Path) -> Daemon:
    page = _free_port()
    if engine == "spark":
        return spark_cluster.worker(node, address, page, folder=folder)
    if engine == "dask":
        return dask_cluster.worker(node, address, page)
    return ray_cluster.worker(node, address, page)


@contextmanager
def _running(started: Daemon, environment: dict[str, str], log: Path) -> Iterator[None]:
    settings = {setting.name: setting.value for setting in started.settings}
    with log.open("wb") as written:
        process = subprocess.Popen(
            started.command, env=environment | settings, stdout=written, stderr=subprocess.STDOUT
        )
    try:
        _wait_until_alive(process, started.alive, log)
        yield
    finally:
        process.terminate()
        try:
            process.wait(_DOWN_LIMIT_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _wait_until_alive(process: subprocess.Popen[bytes], page: str, log: Path) -> None:
    until_s = time.monotonic() + _UP_LIMIT_S
    while process.poll() is None and time.monotonic() < until_s:
        with contextlib.suppress(OSError), urllib.request.urlopen(page, timeout=5):  # noqa: S310
            return
        time.sleep(0.2)
    raise AssertionError(f"{process.args!r} did not come up:\n{log.read_text()[-4000:]}")


def _folder() -> tempfile.TemporaryDirectory[str]:
    return tempfile.TemporaryDirectory(prefix="c-", dir="/tmp", ignore_cleanup_errors=True)


def _free_port() -> int:
    with socket.socket() as bound:
        bound.bind((LOOPBACK, 0))
        port: int = bound.getsockname()[1]
        return port
