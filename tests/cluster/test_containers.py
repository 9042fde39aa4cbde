"""Tests the clusters of docker-compose.yml.  They run in real containers and need Docker.

python -m pytest tests/cluster --on containers
"""

import json
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from typing import Any

import psutil
import pytest

from compare.records.measurements import NodeUse
from engines.interface import Resources
from engines.registry import clusters
from tests.engines.containers import Containers, containers, docker, release_containers
from tests.engines.placement import CONTAINERS, placed

pytestmark = [pytest.mark.placed(CONTAINERS), pytest.mark.timeout(800)]

READY_S = 180
"""By itself a cluster starts within a minute; here those of other tests start beside it."""
TASKS = 24
_KILL_AFTER_S = 2.0


@pytest.fixture
def up(engine_name: str) -> Containers:
    """The running cluster of the engine."""
    return containers(placed(engine_name).engine, Resources(workers=2, threads_per_worker=1))


def test_a_cluster_starts_soon_and_measures_on_all_hosts(up: Containers) -> None:
    assert up.took_s < READY_S
    # With a number of blocks, no session is measured again because other programs ran.
    quick = ("--preset", "quick", "--blocks", "1")
    asked = ("--engines", up.engine, *quick, "--experiments", "throughput")
    sizes = ("--model", "vit-digits", "--n-images", "360", "--chunk", "5")
    up.compose("run", "--rm", "--no-TTY", "compare", *asked, *sizes)
    read = ("run", "--rm", "--no-TTY", "--no-deps", "--entrypoint", "sh", "compare", "-c")
    lines = up.compose(*read, "cat /results/*/measurements.jsonl").splitlines()
    (run,) = [
        record
        for record in map(json.loads, lines)
        if (record["engine"], record["kind"]) == (up.engine, "tasks")
    ]
    assert len(run["hosts"]) == 2
    assert run["received"] == [1] * 72
    nodes = [NodeUse(*node) for node in run["nodes"]]
    assert sorted(node.role for node in nodes) == ["driver", "head", "worker", "worker"]
    assert all(node.cpu_s and node.received_bytes and node.sent_bytes for node in nodes)


def test_the_containers_have_no_privileges(up: Containers) -> None:
    inspected = up.inspected()
    assert len(inspected) == 4
    for container in inspected:
        host = container["HostConfig"]
        assert container["Config"]["User"] == "10001:10001"
        assert host["ReadonlyRootfs"]
        assert host["CapDrop"] == ["ALL"]
        assert not host["CapAdd"]
        assert "no-new-privileges:true" in host["SecurityOpt"]
        assert not host["Privileged"]
        output = docker(
            "exec", container["Id"], "sh", "-c", "id -u; touch /opt/x 2>&1; cat /proc/1/status"
        )
        assert output.startswith("10001\n")
        assert "Read-only file system" in output
        assert "CapEff:\t0000000000000000" in output


def test_a_cluster_publishes_only_its_dashboard_and_only_on_loopback(up: Containers) -> None:
    (published,) = [
        (binding["HostIp"], int(binding["HostPort"]))
        for container in up.inspected()
        for bindings in container["NetworkSettings"]["Ports"].values()
        for binding in bindings or ()
    ]
    inside = {
        network["IPAddress"]
        for container in up.inspected()
        for network in container["NetworkSettings"]["Networks"].values()
    }
    listening = {
        (connection.laddr.ip, connection.laddr.port)
        for process in psutil.process_iter()
        if process.name() == "docker-proxy" and inside & set(process.cmdline())
        for connection in process.net_connections("inet")
        if connection.status == psutil.CONN_LISTEN
    }
    assert published[0] == "127.0.0.1"
    assert listening == {published}


def test_a_cluster_rejects_a_user_without_credentials(up: Containers) -> None:
    assert last_line(up, ["tests.cluster.uninvited", up.engine]) == "ran 42"
    assert last_line(up, ["tests.cluster.uninvited", up.engine, "bare"]) == "refused"


def last_line(up: Containers, module: Sequence[str]) -> str:
    """Run a test module in the network of the cluster; return the last line that it prints."""
    completed = subprocess.run(
        up.inside([sys.executable, "-m", *module]),
        env=up.environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert completed.returncode == 0, completed.stderr
    return completed.stdout.splitlines()[-1]


def test_a_batch_loses_no_result_when_a_node_is_killed_and_nothing_is_left_behind(
    up: Containers,
) -> None:
    begun = threading.Event()
    killer = threading.Thread(target=kill_a_worker, args=(up, begun))
    killer.start()
    with subprocess.Popen(
        up.inside([sys.executable, "-m", "tests.cluster.long_batch", up.engine, str(TASKS)]),
        env=up.environment,
        stdout=subprocess.PIPE,
        text=True,
    ) as running:
        assert running.stdout is not None
        lines = []
        for line in running.stdout:
            lines.append(line)
            if line.startswith("begun"):
                begun.set()
        begun.set()
        killer.join()
    release_containers()
    for kind in (("ps", "--all"), ("network", "ls"), ("volume", "ls")):
        assert docker(*kind, "--quiet", "--filter", up.label) == ""
    assert running.returncode == 0
    result: dict[str, Any] = json.loads(lines[-1])
    assert result["received"] == [1] * TASKS
    assert result["right"]
    assert result["lost"] == 1
    assert TASKS < result["kernel_calls"] <= TASKS + 4
    again = result["kernel_calls"] - TASKS
    assert "lost the host" in result["caution"]
    assert f"of {TASKS} tasks, {again} ran twice" in result["caution"]


def kill_a_worker(up: Containers, begun: threading.Event) -> None:
    begun.wait(200)
    time.sleep(_KILL_AFTER_S)
    role = clusters()[up.engine].worker_role
    labels = [(each["Id"], each["Config"]["Labels"]) for each in up.inspected()]
    docker("kill", next(i for i, label in labels if label["com.docker.compose.service"] == role))
