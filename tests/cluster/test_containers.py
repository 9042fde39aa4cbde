"""What the clusters of docker-compose.yml promise.  Really run: they need Docker.

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

from compare.records import NodeUse
from engines.interface import Resources
from engines.registry import clusters
from tests.engines.containers import Containers, containers, docker, release_containers
from tests.engines.placement import CONTAINERS, placed

pytestmark = [pytest.mark.placed(CONTAINERS), pytest.mark.timeout(400)]

READY_S = 60
TASKS = 24
_KILL_AFTER_S = 2.0


@pytest.fixture
def up(engine_name: str) -> Containers:
    """The engine's cluster, up."""
    return containers(placed(engine_name).engine, Resources(workers=2, threads_per_worker=1))


def test_is_ready_soon_and_measures_on_all_hosts(up: Containers) -> None:
    assert up.took_s < READY_S
    asked = ("--engines", up.engine, "--preset", "quick", "--experiments", "throughput")
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


def test_gives_its_containers_no_rights(up: Containers) -> None:
    found = up.inspected()
    assert len(found) == 4
    for one in found:
        host = one["HostConfig"]
        assert one["Config"]["User"] == "10001:10001"
        assert host["ReadonlyRootfs"]
        assert host["CapDrop"] == ["ALL"]
        assert not host["CapAdd"]
        assert "no-new-privileges:true" in host["SecurityOpt"]
        assert not host["Privileged"]
        told = docker("exec", one["Id"], "sh", "-c", "id -u; touch /opt/x 2>&1; cat /proc/1/status")
        assert told.startswith("10001\n")
        assert "Read-only file system" in told
        assert "CapEff:\t0000000000000000" in told


def test_publishes_nothing_but_its_dashboard_on_loopback(up: Containers) -> None:
    (published,) = [
        (binding["HostIp"], int(binding["HostPort"]))
        for one in up.inspected()
        for bindings in one["NetworkSettings"]["Ports"].values()
        for binding in bindings or ()
    ]
    listening = {
        (connection.laddr.ip, connection.laddr.port)
        for process in psutil.process_iter()
        if process.name() == "docker-proxy"
        for connection in process.net_connections("inet")
        if connection.status == psutil.CONN_LISTEN
    }
    assert published[0] == "127.0.0.1"
    assert listening == {published}


def test_refuses_who_has_no_credentials(up: Containers) -> None:
    assert said(up, ["tests.cluster.uninvited", up.engine]) == "ran 42"
    assert said(up, ["tests.cluster.uninvited", up.engine, "bare"]) == "refused"


def said(up: Containers, module: Sequence[str]) -> str:
    """The last line of a module of the tests, run in the network of the cluster."""
    done = subprocess.run(
        up.inside([sys.executable, "-m", *module]),
        env=up.environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()[-1]


def test_a_node_that_is_killed_costs_time_and_no_result_and_leaves_nothing(up: Containers) -> None:
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
    told: dict[str, Any] = json.loads(lines[-1])
    assert told["received"] == [1] * TASKS
    assert told["right"]
    assert told["lost"] == 1
    assert TASKS < told["kernel_calls"] <= TASKS + 4
    again = told["kernel_calls"] - TASKS
    assert "lost the host" in told["caution"]
    assert f"of {TASKS} tasks, {again} ran twice" in told["caution"]


def kill_a_worker(up: Containers, begun: threading.Event) -> None:
    begun.wait(200)
    time.sleep(_KILL_AFTER_S)
    role = clusters()[up.engine].worker_role
    labels = [(one["Id"], one["Config"]["Labels"]) for one in up.inspected()]
    docker("kill", next(i for i, of in labels if of["com.docker.compose.service"] == role))
