"""What the KubeRay operator does with a RayCluster: pods, and what it adds to them; emulated.

Read in the source of KubeRay 1.7.  Left out: the container that waits for the head before a worker
starts, probes that the manifest does not have, pods that are replaced because they failed.
"""

import secrets
from collections.abc import Mapping, Sequence
from copy import deepcopy
from typing import Any

from tests.cluster.kubernetes.store import Document

CLUSTER, GROUP, KIND = "ray.io/cluster", "ray.io/group", "ray.io/node-type"
AUTOSCALER = "autoscaler"
ROLE = {"pods": ["get", "list", "watch", "patch"], "rayclusters": ["get", "patch"]}
"""What the operator allows the autoscaler."""
_PORT = "6379"
_LOGS = "ray-logs"
_COMMAND = (
    "ray kuberay-autoscaler --cluster-name $(RAY_CLUSTER_NAME) "
    "--cluster-namespace $(RAY_CLUSTER_NAMESPACE)"
)


def service(cluster: Document) -> Document:
    """The service of the head."""
    name = cluster["metadata"]["name"]
    return {
        "metadata": {"name": f"{name}-head-svc"},
        "spec": {"type": "ClusterIP", "selector": {CLUSTER: name, KIND: "head"}},
    }


def head_pod(cluster: Document) -> Document:
    """The pod of the head, with the autoscaler beside it."""
    pod = _pod(cluster, cluster["spec"]["headGroupSpec"]["template"], "headgroup", "head")
    pod["metadata"]["name"] = f"{cluster['metadata']['name']}-head"
    ray = pod["spec"]["containers"][0]
    options = cluster["spec"]["autoscalerOptions"]
    autoscaler: Document = {
        "name": AUTOSCALER,
        "image": ray["image"],
        "command": ["/bin/bash", "-c", "--"],
        "args": [_COMMAND],
        "env": [
            _label("RAY_CLUSTER_NAME", CLUSTER),
            _field("RAY_CLUSTER_NAMESPACE", "metadata.namespace"),
            _field("RAY_HEAD_POD_NAME", "metadata.name"),
            {"name": "KUBERAY_CRD_VER", "value": "v1"},
            *_token(cluster),
        ],
        "resources": options["resources"],
        "securityContext": options["securityContext"],
        "volumeMounts": list(options["volumeMounts"]),
    }
    # The autoscaler writes into the log folder of the head, from where drivers get its events.
    pod["spec"]["volumes"].append({"name": _LOGS, "emptyDir": {}})
    for container in (ray, autoscaler):
        container["volumeMounts"].append({"name": _LOGS, "mountPath": "/tmp/ray"})  # noqa: S108
    ray["env"].append({"name": "RAY_ADDRESS", "value": f"127.0.0.1:{_PORT}"})
    pod["spec"]["containers"].append(autoscaler)
    return pod


def worker_pod(cluster: Document, group: Document) -> Document:
    """A new pod of a group of workers."""
    name = group["groupName"]
    pod = _pod(cluster, group["template"], name, "worker")
    pod["metadata"]["name"] = f"{cluster['metadata']['name']}-{name}-worker-{secrets.token_hex(3)}"
    host = service(cluster)["metadata"]["name"]
    address = f"{host}.{cluster['metadata']['namespace']}.svc.cluster.local"
    pod["spec"]["containers"][0]["env"] += [
        {"name": "FQ_RAY_IP", "value": address},
        {"name": "RAY_IP", "value": host},
        {"name": "RAY_ADDRESS", "value": f"{address}:{_PORT}"},
    ]
    return pod


def missing_pods(cluster: Document, pods: Sequence[Document]) -> list[Document]:
    """The pods that are to be created."""
    kinds = {pod["metadata"]["labels"][KIND] for pod in pods}
    missing = [] if "head" in kinds else [head_pod(cluster)]
    for group in cluster["spec"]["workerGroupSpecs"]:
        wanted = min(max(group["replicas"], group["minReplicas"]), group["maxReplicas"])
        staying = [
            pod
            for pod in pods
            if pod["metadata"]["labels"][GROUP] == group["groupName"]
            and "deletionTimestamp" not in pod["metadata"]
        ]
        missing += [worker_pod(cluster, group) for _ in range(wanted - len(staying))]
    return missing


def unwanted_pods(cluster: Document) -> set[str]:
    """The names of the pods that the autoscaler wants to be deleted; no others ever are."""
    return {
        name
        for group in cluster["spec"]["workerGroupSpecs"]
        for name in group.get("scaleStrategy", {}).get("workersToDelete", ())
    }


def _pod(cluster: Document, template: Mapping[str, Any], group: str, kind: str) -> Document:
    spec = deepcopy(template["spec"])
    ray = spec["containers"][0]
    ray["env"] += [
        _label("RAY_CLUSTER_NAME", CLUSTER),
        _field("RAY_CLUSTER_NAMESPACE", "metadata.namespace"),
        _field("RAY_CLOUD_INSTANCE_ID", "metadata.name"),
        _label("RAY_NODE_TYPE_NAME", GROUP),
        {"name": "RAY_PORT", "value": _PORT},
        {"name": "RAY_USAGE_STATS_KUBERAY_IN_USE", "value": "1"},
        *_token(cluster),
    ]
    labels = {CLUSTER: cluster["metadata"]["name"], GROUP: group, KIND: kind}
    return {
        "metadata": {"labels": {**template["metadata"]["labels"], **labels}},
        "spec": spec,
    }


def _token(cluster: Document) -> list[Document]:
    options = cluster["spec"]["authOptions"]
    secret = {"name": options["secretName"], "key": "auth_token"}
    return [
        {"name": "RAY_AUTH_MODE", "value": options["mode"]},
        {"name": "RAY_AUTH_TOKEN", "valueFrom": {"secretKeyRef": secret}},
    ]


def _field(name: str, path: str) -> Document:
    return {"name": name, "valueFrom": {"fieldRef": {"fieldPath": path}}}


def _label(name: str, label: str) -> Document:
    return _field(name, f"metadata.labels['{label}']")
