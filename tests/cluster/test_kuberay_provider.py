"""Ray's autoscaler and its provider for KubeRay, on deploy/kubernetes/ray.yaml, with real nodes.

Ray's programs are the real ones.  The Kubernetes API, the operator and the kubelet are emulated by
``tests.cluster.kubernetes``: this says nothing about a real control plane.
"""

import json
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from tests.cluster.kubernetes.cluster import (
    Emulated,
    emulated,
    log_of,
    only_on_containers,
    records,
    wait_until,
)
from tests.cluster.kubernetes.kubelet import is_ready, run_in, run_job
from tests.cluster.kubernetes.kuberay import AUTOSCALER, GROUP, ROLE
from tests.cluster.kubernetes.store import Document
from tests.deploy.manifests import manifests
from tests.engines.containers import docker

pytestmark = pytest.mark.timeout(600)

IMAGE = f"engine-compare:{os.environ.get('ENGINE_COMPARE_TAG', 'dev')}"
START_S, RUN_S, RELEASE_S = 200, 270, 200
IDLE_S = 5
NAPS = """
import ray, socket, time
ray.init("auto")
@ray.remote
def nap():
    # Until all are there: nodes that are early would otherwise do the work of those that are late.
    while ray.cluster_resources().get("CPU", 0) < 4:
        time.sleep(0.5)
    time.sleep(5)
    return socket.gethostname()
print("ran on", *ray.get([nap.remote() for _ in range(4)]))
"""


@pytest.fixture(scope="module", autouse=True)
def _only_on_containers(request: pytest.FixtureRequest) -> None:
    only_on_containers(request, "ray")


def manifest(kind: str) -> Document:
    return next(document for document in manifests()["ray"] if document["kind"] == kind)


@pytest.fixture(scope="module")
def up(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulated]:
    """The cluster of the manifest, with none to four workers."""
    cluster = manifest("RayCluster")
    (group,) = cluster["spec"]["workerGroupSpecs"]
    group.update(replicas=0, minReplicas=0, maxReplicas=4)
    cluster["spec"]["autoscalerOptions"]["idleTimeoutSeconds"] = IDLE_S
    with kuberay(tmp_path_factory.mktemp("kuberay")) as running:
        running.client.create("rayclusters", cluster)
        wait_until(lambda: all_ready(running, 1), START_S)
        yield running


@contextmanager
def kuberay(folder: Path) -> Iterator[Emulated]:
    """An emulated cluster in which pods have the role that KubeRay gives the autoscaler."""
    space = manifest("RayCluster")["metadata"]["namespace"]
    with emulated(IMAGE, folder, space, AUTOSCALER, {AUTOSCALER: ROLE}) as running:
        yield running


def all_ready(up: Emulated, count: int) -> bool:
    pods = up.client.list("pods")
    return len(pods) == count and all(map(is_ready, pods))


def workers(up: Emulated) -> list[str]:
    """The names of the pods of the group that the API has."""
    pods = up.client.list("pods", f"{GROUP}=small-group")
    return sorted(pod["metadata"]["name"] for pod in pods)


def log(up: Emulated) -> str:
    """What Ray's autoscaler wrote."""
    (name,) = up.containers("-head-autoscaler")
    return log_of(name)


def total(pattern: str, text: str) -> int:
    """The sum of the numbers that the pattern finds."""
    return sum(map(int, re.findall(pattern, text)))


def test_the_job_of_the_manifest_measures_the_cluster_of_the_manifest(tmp_path: Path) -> None:
    job = manifest("Job")
    (container,) = job["spec"]["template"]["spec"]["containers"]
    # What follows shortens the run.  With a number of blocks, no session is measured again.
    container["args"] += ["--preset", "quick", "--blocks", "1", "--experiments", "throughput"]
    container["args"] += ["--n-images", "360", "--chunk", "5"]
    with kuberay(tmp_path) as running:
        running.client.create("rayclusters", manifest("RayCluster"))
        done = run_job(running.place, job)
        assert len(workers(running)) == 2
        assert done.code == 0, done.log
        (run,) = records(running.place, "compare-results", "ray")
    assert len(run["hosts"]) == 2
    assert run["received"] == [1] * 72


def test_four_waiting_tasks_get_four_workers_which_go_when_they_are_idle(up: Emulated) -> None:
    assert up.containers("-worker-") == []
    (head,) = up.client.list("pods")
    output = run_in(up.place, head, ["python", "-c", NAPS], RUN_S, lambda: log(up))
    # Ray may see some of the demand before the rest, and then asks twice, but never for too many.
    assert total(r"Adding (\d+) node\(s\) of type small-group\.", output) == 4
    assert "Resized to 4 CPUs." in output
    ran_on = output.partition("ran on ")[2].split()
    assert sorted(ran_on) == workers(up)
    assert len(set(ran_on)) == 4

    wait_until(lambda: up.containers("-worker-") == [], RELEASE_S)
    wait_until(lambda: workers(up) == [], RELEASE_S)
    assert total(r"Removing (\d+) nodes of type small-group \(idle\)\.", log(up)) == 4
    assert all_ready(up, 1)


def test_no_container_has_privileges_or_a_way_out(up: Emulated) -> None:
    names = up.containers()
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
        replace(up.client, token="guessed").list("pods")  # noqa: S106 - nobody's
    autoscaler = up.user(AUTOSCALER)
    (head,) = autoscaler.list("pods")
    with pytest.raises(OSError, match=r"403 .*autoscaler may not delete pods"):
        autoscaler.delete("pods", head["metadata"]["name"])
