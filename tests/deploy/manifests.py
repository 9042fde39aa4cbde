"""What holds for the manifests in deploy/kubernetes; every fault is a sentence."""

import gzip
import json
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

import yaml
from jsonschema import Draft202012Validator
from typing_extensions import override

from engines.registry import clusters

Document: TypeAlias = dict[str, Any]

REPOSITORY = Path(__file__).parents[2]
FOLDER = REPOSITORY / "deploy" / "kubernetes"
SCHEMAS = Path(__file__).with_name("schemas")
USER = 10001
LABEL = "engine-compare/engine"
HEADS = {"ray": "compare-ray-head-svc", "dask": "compare-dask-scheduler"}
HEADS |= {"spark": "compare-spark-master-svc"}
"""The services of the heads, whose names the operators choose."""
SECRET_NAME = re.compile(r"TOKEN|SECRET|PASSWORD|KEY")
SECRET_VALUE = re.compile(r"\b[0-9a-f]{32,}\b|-----BEGIN|authenticate\.secret")


class Pod(NamedTuple):
    """The pods of a manifest that have one template."""

    name: str
    labels: dict[str, str]
    spec: Document
    driver: bool


class Loader(yaml.SafeLoader):  # type: ignore[misc] # yaml has no types
    """Refuses two values for one name, of which YAML would keep the last."""

    @override
    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> Document:
        names = [self.construct_object(name, deep=True) for name, _ in node.value]
        if len(set(names)) < len(names):
            raise ValueError(f"a name occurs twice{node.start_mark}")
        mapping: Document = super().construct_mapping(node, deep)
        return mapping


def manifests() -> dict[str, list[Document]]:
    """All documents, by the name of their file without its ending."""
    return {
        path.stem: list(yaml.load_all(path.read_text(), Loader))
        for path in sorted(FOLDER.glob("*.yaml"))
    }


@cache
def schema(kind: str) -> Document | None:
    """The strict schema of a kind of some version, or of a part that objects have in common."""
    for path in SCHEMAS.glob("*.json.gz"):
        schemas = json.loads(gzip.decompress(path.read_bytes()))
        if kind in schemas:
            found: Document = schemas[kind] | {"$defs": schemas.get("$defs", {})}
            return found
    return None


def faults(files: dict[str, list[Document]]) -> list[str]:
    """What is wrong with these manifests; empty if nothing is."""
    found = []
    for documents in files.values():
        for document in documents:
            found += [*_of_schema(document), *_of_secrets(document)]
    if found:
        return found  # the other rules rely on the form
    everything = [document for documents in files.values() for document in documents]
    for document in everything:
        for pod in pods(document):
            found += [*_of_security(pod), *_of_memory(pod), *_of_ports(pod)]
            found += _of_policies(pod, everything)
        found += _of_numbers(document)
        if document["kind"] == "Job":
            found += _of_job(document, everything)
    images = {image for document in everything for image in _images(document)}
    if len(images) > 1:
        found.append(f"there is more than one image: {', '.join(sorted(images))}")
    return found


def _named(document: Document) -> str:
    return f"{document['kind']} {document['metadata']['name']}"


def _of_schema(document: Document) -> Iterator[str]:
    kind = f"{document.get('apiVersion')}/{document.get('kind')}"
    parts = [(kind, document), ("ObjectMeta", document.get("metadata", {}))]
    parts += [("PodSpec", pod.spec) for pod in pods(document)]
    for name, part in parts:
        wanted = schema(name)
        if wanted is None:
            yield f"nothing has the kind {name}"
            continue
        for error in Draft202012Validator(wanted).iter_errors(part):
            yield f"{kind}: at {error.json_path}: {error.message}"


def _of_secrets(document: Document) -> Iterator[str]:
    if document.get("kind") == "Secret":
        yield "a Secret is in the files"
    if SECRET_VALUE.search(json.dumps(document)):
        yield f"{_named(document)} contains a value that looks like a secret"
    for entry in _dictionaries(document):
        value = entry.get("value")
        named = SECRET_NAME.search(str(entry.get("name", "")))
        if named and isinstance(value, str) and not value.startswith("/"):
            yield f"{_named(document)} has the secret {entry['name']} as a value"


def _of_security(pod: Pod) -> Iterator[str]:
    security = pod.spec.get("securityContext", {})
    if not security.get("runAsNonRoot") or security.get("runAsUser") != USER:
        yield f"{pod.name} does not run as user {USER}"
    if security.get("seccompProfile") != {"type": "RuntimeDefault"}:
        yield f"{pod.name} has no seccomp profile"
    if any(pod.spec.get(name) for name in ("hostNetwork", "hostPID", "hostIPC")):
        yield f"{pod.name} shares a namespace of its host"
    for container in containers(pod):
        name, own = f"{pod.name}/{container['name']}", container.get("securityContext", {})
        if not own.get("readOnlyRootFilesystem"):
            yield f"{name} can write to its root"
        if own.get("allowPrivilegeEscalation") is not False or own.get("privileged"):
            yield f"{name} may gain privileges"
        if own.get("capabilities") != {"drop": ["ALL"]}:
            yield f"{name} has capabilities"
        if own.get("runAsUser", USER) != USER or own.get("runAsNonRoot") is False:
            yield f"{name} does not run as user {USER}"


