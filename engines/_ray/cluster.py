"""Ray on several hosts: how to start a head and a worker, and how a driver joins."""

import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from engines._ray.settings import USAGE, tuned_node, tuned_view
from engines.cluster import LOOPBACK, Cluster, Daemon, Node
from engines.environment import budget
from engines.errors import EngineStartError
from engines.interface import Setting

_START = (sys.executable, "-m", "ray.scripts.scripts", "start")
_STORE_BYTES = 256 * 2**20
_START_TIMEOUT_S = 60
_ERROR = "Error: "
_STOP_TIMEOUT_S = 10


def _head(node: Node, port: int, page: int) -> Daemon:
    """Control store and dashboard, but no cores: only workers run tasks, as with other engines."""
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


def _worker(node: Node, head: str, page: int, _: Path) -> Daemon:
    """A node with cores and the same number of slots."""
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


def _nodes(answer: Mapping[str, Any]) -> int:
    raylets = [node["raylet"] for node in answer["data"]["summary"]]
    return sum(
        raylet.get("state") == "ALIVE" and not raylet.get("isHeadNode", False) for raylet in raylets
    )


CLUSTER = Cluster(
    head_role="ray-head",
    worker_role="ray-worker",
    scheme="",
    port=6379,
    page=8265,
    worker_page=52365,
    head=_head,
    worker=_worker,
    nodes_path="/nodes?view=summary",
    nodes=_nodes,
    token_variable="RAY_AUTH_TOKEN_PATH",  # noqa: S106 - a name
)


def _variables(node: Node) -> tuple[Setting, ...]:
    resources = node.resources
    return (*budget(resources), USAGE, *tuned_node(resources), *tuned_view(resources))


@contextmanager
def driver_node(address: str, folder: Path) -> Iterator[str]:
    """Make this host a node without cores, because a Ray driver must run on a node.

    Raises:
        EngineStartError: the node could not join; the message contains Ray's own error.
    """
    log = folder / "node.log"
    loopback = address.startswith(f"{LOOPBACK}:")
    # Nothing else would end it if this process were killed.  Linux sends the signal when the thread
    # ends that has started the node, which lives as long as the engine is open.
    ends_with_us = ["setpriv", "--pdeathsig", "TERM"] if shutil.which("setpriv") else []
    command = [
        *ends_with_us,
        *_START,
        f"--address={address}",
        "--num-cpus=0",
        "--block",
        "--disable-usage-stats",
    ]
    command += [f"--node-ip-address={LOOPBACK}"] if loopback else []
    command += [f"--object-store-memory={_STORE_BYTES}", "--dashboard-agent-listen-port=0"]
    with log.open("wb") as written:
        node = subprocess.Popen(command, stdout=written, stderr=subprocess.STDOUT)
    try:
        _wait_until_started(node, log, address)
        yield address
    finally:
        node.terminate()
        try:
            node.wait(_STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            node.kill()
            node.wait()


def _wait_until_started(node: subprocess.Popen[bytes], log: Path, address: str) -> None:
    for _ in range(_START_TIMEOUT_S * 10):
        output = log.read_text(errors="replace")
        if "Ray runtime started" in output:
            return
        if node.poll() is not None:
            break
        time.sleep(0.1)
    raise EngineStartError(
        f"ray: this host could not join {address} as a node: {_last_error(output) or 'no answer'}"
    )


def _last_error(output: str) -> str:
    """All lines from the last error on: Ray prints, for example, two versions on extra lines."""
    lines = [line for line in output.splitlines() if line.strip()]
    begin = next((n for n, line in reversed(list(enumerate(lines))) if _ERROR in line), -1)
    return " ".join(line.strip() for line in lines[begin:])
