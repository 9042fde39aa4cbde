"""A private Ray head whose autoscaler knows many nodes that are only registered."""

import contextlib
import os
import secrets
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import psutil

from compare.measure import clock
from engines._ray.elastic import WORKER_TYPE, configuration, scaling_head
from engines._ray.settings import NODE_STORE_BYTES, private
from engines.cluster import LOOPBACK
from engines.environment import export, forget, share_import_path
from engines.errors import EngineStartError
from engines.interface import Setting
from tools import beat_notes

LOOK_EVERY_S = 0.01
_ASK_EVERY_S = 0.5
_PROVIDER = "tools.registered_provider.RegisteredNodes"
_PATIENCE_S = 150.0
"""For the nodes to be known, and for a decision."""
_RPC_TIMEOUT_S = 30
_DOWN_LIMIT_S = 10
_NEVER_MINUTES = 1e6


class TooLateError(Exception):
    """Something did not happen in time.  The message says what, and becomes part of the table."""


class Cluster:
    """A head with its registered nodes, looked at from outside."""

    def __init__(self, address: str, nodes: int, notes: Path, until_s: float) -> None:
        from ray._raylet import GcsClient  # type: ignore[attr-defined]

        self.address = address
        self.nodes = nodes
        self._until_s = until_s
        self._notes = notes
        self._gcs = GcsClient(address=address)

    def notes(self) -> list[beat_notes.Note]:
        """What the provider has noted."""
        return beat_notes.notes(self._notes)

    def wait(self, happened: Callable[[], bool], what: str, every_s: float) -> None:
        """Wait until it has happened.

        Raises:
            TooLateError: it did not within the limit, or within the time of the program.
        """
        began_s = clock.now()
        while not happened():
            if clock.now() > self._until_s:
                raise TooLateError(f"{what} before the time of this program was up")
            if clock.now() - began_s > _PATIENCE_S:
                raise TooLateError(f"{what} within {_PATIENCE_S:.0f} s")
            time.sleep(every_s)

    def wait_until_known(self) -> None:
        """Wait until the autoscaler knows that all nodes run, and that their cores are taken."""
        version = None

        def known() -> bool:
            nonlocal version
            state, decided = self._state()
            if sum(map(_is_busy, state.node_states)) < self.nodes:
                return False
            version = version or state.cluster_resource_state_version
            seen: int = decided.last_seen_cluster_resource_state_version
            return seen >= version and not decided.pending_instances

        self.wait(known, f"the autoscaler did not know all {self.nodes:,} nodes", _ASK_EVERY_S)

    def wait_until_calm(self) -> None:
        """Wait until the autoscaler has seen that nothing is wanted any more."""
        version = None

        def calm() -> bool:
            nonlocal version
            state, decided = self._state()
            if state.pending_resource_requests:
                return False
            version = version or state.cluster_resource_state_version
            seen: int = decided.last_seen_cluster_resource_state_version
            return seen >= version and not decided.pending_instance_requests

        self.wait(calm, "the autoscaler still wanted nodes for no task", _ASK_EVERY_S)

    def wait_for_update(self) -> None:
        """Wait for the begin of the next update."""
        before = self._looks()
        self.wait(lambda: self._looks() > before, "no update began", LOOK_EVERY_S)

    def lost(self) -> int:
        """Registered nodes that Ray takes for dead."""
        state, _ = self._state()
        return self.nodes - sum(map(_is_busy, state.node_states))

    def _looks(self) -> int:
        return sum(one.what == beat_notes.LOOKED for one in self.notes())

    def _state(self) -> tuple[Any, Any]:
        """What the control store says of the cluster, and what the autoscaler said to it."""
        from ray.core.generated.autoscaler_pb2 import GetClusterStatusReply

        reply = GetClusterStatusReply()
        reply.ParseFromString(self._gcs.get_cluster_status(timeout_s=_RPC_TIMEOUT_S))
        return reply.cluster_resource_state, reply.autoscaling_state


