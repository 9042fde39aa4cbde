"""Ray's autoscaler and its provider for KubeRay, on deploy/kubernetes/ray.yaml, with real nodes.

Ray's programs are the real ones.  The Kubernetes API, the operator and the kubelet are emulated by
``tests.cluster.kuberay``: this says nothing about a real control plane.
"""

import json
import os
import re
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import chain
from pathlib import Path

import pytest

from tests.cluster.kuberay.cluster import Emulated, emulated
from tests.cluster.kuberay.controller import Document
from tests.cluster.kuberay.kubelet import is_ready, run_job
from tests.deploy.manifests import manifests
from tests.engines.containers import docker, release_containers
from tests.engines.placement import CONTAINERS

pytestmark = pytest.mark.timeout(180)

IMAGE = f"engine-compare:{os.environ.get('ENGINE_COMPARE_TAG', 'dev')}"
START_S, RUN_S, RELEASE_S = 60, 90, 60
IDLE_S = 5
NAPS = """
import ray, socket, time
ray.init("auto")
@ray.remote
def nap():
    time.sleep(5)
    return socket.gethostname()
print("ran on", *ray.get([nap.remote() for _ in range(4)]))
"""


@pytest.fixture(scope="module", autouse=True)
def _only_where_containers_are_asked_for(request: pytest.FixtureRequest) -> None:
    engines = list(
        chain.from_iterable(one.split(",") for one in request.config.getoption("--engines"))
    )
    if CONTAINERS not in request.config.getoption("--on") or (engines and "ray" not in engines):
        pytest.skip("runs with --on containers, for ray")
    release_containers()


def manifest(kind: str) -> Document:
    return next(document for document in manifests()["ray"] if document["kind"] == kind)


@pytest.fixture(scope="module")
def up(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulated]:
    """The cluster of the manifest, with none to four workers."""
    cluster = manifest("RayCluster")
    (group,) = cluster["spec"]["workerGroupSpecs"]
    group.update(replicas=0, minReplicas=0, maxReplicas=4)
    cluster["spec"]["autoscalerOptions"]["idleTimeoutSeconds"] = IDLE_S
    with emulated(cluster, IMAGE, tmp_path_factory.mktemp("kuberay")) as running:
        wait_until(lambda: all(map(is_ready, running.pods("head"))), START_S)
        yield running


def wait_until(true: Callable[[], bool], limit_s: float) -> None:
    until_s = time.monotonic() + limit_s
    while not true():
        assert time.monotonic() < until_s, f"not within {limit_s} s"
        time.sleep(0.5)


def log_of(up: Emulated) -> str:
    """What Ray's autoscaler wrote."""
    (name,) = (name for name in up.containers("head") if name.endswith("-autoscaler"))
    return docker("logs", name)


def total(pattern: str, text: str) -> int:
    """The sum of the numbers that the pattern finds."""
    return sum(map(int, re.findall(pattern, text)))


def test_four_waiting_tasks_get_four_workers_which_go_when_they_are_idle(up: Emulated) -> None:
    assert up.containers("worker") == []
    (head,) = (name for name in up.containers("head") if name.endswith("-ray-head"))
    done = subprocess.run(
        ["docker", "exec", head, "python", "-c", NAPS],
        capture_output=True,
        text=True,
        timeout=RUN_S,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr + log_of(up)
    # Ray may see some of the demand before the rest, and then asks twice, but never for too many.
    assert total(r"Adding (\d+) node\(s\) of type small-group\.", done.stdout) == 4
    assert "Resized to 4 CPUs." in done.stdout
    ran_on = done.stdout.partition("ran on ")[2].split()
    assert sorted(ran_on) == sorted(pod["metadata"]["name"] for pod in up.pods("worker"))
    assert len(set(ran_on)) == 4

    wait_until(lambda: up.containers("worker") == [], RELEASE_S)
    wait_until(lambda: up.pods("worker") == [], RELEASE_S)
    assert total(r"Removing (\d+) nodes of type small-group \(idle\)\.", log_of(up)) == 4
    assert up.pods("head")


def test_no_container_has_privileges_or_a_way_out(up: Emulated) -> None:
    names = docker("ps", "--quiet", "--filter", f"label={up.place.prefix}").split()
    assert len(names) == 3  # the API, the head, the autoscaler
    for container in json.loads(docker("inspect", *names)):
        host = container["HostConfig"]
        assert container["Config"]["User"] == "10001:10001"
        assert host["ReadonlyRootfs"]
        assert (host["CapDrop"], host["CapAdd"]) == (["ALL"], None)
        assert host["SecurityOpt"] == ["no-new-privileges:true"]
        assert not host["Privileged"]
        assert not any("docker.sock" in mount["Source"] for mount in container["Mounts"])
        assert not any(container["NetworkSettings"]["Ports"].values())
    (network,) = json.loads(docker("network", "inspect", up.place.prefix))
    assert network["Internal"]


def test_the_api_refuses_strangers_and_what_the_role_of_the_autoscaler_does_not_allow(
    up: Emulated,
) -> None:
    with pytest.raises(OSError, match="401"):
        replace(up.client, token="guessed").pods()  # noqa: S106 - nobody's
    autoscaler = replace(up.client, token=(up.place.account / "token").read_text())
    (head,) = autoscaler.pods()
    with pytest.raises(OSError, match=r"403 .*autoscaler may not do this"):
        autoscaler.removed(head["metadata"]["name"])


def test_the_job_of_the_manifest_measures_the_cluster_of_the_manifest(tmp_path: Path) -> None:
    job = manifest("Job")
    (container,) = job["spec"]["template"]["spec"]["containers"]
    # What follows shortens the run.  With a number of blocks, no session is measured again.
    container["args"] += ["--preset", "quick", "--blocks", "1", "--experiments", "throughput"]
    container["args"] += ["--n-images", "360", "--chunk", "5"]
    with emulated(manifest("RayCluster"), IMAGE, tmp_path) as running:
        done = run_job(running.place, job)
        assert len(running.pods("worker")) == 2
        assert done.code == 0, done.log
        claim = f"{running.place.prefix}-compare-results:/results:ro"
        read = ("run", "--rm", "--network", "none", "--volume", claim, IMAGE, "sh", "-c")
        lines = docker(*read, "cat /results/*/measurements.jsonl").splitlines()
    records = [json.loads(line) for line in lines]
    (run,) = [one for one in records if (one["engine"], one["kind"]) == ("ray", "tasks")]
    assert len(run["hosts"]) == 2
    assert run["received"] == [1] * 72
