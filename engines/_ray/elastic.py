"""A private Ray cluster whose autoscaler starts and ends nodes of one core on this host."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from engines._ray.settings import NODE_STORE_BYTES, STORE_BYTES, autoscaler
from engines.cluster import LOOPBACK
from engines.daemons import end_those_with, free_ports, last_words
from engines.errors import EngineStartError
from engines.interface import Resources

HEAD_ID = "f" * 51 + "00000"
"""The provider gives the nodes that it starts the numbers after this one."""
HEAD_TYPE, WORKER_TYPE = "ray.head.default", "worker"
_START_TIMEOUT_S = 60


@contextmanager
def elastic_cluster(resources: Resources, idle_s: float, folder: Path) -> Iterator[str]:
    """The address of a cluster with a head that has no core; the autoscaler adds nodes that have.

    Raises:
        EngineStartError: the head did not start; the message has the end of its output.
    """
    settings = {setting.name: setting.value for setting in autoscaler(resources, idle_s)}

    def described(address: str) -> dict[str, object]:
        provider = {
            "module": settings["provider"],
            "head_node_id": HEAD_ID,
            "launch_multiple": True,
            "gcs_address": address,
        }
        return configuration(
            provider,
            {"CPU": 1, "object_store_memory": NODE_STORE_BYTES},
            resources.workers,
            float(settings["idle_timeout_minutes"]),
        )

    with scaling_head(described, folder) as address:
        yield address


@contextmanager
def scaling_head(described: Callable[[str], dict[str, object]], folder: Path) -> Iterator[str]:
    """The address of a head without a core, with an autoscaler that has this configuration.

    Args:
        described: the autoscaler's configuration for the head's address.
        folder: a private folder, for everything that Ray writes.

    Raises:
        EngineStartError: the head did not start; the message has the end of its output.
    """
    port, client_port = free_ports(2)
    config, log = folder / "autoscaling.json", folder / "head.log"
    config.write_text(json.dumps(described(f"{LOOPBACK}:{port}")))
    command = [sys.executable, "-m", "ray.scripts.scripts", "start", "--head", "--num-cpus=0"]
    command += [f"--node-ip-address={LOOPBACK}", f"--port={port}", f"--temp-dir={folder}"]
    # A server for remote drivers cannot be switched off; by default it takes port 10001.
    command += [f"--ray-client-server-port={client_port}"]
    command += [f"--object-store-memory={STORE_BYTES}", "--include-dashboard=false"]
    command += ["--disable-usage-stats", f"--autoscaling-config={config}"]
    environment = {
        **os.environ,
        "RAY_FAKE_CLUSTER": "1",  # Ray's own provider refuses to work without it
        "RAY_CLOUD_INSTANCE_ID": HEAD_ID,
        "RAY_OVERRIDE_NODE_ID_FOR_TESTING": HEAD_ID,
    }
    try:
        _start(command, environment, log)
        yield f"{LOOPBACK}:{port}"
    finally:
        # Its daemons detach, and "ray stop" would end those of other clusters, too.
        end_those_with(str(folder), f"--address={LOOPBACK}:{port}")


def _start(command: list[str], environment: dict[str, str], log: Path) -> None:
    with log.open("wb") as written:
        try:
            subprocess.run(
                command,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=written,
                stderr=subprocess.STDOUT,
                timeout=_START_TIMEOUT_S,
                check=True,
            )
        except (subprocess.CalledProcessError, subprocess.TimeoutExpired) as error:
            raise EngineStartError(f"ray: the head did not start: {last_words(log)}") from error


def configuration(
    provider: Mapping[str, object], worker: Mapping[str, float], most: int, idle_minutes: float
) -> dict[str, object]:
    """The autoscaler's configuration.  It fills in no default, so it needs every key.

    Args:
        provider: the class that starts nodes, and what it is told.
        worker: the resources of a node.
        most: the number of nodes beside the head.
        idle_minutes: minutes after which an idle node ends.
    """
    commands = ("initialization", "setup", "head_setup", "worker_setup")
    return {
        "cluster_name": "engine-compare",
        "max_workers": most,
        "upscaling_speed": 1.0,
        "idle_timeout_minutes": idle_minutes,
        "provider": {"type": "external", **provider},
        "available_node_types": {
            HEAD_TYPE: {"resources": {"CPU": 0}, "node_config": {}, "max_workers": 0},
            WORKER_TYPE: {
                "resources": dict(worker),
                "node_config": {},
                "min_workers": 0,
                "max_workers": most,
            },
        },
        "head_node_type": HEAD_TYPE,
        **{f"{name}_commands": [] for name in (*commands, "head_start_ray", "worker_start_ray")},
        **{name: {} for name in ("auth", "docker", "file_mounts")},
        **{name: [] for name in ("cluster_synced_files", "rsync_exclude", "rsync_filter")},
        "file_mounts_sync_continuously": False,
    }