def _is_busy(node: Any) -> bool:  # noqa: ANN401 - a message of Ray
    from ray.core.generated.autoscaler_pb2 import NodeStatus

    alive = node.status in (NodeStatus.RUNNING, NodeStatus.IDLE)
    return alive and node.ray_node_type_name == WORKER_TYPE and not node.available_resources["CPU"]


@contextmanager
def scaling_cluster(nodes: int, folder: Path, until_s: float, *, real: bool) -> Iterator[Cluster]:
    """A head, so many nodes that are registered or real, and a connection of this process.

    Args:
        nodes: beside the head.
        folder: everything that Ray writes.
        until_s: when nothing is waited for any more, on the clock of this process.
        real: whether a raylet stands behind each node.

    Raises:
        EngineStartError: the head did not start, or did not take the nodes.
    """
    import ray

    notes = folder / "notes"
    notes.touch()

    def described(_: str) -> dict[str, object]:
        provider = {
            "module": _PROVIDER,
            "registered": nodes,
            "notes": str(notes),
            "disable_node_updaters": True,  # nothing is to be installed over ssh
        }
        return configuration(provider, {"CPU": 1}, 2 * nodes + 1, _NEVER_MINUTES)

    with ExitStack() as stack:
        address = stack.enter_context(scaling_head(described, folder))
        if real:
            _start_raylets(address, nodes)
        else:
            stack.enter_context(_registered(address, nodes))
        stack.callback(ray.shutdown)
        ray.init(address, logging_level="ERROR", log_to_driver=False)
        yield Cluster(address, nodes, notes, until_s)


@contextmanager
def _registered(address: str, nodes: int) -> Iterator[None]:
    """Nodes that are registered, and end with the context."""
    command = [sys.executable, "-m", "tools.registered_nodes"]
    command += ["--gcs", address, "--count", str(nodes)]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            assert process.stdout is not None  # noqa: S101 - it was asked for
            if not process.stdout.readline().startswith(beat_notes.REGISTERED):
                raise EngineStartError(f"the control store did not take {nodes:,} nodes")
            yield
        finally:
            process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(_DOWN_LIMIT_S)
            process.kill()


def _start_raylets(address: str, nodes: int) -> None:
    """Nodes without a core, one after the other.  They end with the head.

    Raylets of one host that start at the same time take the same names for their sockets, and end.
    """
    command = [sys.executable, "-m", "ray.scripts.scripts", "start", f"--address={address}"]
    command += [f"--node-ip-address={LOOPBACK}", "--num-cpus=0", "--disable-usage-stats"]
    command += [f"--object-store-memory={NODE_STORE_BYTES}", "--dashboard-agent-listen-port=0"]
    for number in range(nodes):
        known = {
            "RAY_CLOUD_INSTANCE_ID": beat_notes.instance_name(number),
            "RAY_NODE_TYPE_NAME": WORKER_TYPE,
        }
        subprocess.run(
            command,
            env={**os.environ, **known},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            timeout=_PATIENCE_S,
            check=True,
        )


def daemon(folder: Path, name: str) -> psutil.Process:
    """The process of the cluster in this folder whose command line has the name."""
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            line = " ".join(process.cmdline())
            if f"{folder}/" in line and name in line and process.pid != os.getpid():
                return process
    raise EngineStartError(f"{name} does not run")


def prepare(folder: Path, pause_s: int) -> None:
    """Variables of the heads: a token, loopback alone, and autoscaler v2.

    Ray reads some of them when it is imported, so it must not be before.
    """
    forget("RAY_", "AUTOSCALER_")
    (folder / "token").write_text(secrets.token_hex(32))
    version = Setting(
        name="RAY_enable_autoscaler_v2", value="1", reason="the autoscaler that is measured"
    )
    pause = Setting(
        name="AUTOSCALER_UPDATE_INTERVAL_S", value=str(pause_s), reason="Ray's default is 5"
    )
    export((*private(), version, pause), folder)
    share_import_path()
