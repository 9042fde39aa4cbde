"""What the controllers of an emulated cluster do after each change: pods come and go."""

from tests.cluster.kubernetes import kuberay
from tests.cluster.kubernetes.store import Store, owned


def reconcile(store: Store) -> None:
    """Create and delete pods as the objects ask: the operator of Ray, and deployments."""
    for cluster in store.list("rayclusters"):
        service = kuberay.service(cluster)
        if not store.list(
            "services", {"fieldSelector": f"metadata.name={service['metadata']['name']}"}
        ):
            store.create("services", service)
        ours = {"labelSelector": f"{kuberay.CLUSTER}={cluster['metadata']['name']}"}
        for pod in store.list("pods", ours):
            if pod["metadata"]["name"] in kuberay.unwanted_pods(cluster):
                store.delete("pods", pod["metadata"]["name"])
        for pod in kuberay.missing_pods(cluster, store.list("pods", ours)):
            store.create("pods", pod)
    _deployments(store)


def _deployments(store: Store) -> None:
    """One pod each: no deployment here has more."""
    for deployment in store.list("deployments"):
        if any(owned(pod, deployment) for pod in store.list("pods")):
            continue
        template, name = deployment["spec"]["template"], deployment["metadata"]["name"]
        owner = {"apiVersion": "apps/v1", "kind": "Deployment", "name": name}
        metadata = {
            "generateName": f"{name}-",
            "labels": template["metadata"]["labels"],
            "ownerReferences": [{**owner, "uid": deployment["metadata"]["uid"]}],
        }
        store.create("pods", {"metadata": metadata, "spec": template["spec"]})
