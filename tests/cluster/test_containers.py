"""Clusters of containers, as docker-compose.yml describes them.  Really run: they need Docker.

python -m pytest tests/cluster --on containers
"""

import json
import os
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.engines.placement import CONTAINERS, release_containers

pytestmark = [pytest.mark.placed(CONTAINERS), pytest.mark.timeout(400)]

REPOSITORY = Path(__file__).parents[2]
PROJECT = "engine-compare-test"
DASHBOARDS = {"ray": 18265, "dask": 18787, "spark": 18080}
READY_S = 60


def docker(*command: str, check: bool = True) -> str:
    done = subprocess.run(
        ["docker", *command], cwd=REPOSITORY, capture_output=True, text=True, check=False
    )
    assert not check or done.returncode == 0, done.stderr
    return done.stdout


def compose(*command: str, check: bool = True) -> subprocess.CompletedProcess[str]:
    variables = {f"{name.upper()}_DASHBOARD_PORT": str(port) for name, port in DASHBOARDS.items()}
    done = subprocess.run(
        ["docker", "compose", "--project-name", PROJECT, "--profile", "tools", *command],
        cwd=REPOSITORY,
        env=os.environ | variables,
        capture_output=True,
        text=True,
        check=False,
    )
    assert not check or done.returncode == 0, done.stdout + done.stderr
    return done


def containers() -> list[dict[str, Any]]:
    ids = docker("ps", "--quiet", "--filter", f"label=com.docker.compose.project={PROJECT}").split()
    found: list[dict[str, Any]] = json.loads(docker("inspect", *ids)) if ids else []
    return found


class Kept:
    """The cluster that is up, kept from one test to the next of the same engine."""

    engine: str | None = None
    took_s = 0.0

    def have(self, engine: str) -> None:
        if self.engine != engine:
            self.take_down()
            started_s = time.monotonic()
            self.engine = engine
            compose("up", "--detach", "--wait", f"{engine}-cluster")
            self.took_s = time.monotonic() - started_s

    def take_down(self) -> None:
        compose("down", "--volumes", "--timeout", "2")
        self.engine = None


KEPT = Kept()


@pytest.fixture(scope="module", autouse=True)
def _taken_down_at_the_end() -> Iterator[None]:
    yield
    if KEPT.engine is not None:
        KEPT.take_down()


@pytest.fixture
def up(engine_name: str) -> Kept:
    """The engine's cluster is up."""
    release_containers()
    KEPT.have(engine_name.partition(" ")[0])
    return KEPT


def measured(engine: str, *flags: str) -> list[dict[str, Any]]:
    """The records of a comparison in the network of the cluster."""
    asked = ("--engines", engine, "--model", "vit-digits", *flags)
    compose("run", "--rm", "--no-TTY", "compare", *asked)
    told = compose(
        *("run", "--rm", "--no-TTY", "--no-deps", "--entrypoint", "sh", "compare"),
        *("-c", "cat /results/*/measurements.jsonl"),
    ).stdout
    return [json.loads(line) for line in told.splitlines()]


def test_is_ready_soon_and_measures_on_all_hosts_and_leaves_nothing(
    engine_name: str, up: Kept
) -> None:
    engine = engine_name.partition(" ")[0]
    assert up.took_s < READY_S
    sizes = ("--n-images", "360", "--chunk", "5")
    records = measured(engine, "--preset", "quick", "--experiments", "throughput", *sizes)
    runs = [r for r in records if r["engine"] == engine and r["kind"] == "tasks"]
    assert [len(run["hosts"]) for run in runs] == [2]
    assert runs[0]["received"] == [1] * 72
    assert {node["role"] for node in map(as_node, runs[0]["nodes"])} == {"head", "worker", "driver"}
    up.take_down()
    label = f"label=com.docker.compose.project={PROJECT}"
    assert docker("ps", "--all", "--quiet", "--filter", label) == ""
    assert docker("network", "ls", "--quiet", "--filter", label) == ""
    assert docker("volume", "ls", "--quiet", "--filter", label) == ""


def as_node(fields: list[Any]) -> dict[str, Any]:
    names = ("host", "role", "cpu_s", "memory_bytes", "received_bytes", "sent_bytes", "lost")
    return dict(zip(names, fields, strict=True))


@pytest.mark.usefixtures("up", "engine_name")
def test_gives_its_containers_no_rights() -> None:
    found = containers()
    assert len(found) >= 4
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


@pytest.mark.usefixtures("up")
def test_publishes_nothing_but_its_dashboard_on_loopback(engine_name: str) -> None:
    published = [
        (binding["HostIp"], int(binding["HostPort"]))
        for one in containers()
        for bindings in one["NetworkSettings"]["Ports"].values()
        for binding in bindings or ()
    ]
    port = DASHBOARDS[engine_name.partition(" ")[0]]
    assert published == [("127.0.0.1", port)]
    assert reachable("127.0.0.1", port)
    outside = own_address()
    served = (port, 6379, 8265, 10001, 8786, 8787, 7077, 8080, 6066)
    assert [one for one in served if reachable(outside, one)] == []


def own_address() -> str:
    """Of this host, as others see it."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.connect(("192.0.2.1", 9))
        address: str = probe.getsockname()[0]
        return address


def reachable(host: str, port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex((host, port)) == 0


@pytest.mark.usefixtures("up")
def test_refuses_who_has_no_credentials(engine_name: str) -> None:
    engine = engine_name.partition(" ")[0]
    run = ["run", "--rm", "--no-TTY", "--no-deps", "--entrypoint", "python"]
    asked = ["compare", "-m", "tests.cluster.uninvited", engine]
    tests = f"{REPOSITORY}/tests:/opt/contract/tests:ro"
    mount = ["--volume", tests, "--env=PYTHONPATH=/opt/contract"]
    with_them = compose(*run, *mount, *asked, check=False)
    assert with_them.stdout.splitlines()[-1:] == ["ran 42"], with_them.stderr
    without = compose(*run, *mount, *asked, "bare", check=False)
    assert without.stdout.splitlines()[-1:] == ["refused"], without.stdout + without.stderr
