"""Dask's real operator on deploy/kubernetes/dask.yaml, with real nodes.

The operator runs for all namespaces, as in its chart, and with the role of its chart.  The
Kubernetes API, its controller for deployments and the kubelet are emulated by
``tests.cluster.kubernetes``: this says nothing about a real control plane.  The packages of the
operator are downloaded; without a network the tests are skipped.
Each test goes on where the one before ended.
"""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cluster.kubernetes.cluster import (
    Emulated,
    emulated,
    log_of,
    only_on_containers,
    own_container,
    records,
    wait_until,
    write,
)
from tests.cluster.kubernetes.kubelet import ACCOUNT, is_ready, run_in, run_job
from tests.cluster.kubernetes.store import Document
from tests.deploy.manifests import manifests
from tests.engines.containers import docker

pytestmark = pytest.mark.timeout(600)

IMAGE = f"engine-compare:{os.environ.get('ENGINE_COMPARE_TAG', 'dev')}"
PACKAGES = Path(__file__).with_name("kubernetes") / "dask-operator.txt"
INSTALL_S, START_S, RELEASE_S, RUN_S, GONE_S = 300, 200, 270, 300, 200
OPERATOR = "dask-operator"
_CUSTOM = ("daskclusters", "daskworkergroups", "daskautoscalers", "daskjobs")
ROLE = {
    **{plural: ["get", "list", "watch", "patch", "create", "delete"] for plural in _CUSTOM},
    "namespaces": ["list", "watch"],
    **{plural: ["*"] for plural in ("pods", "services", "deployments", "events")},
}
"""What the chart allows the operator."""
NAPS = """
import socket, time
from distributed import Client
def nap(_):
    time.sleep(2)
    return socket.gethostname()
client = Client("tls://compare-dask-scheduler:8786")
print("ran on", *set(client.gather(client.map(nap, range(40), pure=False))))
"""


@pytest.fixture(scope="module", autouse=True)
def _only_on_containers(request: pytest.FixtureRequest) -> None:
    only_on_containers(request, "dask")


def manifest(kind: str) -> Document:
    return next(document for document in manifests()["dask"] if document["kind"] == kind)


@pytest.fixture(scope="module")
def packages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the operator, for the Python of the image."""
    folder = tmp_path_factory.mktemp("packages") / "site"
    asked = ("--no-deps", "--no-compile", "--only-binary", ":all:", "--python-version", "3.11")
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--target", str(folder), *asked]
    done = subprocess.run(
        [*command, "--requirement", str(PACKAGES)],
        capture_output=True,
        text=True,
        timeout=INSTALL_S,
        check=False,
    )
    if done.returncode:
        pytest.skip(f"Dask's operator cannot be downloaded: {done.stderr.strip()[-200:]}")
    return folder


@pytest.fixture(scope="module")
def up(packages: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulated]:
    """The cluster of the manifest, with its two workers."""
    folder = tmp_path_factory.mktemp("dask")
    space = manifest("DaskCluster")["metadata"]["namespace"]
    with emulated(IMAGE, folder, space, OPERATOR, {OPERATOR: ROLE}) as running:
        start_operator(running, packages)
        running.client.create("daskclusters", manifest("DaskCluster"))
        running.client.create("daskautoscalers", manifest("DaskAutoscaler"))
        joined = lambda: len(workers(running)) == 2 and all_ready(running)  # noqa: E731
        wait_until(joined, START_S, lambda: log(running))
        yield running


def start_operator(up: Emulated, packages: Path) -> None:
    write(up.place.account / "namespace", OPERATOR)
    mounts = {packages: "/opt/operator", up.place.account: ACCOUNT}
    command = own_container(up.place, OPERATOR, mounts, PYTHONPATH="/opt/operator")
    asked = ("-m", "dask_kubernetes.operator.controller", "--all-namespaces")
    docker(*command, "python", "-m", "kopf", "run", *asked)


def log(up: Emulated) -> str:
    """What the operator wrote."""
    return log_of(f"{up.place.prefix}-{OPERATOR}")


def all_ready(up: Emulated) -> bool:
    return all(map(is_ready, up.client.list("pods")))


def workers(up: Emulated) -> list[str]:
    """The names of the pods of workers that the API has."""
    pods = up.client.list("pods", "dask.org/component=worker")
    return sorted(pod["metadata"]["name"] for pod in pods)


def test_the_job_of_the_manifest_measures_the_cluster_of_the_manifest(up: Emulated) -> None:
    job = manifest("Job")
    (container,) = job["spec"]["template"]["spec"]["containers"]
    # What follows shortens the run.  With a number of blocks, no session is measured again.
    container["args"] += ["--preset", "quick", "--blocks", "1", "--experiments", "throughput"]
    container["args"] += ["--n-images", "360", "--chunk", "5"]
    done = run_job(up.place, job)
    assert done.code == 0, done.log
    (run,) = records(up.place, "compare-results", "dask")
    assert len(run["hosts"]) == 2
    assert run["received"] == [1] * 72


def test_idle_workers_go_and_waiting_tasks_get_four_workers(up: Emulated) -> None:
    up.client.patch("daskautoscalers", "compare-dask", {"spec": {"minimum": 0, "maximum": 4}})
    # One after the other, 15 s apart.
    wait_until(lambda: up.containers("-worker-") == [], RELEASE_S, lambda: log(up))
    (scheduler,) = up.client.list("pods", "dask.org/component=scheduler")
    output = run_in(up.place, scheduler, ["python", "-c", NAPS], RUN_S, lambda: log(up))
    ran_on = output.partition("ran on ")[2].split()
    assert len(ran_on) == 4, log(up)
    assert "worker count from 0 to 4" in log(up)


def test_all_pods_go_with_the_cluster(up: Emulated) -> None:
    up.client.delete("daskclusters", "compare-dask")
    wait_until(lambda: up.client.list("pods") == [], GONE_S)
    wait_until(lambda: len(up.containers()) == 2, GONE_S)  # the API and the operator
    assert up.client.list("deployments") == []
    assert "Traceback" not in log(up)
