"""Where a contract test runs an engine: in its own process, on daemons of this host, on containers.

The name of the engine states the place: "ray", "ray on daemons", "ray on containers".
"""

import contextlib
import os
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import NamedTuple

from deploy import keys
from engines.cluster import LOOPBACK, Daemon, Node
from engines.environment import thread_environment
from engines.interface import Resources
from engines.registry import clusters

HERE, DAEMONS, CONTAINERS = "here", "daemons", "containers"
_UP_LIMIT_S = 60
_DOWN_LIMIT_S = 10


class Placed(NamedTuple):
    """An engine and the place where it runs."""

    engine: str
    where: str


def placed(name: str) -> Placed:
    engine, _, where = name.partition(" on ")
    return Placed(engine, where or HERE)


class Joined(NamedTuple):
    """How a driver joins a running cluster."""

    address: str
    page: int
    """Port of the dashboard."""
    environment: dict[str, str]


@contextmanager
def daemons(engine: str, resources: Resources) -> Iterator[Joined]:
    """Run a head, and one worker for each core, on loopback, with credentials as in containers."""
    node = Node(
        cores=1,
        threads_per_worker=resources.threads_per_worker,
        smallest_share=resources.smallest_share,
        config=resources.config,
        host=LOOPBACK,
    )
    with ExitStack() as stack:
        # A short path, because Unix sockets below it have a limited path length.
        folder = Path(stack.enter_context(_folder()))
        keys.make(folder / "keys")
        environment = {
            **os.environ,
            **keys.environment(str(folder / "keys")),
            **thread_environment(resources),
            "PYTHONPATH": os.pathsep.join([str(Path.cwd()), *sys.path]),
            "RAY_TMPDIR": str(folder),
        }
        cluster, port, page = clusters()[engine], _free_port(), _free_port()
        address = cluster.address(LOOPBACK, port)
        head = cluster.head(node, port, page)
        stack.enter_context(_running(head, environment, folder / "head.log"))
        for number in range(resources.workers):
            worker_folder = folder / f"worker-{number}"
            worker_folder.mkdir()
            worker = cluster.worker(node, address, _free_port(), worker_folder)
            stack.enter_context(_running(worker, environment, folder / f"{number}.log"))
        yield Joined(address, page, keys.environment(str(folder / "keys")))


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