def _of_memory(pod: Pod) -> Iterator[str]:
    memory = {
        volume["name"]
        for volume in pod.spec.get("volumes", ())
        if volume.get("emptyDir", {}).get("medium") == "Memory"
    }
    for container in containers(pod):
        mounts = {mount["mountPath"]: mount["name"] for mount in container.get("volumeMounts", ())}
        for path in ("/tmp", "/dev/shm"):  # noqa: S108 - paths in a container
            if mounts.get(path) not in memory:
                yield f"{pod.name}/{container['name']} has no memory at {path}"


def _of_ports(pod: Pod) -> Iterator[str]:
    for container in containers(pod):
        ports = [port.get("name") for port in container.get("ports", ())]
        if None in ports or len(set(ports)) < len(ports):
            yield f"{pod.name}/{container['name']} has a port without a name of its own"
        for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
            asked = container.get(probe, {}).get("httpGet", {}).get("port")
            if asked is not None and asked not in ports:
                yield f"{pod.name}/{container['name']}: {probe} asks the unknown port {asked}"


def _of_policies(pod: Pod, everything: list[Document]) -> Iterator[str]:
    policies = [one["spec"] for one in everything if one["kind"] == "NetworkPolicy"]
    both = [one for one in policies if set(one["policyTypes"]) == {"Ingress", "Egress"}]
    if not any(one["podSelector"] == {} and len(one) == 2 for one in both):
        yield "no policy denies by default"
    engine = pod.labels.get(LABEL)
    if not any(one["podSelector"].get("matchLabels") == {LABEL: engine} for one in both):
        yield f"no policy lets {pod.name} reach its cluster"


def _of_numbers(document: Document) -> Iterator[str]:
    for what, least, now, most in counts(document):
        if not least <= now <= most:
            yield f"{what} has {now} workers, which is not between {least} and {most}"
        elif least != most:
            yield f"{what} may have {least} to {most} workers while it is measured"


def _of_job(job: Document, everything: list[Document]) -> Iterator[str]:
    name = _named(job)
    spec = job["spec"]["template"]["spec"]
    arguments = spec["containers"][0]["args"]
    given = dict(zip(arguments[::2], arguments[1::2], strict=True))
    engine, _, address = given["--on"].partition("=")
    if engine not in HEADS or job["metadata"].get("labels", {}).get(LABEL) != engine:
        yield f"{name} measures the unknown engine {engine}"
        return
    if address != clusters()[engine].address(HEADS[engine]):
        yield f"{name} joins {address}, which no service has"
    workers = {now for one in everything for what, _, now, _ in counts(one) if engine in what}
    if workers != {int(given["--workers"])}:
        yield f"{name} expects {given['--workers']} workers, and the cluster has {workers}"
    waiting = spec["initContainers"][0]["command"]
    if waiting[3:] != [engine, "--nodes", given["--workers"], "--head", HEADS[engine]]:
        yield f"{name} waits for another cluster"
    claims = {one["metadata"]["name"] for one in everything if "Claim" in one["kind"]}
    for volume in spec["volumes"]:
        claim = volume.get("persistentVolumeClaim", {}).get("claimName")
        if claim is not None and claim not in claims:
            yield f"{name} writes to the unknown claim {claim}"


def counts(document: Document) -> Iterator[tuple[str, int, int, int]]:
    """What scales, with its least, its first and its most workers."""
    spec, name = document.get("spec", {}), _named(document)
    match document["kind"]:
        case "RayCluster":
            for group in spec["workerGroupSpecs"]:
                numbers = (group["minReplicas"], group["replicas"], group["maxReplicas"])
                yield (f"{name}/{group['groupName']}", *numbers)
        case "SparkCluster":
            group = spec["clusterTolerations"]["instanceConfig"]
            yield name, group["minWorkers"], group["initWorkers"], group["maxWorkers"]
        case "DaskCluster":
            yield (name, *(spec["worker"]["replicas"],) * 3)
        case "DaskAutoscaler":
            yield (
                f"{name} of {spec['cluster']}",
                spec["minimum"],
                spec["minimum"],
                spec["maximum"],
            )


def pods(document: Document) -> Iterator[Pod]:
    """The pods of an object, as its operator or Kubernetes creates them."""
    spec, name = document.get("spec", {}), _named(document)

    def templated(part: str, template: Document) -> Pod:
        labels = template.get("metadata", {}).get("labels", {})
        return Pod(f"{name} {part}".strip(), labels, template["spec"], document["kind"] == "Job")

    match document.get("kind"):
        case "Job":
            yield templated("", spec["template"])
        case "RayCluster":
            yield templated("head", spec["headGroupSpec"]["template"])
            for group in spec["workerGroupSpecs"]:
                yield templated(group.get("groupName", "?"), group["template"])
        case "SparkCluster":
            for part in ("masterSpec", "workerSpec"):
                yield templated(part, spec[part]["statefulSetSpec"]["template"])
        case "DaskCluster":
            for part in ("scheduler", "worker"):
                labels = document["metadata"].get("labels", {})
                yield Pod(f"{name} {part}", labels, spec[part]["spec"], driver=False)


def containers(pod: Pod) -> list[Document]:
    """All containers of a pod."""
    found: list[Document] = [*pod.spec.get("initContainers", ()), *pod.spec["containers"]]
    return found


def _images(document: Document) -> Iterator[str]:
    for entry in _dictionaries(document):
        for name in ("image", "spark.kubernetes.container.image"):
            if name in entry:
                yield entry[name]


def _dictionaries(value: object) -> Iterator[Document]:
    if isinstance(value, dict):
        yield value
        for one in value.values():
            yield from _dictionaries(one)
    elif isinstance(value, list):
        for one in value:
            yield from _dictionaries(one)
