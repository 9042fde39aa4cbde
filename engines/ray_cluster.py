"""Ray on several hosts: what starts a head and a worker, and how a driver joins."""

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from engines.daemons import LOOPBACK, Daemon, Node
from engines.environment import budget
from engines.errors import EngineStartError
from engines.interface import Setting
from engines.ray_settings import USAGE, tuned_node

PORT = 6379
PAGE = 8265
_AGENT_PAGE = 52365
_START = (sys.executable, "-m", "ray.scripts.scripts", "start")
_STORE_BYTES = 256 * 2**20
_START_TIMEOUT_S = 60
_STOP_TIMEOUT_S = 10


def head(node: Node, port: int = PORT, page: int = PAGE) -> Daemon:
    """Control store, dashboard and no cores: tasks run on workers alone, as on other engines."""
    return Daemon(
        command=(
            *_START,
            "--head",
            f"--port={port}",
            f"--dashboard-host={node.interface}",
            f"--dashboard-port={page}",
            "--num-cpus=0",
            *_common(node),
        ),
        settings=_variables(node),
        alive=f"http://{LOOPBACK}:{page}/api/gcs_healthz",
    )


def worker(node: Node, head: str, page: int = _AGENT_PAGE) -> Daemon:
    """Cores, and as many slots."""
    return Daemon(
        command=(
            *_START,
            f"--address={head}",
            f"--dashboard-agent-listen-port={page}",
            f"--num-cpus={node.cores}",
            f'--resources={{"slot": {node.cores}}}',
            *_common(node),
        ),
        settings=_variables(node),
        alive=f"http://{LOOPBACK}:{page}/api/local_raylet_healthz",
    )


def _common(node: Node) -> tuple[str, ...]:
    return (
        *([f"--node-ip-address={LOOPBACK}"] if node.host == LOOPBACK else []),
        f"--object-store-memory={_STORE_BYTES}",
        "--disable-usage-stats",
        "--block",
    )


def _variables(node: Node) -> tuple[Setting, ...]:
    return (*budget(node.resources), USAGE, *tuned_node(node.resources))


@contextmanager
def driver_node(address: str, folder: Path) -> Iterator[None]:
    """Make this host a node without cores: Ray lets a driver run on a node alone.

    Raises:
        EngineStartError: the cluster did not take it in; with Ray's own words.
    """
    log = folder / "node.log"
    loopback = address.startswith(f"{LOOPBACK}:")
    command = [*_START, f"--address={address}", "--num-cpus=0", "--block", "--disable-usage-stats"]
    command += [f"--node-ip-address={LOOPBACK}"] if loopback else []
    command += [f"--object-store-memory={_STORE_BYTES}", "--dashboard-agent-listen-port=0"]
    with log.open("wb") as written:
        node = subprocess.Popen(command, stdout=written, stderr=subprocess.STDOUT)
    try:
        _wait_until_started(node, log, address)
        yield
    finally:
        node.terminate()
        try:
            node.wait(_STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            node.kill()
            node.wait()


def _wait_until_started(node: subprocess.Popen[bytes], log: Path, address: str) -> None:
    for _ in range(_START_TIMEOUT_S * 10):
        told = log.read_text(errors="replace")
        if "Ray runtime started" in told:
            return
        if node.poll() is not None:
            break
        time.sleep(0.1)
    lines = [line.strip() for line in told.splitlines() if line.strip()]
    raise EngineStartError(
        f"ray: no node of this host could join {address}: {lines[-1] if lines else 'no answer'}"
    )
