"""A cluster with an emulated Kubernetes API, whose pods are containers of Docker."""

import json
import secrets
import shutil
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path

import pytest

from compare.measure.background import in_background
from deploy import keys as deployed
from tests.cluster.kubernetes.api import PORT, Rules
from tests.cluster.kubernetes.client import Client
from tests.cluster.kubernetes.kubelet import Place, run_pods
from tests.cluster.kubernetes.store import Document
from tests.engines.containers import REPOSITORY, docker, release_containers
from tests.engines.placement import CONTAINERS

HOST = "kubernetes.default"
_UP_S, _STOP_S = 100, 200
_KEYS, _FILES = "compare-keys", "/run/api"
_ADMIN, _KUBELET = "admin", "kubelet"
_OWN: Mapping[str, Rules] = {
    _ADMIN: {"*": ["*"]},
    _KUBELET: {"pods": ["list", "delete"], "pods/status": ["patch"], "services": ["list"]},
}


@dataclass(frozen=True, kw_only=True)
class Emulated:
    """The running cluster."""

    place: Place
    client: Client
    """May do everything."""
    tokens: Mapping[str, str]

    def user(self, name: str) -> Client:
        """May do what the role of this user allows."""
        return replace(self.client, token=self.tokens[name])

    def containers(self, part: str = "") -> list[str]:
        """The names of the containers that run now, whatever the API has, with this in them."""
        names = docker("ps", "--filter", f"label={self.place.prefix}", "--format", "{{.Names}}")
        return sorted(name for name in names.split() if part in name)


def log_of(container: str) -> str:
    """All that the container wrote."""
    done = subprocess.run(
        ["docker", "logs", container],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=True,
    )
    return done.stdout


def wait_until(true: Callable[[], bool], limit_s: float, log: Callable[[], str] = str) -> None:
    """Return when it is true; an error with the log after this time."""
    until_s = time.monotonic() + limit_s
    while not true():
        assert time.monotonic() < until_s, f"not within {limit_s} s: {log()}"
        time.sleep(0.5)


@contextmanager
def emulated(
    image: str, folder: Path, namespace: str, account: str, roles: Mapping[str, Rules]
) -> Iterator[Emulated]:
    """Start the API and what runs its pods; remove all containers on exit.

    Pods that ask the API do so as the user ``account``.  The folder is one that nobody else can
    enter: it has the credentials.
    """
    prefix = f"eckube-{secrets.token_hex(3)}"
    with ExitStack() as stack:
        # Internal: no container reaches anything outside, and no port is published.
        docker("network", "create", "--internal", "--label", prefix, prefix)
        stack.callback(_remove_all, prefix)
        files, of_pods, keys = (folder / name for name in ("api", "account", _KEYS))
        tokens = {user: secrets.token_hex(32) for user in (*_OWN, *roles)}
        _write_api(files, namespace, tokens, {**_OWN, **roles})
        write(of_pods / "token", tokens[account])
        write(of_pods / "ca.crt", (files / "tls.crt").read_text())
        _write_keys(keys)
        place = Place(
            prefix=prefix, image=image, secrets={_KEYS: keys}, account=of_pods, api=(HOST, PORT)
        )
        client = Client(
            address=_start_api(place, files),
            port=PORT,
            host=HOST,
            namespace=namespace,
            certificate=files / "tls.crt",
            token=tokens[_ADMIN],
        )
        _wait_until_up(client, prefix)
        up = Emulated(place=place, client=client, tokens=tokens)
        stop = threading.Event()
        kubelet = in_background(lambda: run_pods(up.user(_KUBELET), place, stop))
        stack.callback(lambda: kubelet.result(_STOP_S))
        stack.callback(stop.set)
        yield up


