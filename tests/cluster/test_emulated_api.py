"""The emulated Kubernetes API does what the real one and the operator do, as far as it goes."""

from typing import Any

import pytest
from jsonschema import Draft202012Validator
from starlette.exceptions import HTTPException

from tests.cluster.kuberay.api import patched
from tests.cluster.kuberay.controller import (
    GROUP,
    KIND,
    Document,
    head_pod,
    missing_pods,
    unwanted_pods,
)
from tests.deploy.manifests import manifests, schema


def cluster(**of_group: int) -> Document:
    found = manifests()["ray"][0]
    found["spec"]["workerGroupSpecs"][0].update(of_group)
    return found


def replaced(path: str, value: object) -> list[dict[str, Any]]:
    return [{"op": "replace", "path": path, "value": value}]


def test_a_patch_sets_a_last_name_that_is_not_there_as_the_api_server_does() -> None:
    value = {"workersToDelete": ["a"]}
    changed = patched(cluster(), replaced("/spec/workerGroupSpecs/0/scaleStrategy", value))
    assert unwanted_pods(changed) == {"a"}


@pytest.mark.parametrize(
    "path", ["/spec/workerGroupSpecs/1/replicas", "/spec/nothing/replicas", "/spec/rayVersion/x/y"]
)
def test_a_patch_that_does_not_fit_changes_nothing(path: str) -> None:
    before = cluster()
    with pytest.raises(HTTPException, match="422"):
        patched(before, [*replaced("/spec/workerGroupSpecs/0/replicas", 1), *replaced(path, 1)])
    assert before == cluster()


def test_the_operator_creates_a_head_and_as_many_workers_as_the_group_allows() -> None:
    pods = missing_pods(cluster(minReplicas=0, replicas=9, maxReplicas=4), [])
    assert [pod["metadata"]["labels"][KIND] for pod in pods] == ["head", *["worker"] * 4]
    assert len({pod["metadata"].get("name") for pod in pods}) == 5
    assert missing_pods(cluster(minReplicas=0, replicas=9, maxReplicas=4), pods) == []


def test_the_operator_deletes_no_worker_that_the_autoscaler_does_not_name() -> None:
    pods = missing_pods(cluster(), [])
    assert unwanted_pods(cluster(replicas=0, minReplicas=0)) == set()
    # One that is on its way out does not count any more.
    pods[1]["metadata"]["deletionTimestamp"] = "1970-01-01T00:00:00Z"
    (again,) = missing_pods(cluster(), pods)
    assert again["metadata"]["labels"][GROUP] == "small-group"


def test_the_pods_of_the_operator_keep_the_schema_of_kubernetes() -> None:
    wanted = schema("PodSpec")
    assert wanted is not None
    for pod in missing_pods(cluster(), []):
        assert list(Draft202012Validator(wanted).iter_errors(pod["spec"])) == []


def test_the_autoscaler_of_the_manifest_is_started_as_kuberay_does() -> None:
    autoscaler = head_pod(cluster())["spec"]["containers"][1]
    assert autoscaler["command"] == ["/bin/bash", "-c", "--"]
    assert autoscaler["args"][0].startswith("ray kuberay-autoscaler ")
