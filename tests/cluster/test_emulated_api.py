"""The emulated Kubernetes API does what the real one and the operator do, as far as it goes."""

from typing import Any

import pytest
from jsonschema import Draft202012Validator

from tests.cluster.kubernetes.controllers import reconcile
from tests.cluster.kubernetes.kuberay import GROUP, KIND, head_pod, missing_pods, unwanted_pods
from tests.cluster.kubernetes.store import ConflictError, Document, Store, json_patched, merged
from tests.deploy.manifests import manifests, schema


def cluster(**of_group: int) -> Document:
    found = manifests()["ray"][0]
    found["spec"]["workerGroupSpecs"][0].update(of_group)
    return found


def replaced(path: str, value: object) -> list[dict[str, Any]]:
    return [{"op": "replace", "path": path, "value": value}]


def test_a_patch_sets_a_last_name_that_is_not_there_as_the_api_server_does() -> None:
    value = {"workersToDelete": ["a"]}
    changed = json_patched(cluster(), replaced("/spec/workerGroupSpecs/0/scaleStrategy", value))
    assert unwanted_pods(changed) == {"a"}


@pytest.mark.parametrize(
    "path", ["/spec/workerGroupSpecs/1/replicas", "/spec/nothing/replicas", "/spec/rayVersion/x/y"]
)
def test_a_patch_that_does_not_fit_changes_nothing(path: str) -> None:
    before = cluster()
    with pytest.raises(ConflictError):
        json_patched(
            before, [*replaced("/spec/workerGroupSpecs/0/replicas", 1), *replaced(path, 1)]
        )
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


def test_a_merge_patch_changes_what_it_names_and_null_removes() -> None:
    before = {"spec": {"a": 1, "b": {"c": 2}}, "status": {"x": 1}}
    after = merged(before, {"spec": {"b": {"d": 3}}, "status": None})
    assert after == {"spec": {"a": 1, "b": {"c": 2, "d": 3}}}


def test_an_object_that_is_held_ends_when_it_is_let_go_and_takes_along_what_it_owns() -> None:
    store = Store("space")
    owner = store.create("daskclusters", {"metadata": {"name": "a", "finalizers": ["f"]}})
    reference = [{"uid": owner["metadata"]["uid"]}]
    metadata = {"name": "b", "labels": {"l": "m"}}
    pods = {"metadata": metadata, "spec": {}}
    deployment = {
        "metadata": {**metadata, "ownerReferences": reference},
        "spec": {"template": pods},
    }
    store.create("deployments", deployment)
    reconcile(store)
    (pod,) = store.list("pods", {"labelSelector": "l=m"})
    assert store.list("pods", {"labelSelector": "l=n"}) == []
    store.delete("daskclusters", "a")
    assert store.get("daskclusters", "a")["metadata"]["deletionTimestamp"]
    store.patch("daskclusters", "a", [{"op": "remove", "path": "/metadata/finalizers"}])
    reconcile(store)
    assert (store.list("daskclusters"), store.list("deployments")) == ([], [])
    # The kubelet holds the pod until its containers have ended.
    assert pod["metadata"]["deletionTimestamp"]
    store.remove("pods", pod["metadata"]["name"])
    assert [change.type for change in store.changes if change.plural == "pods"] == [
        "ADDED",
        "MODIFIED",
        "DELETED",
    ]
