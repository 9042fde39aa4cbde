"""Runs the pods that the emulated API lists, as containers of Docker in a network of their own.

A pod has the network of its first container, volumes in memory, and the users, limits and rights
that its specification gives.  It is ready once the startup probe of its first container has passed.
Other probes are not run, and a container that ends is not started again.
"""

import re
import subprocess
import threading
import urllib.request
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from tests.cluster.kubernetes.client import Client
from tests.cluster.kubernetes.store import Document
from tests.engines.containers import docker

ACCOUNT = "/var/run/secrets/kubernetes.io/serviceaccount"
_LOOK_EVERY_S = 1.0
_UNITS = {"Ki": "k", "Mi": "m", "Gi": "g"}


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where the pods run."""

    prefix: str
    """The network and the label of all containers; how names of containers and volumes begin."""
    image: str
    secrets: Mapping[str, Path]
    """Folders with the files of each secret."""
    account: Path
    """The folder with the token and the certificate for pods that ask the API."""
    api: tuple[str, int]
    """Host and port of the API for pods."""


def run_pods(client: Client, place: Place, stop: threading.Event) -> None:
    """Start and remove containers as the API asks, until the event is set."""
    seen: set[str] = set()
    while not stop.wait(_LOOK_EVERY_S):
        for pod in client.list("pods"):
            name = pod["metadata"]["name"]
            if "deletionTimestamp" in pod["metadata"]:
                remove(place, pod)
                client.removed("pods", name)
            elif name not in seen:
                # Starts at the next look, because its service may be created just after it.
                seen.add(name)
            elif pod["status"]["phase"] == "Pending":
                client.report("pods", name, _start(place, pod, names(pod, client.list("services"))))
            elif not is_ready(pod) and _probe_passes(pod):
                kinds = ("Ready", "ContainersReady")
                conditions = [{"type": kind, "status": "True"} for kind in kinds]
                client.report("pods", name, {"conditions": conditions})


def remove(place: Place, pod: Document) -> None:
    """Remove what ``_start`` made, as far as it exists."""
    docker("rm", "--force", *containers(place, pod))
    docker("volume", "rm", "--force", *volumes(place, pod))


def names(pod: Document, services: Iterable[Document]) -> list[str]:
    """What services call this pod."""
    found = []
    for service in services:
        if service["spec"]["selector"].items() <= pod["metadata"]["labels"].items():
            name, space = service["metadata"]["name"], service["metadata"]["namespace"]
            found += [name, f"{name}.{space}", f"{name}.{space}.svc.cluster.local"]
    return found


def is_ready(pod: Document) -> bool:
    """Whether the pod has passed its startup probe."""
    return any(one["type"] == "Ready" for one in pod["status"].get("conditions", ()))


def _probe_passes(pod: Document) -> bool:
    first = pod["spec"]["containers"][0]
    probe = first["startupProbe"]
    ports = {one["name"]: one["containerPort"] for one in first["ports"]}
    page = f"{pod['status']['podIP']}:{ports[probe['httpGet']['port']]}{probe['httpGet']['path']}"
    try:
        with urllib.request.urlopen(f"http://{page}", timeout=probe["timeoutSeconds"]):
            return True
    except OSError:
        return False


def containers(place: Place, pod: Document) -> list[str]:
    """The names of the containers of a pod; the first has its network."""
    name = pod["metadata"]["name"]
    return [f"{place.prefix}-{name}-{one['name']}" for one in pod["spec"]["containers"]]


def volumes(place: Place, pod: Document) -> list[str]:
    """The names of the volumes in memory of a pod."""
    return [_volume(place, pod, one["name"]) for one in pod["spec"]["volumes"] if "emptyDir" in one]


def _volume(place: Place, pod: Document, name: str) -> str:
    return f"{place.prefix}-{pod['metadata']['name']}-{name}"


def _start(place: Place, pod: Document, called: Sequence[str]) -> Document:
    """Start the containers; return the status of the pod."""
    for container in pod["spec"]["containers"]:
        docker(*run_command(place, pod, container, called))
    first = containers(place, pod)[0]
    form = "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}"
    running = sorted(one["name"] for one in pod["spec"]["containers"])
    return {
        "phase": "Running",
        "podIP": docker("inspect", "--format", form, first).strip(),
        "containerStatuses": [{"name": one, "state": {"running": {}}} for one in running],
    }


def run_in(
    place: Place, pod: Document, command: Sequence[str], limit_s: float, log: Callable[[], str]
) -> str:
    """Run a command in the first container of the pod; return its output.

    An error has the log, and says what the command wrote if it failed.
    """
    try:
        done = subprocess.run(
            ["docker", "exec", containers(place, pod)[0], *command],
            capture_output=True,
            text=True,
            timeout=limit_s,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise AssertionError(f"not within {limit_s} s: {log()}") from error
    assert done.returncode == 0, done.stdout + done.stderr + log()
    return done.stdout


class Done(NamedTuple):
    """How a container ended."""

    code: int
    log: str


def run_job(place: Place, job: Document) -> Done:
    """Run the containers of a Job one after the other, as long as they succeed; the last one."""
    template = job["spec"]["template"]
    meta = {"name": job["metadata"]["name"], "namespace": job["metadata"]["namespace"]}
    pod = {"metadata": {**meta, **template["metadata"]}, "spec": template["spec"]}
    for container in [*pod["spec"]["initContainers"], *pod["spec"]["containers"]]:
        identity = docker(*run_command(place, pod, container)).strip()
        done = Done(int(docker("wait", identity)), docker("logs", identity))
        if done.code:
            break
    return done


def run_command(
    place: Place, pod: Document, container: Document, called: Sequence[str] = ()
) -> list[str]:
    """The arguments of ``docker`` that start this container of the pod."""
    first = containers(place, pod)[0]
    name = f"{place.prefix}-{pod['metadata']['name']}-{container['name']}"
    environment = dict(_environment(place, pod, container))
    limits, rights = container["resources"]["limits"], container["securityContext"]
    owner = pod["spec"]["securityContext"]
    command = ["run", "--detach", "--pull", "never", "--name", name, "--label", place.prefix]
    # Containers that run before the others have the same network, but nobody to take it from.
    if name == first or container in pod["spec"].get("initContainers", ()):
        command += ["--network", place.prefix, "--hostname", pod["metadata"]["name"]]
        command += [part for one in called for part in ("--network-alias", one)]
    else:
        command += ["--network", f"container:{first}"]
    command += ["--user", f"{owner['runAsUser']}:{owner['runAsGroup']}"]
    command += ["--read-only"] if rights["readOnlyRootFilesystem"] else []
    command += [part for one in rights["capabilities"]["drop"] for part in ("--cap-drop", one)]
    if not rights["allowPrivilegeEscalation"]:
        command += ["--security-opt", "no-new-privileges:true"]
    memory = _bytes(limits["memory"])
    command += ["--cpus", _cores(limits["cpu"])] if "cpu" in limits else []
    command += ["--memory", memory, "--memory-swap", memory]
    for mount in _mounts(place, pod, container):
        command += ["--mount", mount]
    for variable, value in environment.items():
        command += ["--env", f"{variable}={value}"]
    words = [*container["command"], *container.get("args", ())]
    words = [_filled(word, environment) for word in words]
    return [*command, "--entrypoint", words[0], place.image, *words[1:]]


def _environment(place: Place, pod: Document, container: Document) -> Iterator[tuple[str, str]]:
    yield "KUBERNETES_SERVICE_HOST", place.api[0]
    yield "KUBERNETES_SERVICE_PORT_HTTPS", str(place.api[1])
    for one in container.get("env", ()):
        source = one.get("valueFrom", {})
        if "fieldRef" in source:
            yield one["name"], _field(pod, source["fieldRef"]["fieldPath"])
        elif "secretKeyRef" in source:
            reference = source["secretKeyRef"]
            yield one["name"], (place.secrets[reference["name"]] / reference["key"]).read_text()
        else:
            yield one["name"], one["value"]


def _field(pod: Document, path: str) -> str:
    label = re.fullmatch(r"metadata\.labels\['(.+)'\]", path)
    found = pod["metadata"]["labels"][label[1]] if label else pod["metadata"][path.split(".")[1]]
    return str(found)


def _filled(word: str, environment: Mapping[str, str]) -> str:
    """The word with ``$(NAME)`` replaced, which Kubernetes does and a shell would not."""
    return re.sub(r"\$\((\w+)\)", lambda match: environment[match[1]], word)


def _mounts(place: Place, pod: Document, container: Document) -> Iterator[str]:
    of_pod = {one["name"]: one for one in pod["spec"]["volumes"]}
    for mount in container["volumeMounts"]:
        volume, target = of_pod[mount["name"]], mount["mountPath"]
        if "secret" in volume:
            secret = volume["secret"]
            for item in secret["items"]:
                source = place.secrets[secret["secretName"]] / item["key"]
                yield f"type=bind,source={source},target={target}/{item['path']},readonly"
        elif "persistentVolumeClaim" in volume:
            claim = volume["persistentVolumeClaim"]["claimName"]
            yield f"type=volume,source={place.prefix}-{claim},target={target}"
        else:
            size = _bytes(volume["emptyDir"].get("sizeLimit", "1Gi"))
            source = _volume(place, pod, mount["name"])
            yield (
                f"type=volume,source={source},target={target},volume-nocopy,volume-opt=type=tmpfs,"
                f'volume-opt=device=tmpfs,"volume-opt=o=size={size},mode=1777,nosuid,nodev"'
            )
    if pod["spec"]["automountServiceAccountToken"]:
        yield f"type=bind,source={place.account},target={ACCOUNT},readonly"


def _bytes(quantity: str) -> str:
    """A quantity of Kubernetes with the unit that Docker and the kernel read."""
    return quantity[:-2] + _UNITS[quantity[-2:]]


def _cores(quantity: str) -> str:
    return str(int(quantity[:-1]) / 1000) if quantity.endswith("m") else quantity