def own_container(
    place: Place, name: str, mounts: Mapping[Path, str], **variables: str
) -> list[str]:
    """The arguments of ``docker`` for a container that is no pod: without rights, small."""
    command = ["run", "--detach", "--pull", "never", "--name", f"{place.prefix}-{name}"]
    command += ["--label", place.prefix, "--network", place.prefix, "--user", "10001:10001"]
    command += ["--read-only", "--cap-drop", "ALL", "--security-opt", "no-new-privileges:true"]
    command += ["--cpus", "1", "--memory", "256m"]
    variables["KUBERNETES_SERVICE_HOST"], port = place.api[0], str(place.api[1])
    variables["KUBERNETES_SERVICE_PORT"] = variables["KUBERNETES_SERVICE_PORT_HTTPS"] = port
    for variable, value in variables.items():
        command += ["--env", f"{variable}={value}"]
    for source, target in mounts.items():
        command += ["--mount", f"type=bind,source={source},target={target},readonly"]
    return [*command, "--network-alias", HOST if name == "api" else name, place.image]


def records(place: Place, claim: str, engine: str) -> list[Document]:
    """The batches of an engine that a Job has written to a volume."""
    volume = f"{place.prefix}-{claim}:/results:ro"
    read = ("run", "--rm", "--network", "none", "--volume", volume, place.image, "sh", "-c")
    lines = docker(*read, "cat /results/*/measurements.jsonl").splitlines()
    found = map(json.loads, lines)
    return [one for one in found if (one["engine"], one["kind"]) == (engine, "tasks")]


def only_on_containers(request: pytest.FixtureRequest, engine: str) -> None:
    """Skip the tests unless they are asked for on containers, for this engine; make room."""
    chosen = request.config.getoption("--engines")
    engines = list(chain.from_iterable(names.split(",") for names in chosen))
    if CONTAINERS not in request.config.getoption("--on") or (engines and engine not in engines):
        pytest.skip(f"runs with --on containers, for {engine}")
    release_containers()


def _start_api(place: Place, files: Path) -> str:
    """Start the emulated API; return the address of its container."""
    mounts = {files: _FILES, REPOSITORY / "tests": "/opt/contract/tests"}
    command = own_container(place, "api", mounts, PYTHONPATH="/opt/contract")
    docker(*command, "python", "-m", "tests.cluster.kubernetes.api", _FILES)
    form = "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}"
    return docker("inspect", "--format", form, f"{place.prefix}-api").strip()


def _wait_until_up(client: Client, prefix: str) -> None:
    until_s = time.monotonic() + _UP_S
    while True:
        try:
            client.list("pods")
        except OSError:
            assert time.monotonic() < until_s, log_of(f"{prefix}-api")
            time.sleep(0.2)
        else:
            return


def _remove_all(prefix: str) -> None:
    label = ("--quiet", "--filter", f"label={prefix}")
    containers = docker("ps", "--all", *label).split()
    if containers:
        docker("rm", "--force", *containers)
    # The volumes of pods have no label, because Docker creates them with the containers.
    volumes = docker("volume", "ls", "--quiet", "--filter", f"name={prefix}").split()
    if volumes:
        docker("volume", "rm", *volumes)
    docker("network", "rm", prefix)


def _write_api(
    files: Path, namespace: str, tokens: Mapping[str, str], roles: Mapping[str, Rules]
) -> None:
    certificate, key = deployed.certificate(HOST)
    write(files / "tls.crt", certificate)
    write(files / "tls.key", key)
    write(files / "namespace", namespace)
    for user, token in tokens.items():
        write(files / f"{user}.token", token)
        write(files / f"{user}.json", json.dumps(roles[user]))


def _write_keys(folder: Path) -> None:
    """The secret of the cluster, made as docs/kubernetes.md says."""
    made = folder.with_name("made")
    deployed.make(made)
    for name, key in (("ray.token", "auth_token"), ("dask.crt",) * 2, ("dask.key",) * 2):
        write(folder / key, (made / name).read_text())
    shutil.rmtree(made)


def write(path: Path, text: str) -> None:
    """Readable by the user of the containers, who is another one than that of this process."""
    path.parent.mkdir(exist_ok=True)
    path.parent.chmod(0o755)
    path.write_text(text)
    path.chmod(0o444)
