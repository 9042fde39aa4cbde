"""Runs the pods that the emulated API lists, as containers of Docker in a network of their own.

A pod has the network of its first container, volumes in memory, and the users, limits and rights
that its specification gives.  Probes are not run, and a container that ends is not started again.
"""

import contextlib
import http.client
import json
import re
import socket
import ssl
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.cluster.kuberay.api import KUBELET, PORT
from tests.cluster.kuberay.controller import KIND, Document
from tests.engines.containers import docker

_ACCOUNT = "/var/run/secrets/kubernetes.io/serviceaccount"
_LOOK_EVERY_S, _TIMEOUT_S = 0.3, 10
_UNITS = {"Ki": "k", "Mi": "m", "Gi": "g"}


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where the pods run."""

    prefix: str
    """The network, which labels all containers; the names of containers and volumes begin with it."""
    image: str
    secrets: Mapping[str, Path]
    """Folders with the files of each secret."""
    account: Path
    """The folder with the token and the certificate for pods that ask the API."""
    names: tuple[str, ...]
    """What the service of the head is called."""
    api_host: str


class Client:
    """Asks the emulated API as the kubelet."""

    def __init__(self, address: str, name: str, namespace: str, folder: Path) -> None:
        self._address, self._name = address, name
        self._pods = f"/api/v1/namespaces/{namespace}/pods"
        self._context = ssl.create_default_context(cafile=str(folder / "tls.crt"))
        self._token = (folder / f"{KUBELET}.token").read_text()

    def pods(self) -> list[Document]:
        found: list[Document] = self._ask("GET", self._pods)["items"]
        return found

    def report(self, pod: str, status: Document) -> None:
        self._ask("PUT", f"{self._pods}/{pod}/status", status)

    def removed(self, pod: str) -> None:
        self._ask("DELETE", f"{self._pods}/{pod}")

    def _ask(self, method: str, path: str, body: Document | None = None) -> Any:  # noqa: ANN401
        # The certificate has the name that pods use, which this host does not resolve.
        plain = socket.create_connection((self._address, PORT), _TIMEOUT_S)
        connection = http.client.HTTPSConnection(self._address, PORT)
        connection.sock = self._context.wrap_socket(plain, server_hostname=self._name)
        with contextlib.closing(connection):
            headers = {"Authorization": f"Bearer {self._token}"}
            connection.request(method, path, json.dumps(body) if body else None, headers)
            answer = connection.getresponse()
            text = answer.read().decode()
        if answer.status != http.client.OK:
            raise OSError(f"{method} {path}: {answer.status} {text}")
        return json.loads(text)


def run_pods(client: Client, place: Place, stop: threading.Event) -> None:
    """Start and remove containers as the API asks, until the event is set."""
    started: set[str] = set()
    while not stop.wait(_LOOK_EVERY_S):
        for pod in client.pods():
            name = pod["metadata"]["name"]
            if "deletionTimestamp" in pod["metadata"]:
                docker("rm", "--force", *containers(place, pod))
                docker("volume", "rm", *volumes(place, pod))
                client.removed(name)
            elif name not in started:
                started.add(name)
                client.report(name, _start(place, pod))


def containers(place: Place, pod: Document) -> list[str]:
    """The names of the containers of a pod; the first has its network."""
    name = pod["metadata"]["name"]
    return [f"{place.prefix}-{name}-{one['name']}" for one in pod["spec"]["containers"]]


def volumes(place: Place, pod: Document) -> list[str]:
    """The names of the volumes in memory of a pod."""
    return [
        _volume(place, pod, one["name"]) for one in pod["spec"]["volumes"] if "emptyDir" in one
    ]


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


def run_command(place: Place, pod: Document, container: Document) -> list[str]:
    """The arguments of ``docker`` that start this container of the pod."""
    first = containers(place, pod)[0]
    name = f"{place.prefix}-{pod['metadata']['name']}-{container['name']}"
    environment = dict(_environment(place, pod, container))
    limits, rights = container["resources"]["limits"], container["securityContext"]
    owner = pod["spec"]["securityContext"]
    command = ["run", "--detach", "--pull", "never", "--name", name, "--label", place.prefix]
    if name == first:
        command += ["--network", place.prefix, "--hostname", pod["metadata"]["name"]]
        head = pod["metadata"]["labels"][KIND] == "head"
        command += [part for one in place.names if head for part in ("--network-alias", one)]
    else:
        command += ["--network", f"container:{first}"]
    command += ["--user", f"{owner['runAsUser']}:{owner['runAsGroup']}"]
    command += ["--read-only"] if rights["readOnlyRootFilesystem"] else []
    command += [part for one in rights["capabilities"]["drop"] for part in ("--cap-drop", one)]
    if not rights["allowPrivilegeEscalation"]:
        command += ["--security-opt", "no-new-privileges:true"]
    memory = _bytes(limits["memory"])
    command += ["--cpus", _cores(limits["cpu"]), "--memory", memory, "--memory-swap", memory]
    for mount in _mounts(place, pod, container):
        command += ["--mount", mount]
    for variable, value in environment.items():
        command += ["--env", f"{variable}={value}"]
    words = [_filled(word, environment) for word in (*container["command"], *container.get("args", ()))]
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
