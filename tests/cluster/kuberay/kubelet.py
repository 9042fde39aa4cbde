"""Runs the pods that the emulated API lists, as containers of Docker in a network of their own.

A pod has the network of its first container, volumes in memory, and the users, limits and rights
that its specification gives.  It is ready once the startup probe of its first container has passed.
Other probes are not run, and a container that ends is not started again.
"""

import contextlib
import http.client
import json
import re
import socket
import ssl
import threading
import urllib.request
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from tests.cluster.kuberay.api import PORT
from tests.cluster.kuberay.controller import KIND, Document
from tests.engines.containers import docker

_ACCOUNT = "/var/run/secrets/kubernetes.io/serviceaccount"
_LOOK_EVERY_S, _TIMEOUT_S = 1.0, 10
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
    names: tuple[str, ...]
    """What the service of the head is called."""
    api_host: str


@dataclass(frozen=True, kw_only=True)
class Client:
    """Asks the emulated API.

    Methods raise OSError: the API does not answer, or refuses with a reason.
    """

    address: str
    host: str
    """The name in its certificate, which this host cannot resolve."""
    namespace: str
    certificate: Path
    token: str = field(repr=False)

    def pods(self) -> list[Document]:
        found: list[Document] = self._ask("GET", "")["items"]
        return found

    def report(self, pod: str, status: Document) -> None:
        self._ask("PUT", f"/{pod}/status", status)

    def removed(self, pod: str) -> None:
        self._ask("DELETE", f"/{pod}")

    def _ask(self, method: str, below: str, body: Document | None = None) -> Any:  # noqa: ANN401
        context = ssl.create_default_context(cafile=str(self.certificate))
        plain = socket.create_connection((self.address, PORT), _TIMEOUT_S)
        connection = http.client.HTTPSConnection(self.address, PORT)
        connection.sock = context.wrap_socket(plain, server_hostname=self.host)
        path = f"/api/v1/namespaces/{self.namespace}/pods{below}"
        with contextlib.closing(connection):
            headers = {"Authorization": f"Bearer {self.token}"}
            connection.request(method, path, json.dumps(body) if body else None, headers)
            answer = connection.getresponse()
            text = answer.read().decode()
        if answer.status != http.client.OK:
            raise OSError(f"{method} {path}: {answer.status} {text}")
        return json.loads(text)


def run_pods(client: Client, place: Place, stop: threading.Event) -> None:
    """Start and remove containers as the API asks, until the event is set."""
    while not stop.wait(_LOOK_EVERY_S):
        for pod in client.pods():
            name = pod["metadata"]["name"]
            if "deletionTimestamp" in pod["metadata"]:
                docker("rm", "--force", *containers(place, pod))
                docker("volume", "rm", *volumes(place, pod))
                client.removed(name)
            elif pod["status"]["phase"] == "Pending":
                client.report(name, _start(place, pod))
            elif not is_ready(pod) and _probe_passes(pod):
                ready = {"type": "Ready", "status": "True"}
                client.report(name, {**pod["status"], "conditions": [ready]})


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


def _start(place: Place, pod: Document) -> Document:
    """Start the containers; return the status of the pod."""
    for container in pod["spec"]["containers"]:
        docker(*run_command(place, pod, container))
    first = containers(place, pod)[0]
    form = "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}"
    names = sorted(one["name"] for one in pod["spec"]["containers"])
    return {
        "phase": "Running",
        "podIP": docker("inspect", "--format", form, first).strip(),
        "containerStatuses": [{"name": one, "state": {"running": {}}} for one in names],
    }


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


def run_command(place: Place, pod: Document, container: Document) -> list[str]:
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
        head = pod["metadata"]["labels"].get(KIND) == "head"
        command += [part for one in place.names if head for part in ("--network-alias", one)]
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
    yield "KUBERNETES_SERVICE_HOST", place.api_host
    yield "KUBERNETES_SERVICE_PORT_HTTPS", str(PORT)
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
        yield f"type=bind,source={place.account},target={_ACCOUNT},readonly"


def _bytes(quantity: str) -> str:
    """A quantity of Kubernetes with the unit that Docker and the kernel read."""
    return quantity[:-2] + _UNITS[quantity[-2:]]


def _cores(quantity: str) -> str:
    return str(int(quantity[:-1]) / 1000) if quantity.endswith("m") else quantity
