"""A cluster of Ray as on Kubernetes: the API is emulated, and pods are containers of Docker."""

import json
import secrets
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from compare.measure.background import in_background
from tests.cluster.kuberay import controller
from tests.cluster.kuberay.api import AUTOSCALER, KUBELET
from tests.cluster.kuberay.controller import Document
from tests.cluster.kuberay.kubelet import Client, Place, run_pods
from tests.engines.containers import REPOSITORY, docker

_HOST = "kubernetes.default"
_UP_S, _STOP_S = 30, 60
_KEYS, _FILES = "compare-keys", "/run/api"


@dataclass(frozen=True, kw_only=True)
class Emulated:
    """The running cluster."""

    place: Place
    client: Client

    def pods(self, kind: str) -> list[Document]:
        """The pods of heads or workers that the API has."""
        return [
            pod for pod in self.client.pods() if pod["metadata"]["labels"][controller.KIND] == kind
        ]

    def containers(self, kind: str) -> list[str]:
        """The names of the containers of these pods that run now, whatever the API has."""
        names = docker("ps", "--filter", f"label={self.place.prefix}", "--format", "{{.Names}}")
        return sorted(name for name in names.split() if f"-{kind}-" in name)


@contextmanager
def emulated(cluster: Document, image: str, folder: Path) -> Iterator[Emulated]:
    """Start the API, and let the pods of this RayCluster come and go; remove all on exit.

    The folder is one that nobody else can enter: it has the credentials.
    """
    prefix = f"eckube-{secrets.token_hex(3)}"
    with ExitStack() as stack:
        # Internal: no container reaches anything outside, and no port is published.
        docker("network", "create", "--internal", "--label", prefix, prefix)
        stack.callback(_remove_all, prefix)
        files, account, keys = (folder / name for name in ("api", "account", _KEYS))
        _write_credentials(files, account, keys)
        _write(files / "cluster.json", json.dumps(cluster))
        address = _start_api(prefix, image, files)
        place = Place(
            prefix=prefix,
            image=image,
            secrets={_KEYS: keys},
            account=account,
            names=_names(cluster),
            api_host=_HOST,
        )
        client = Client(
            address=address,
            host=_HOST,
            namespace=cluster["metadata"]["namespace"],
            certificate=files / "tls.crt",
            token=(files / f"{KUBELET}.token").read_text(),
        )
        _wait_until_up(client, prefix)
        stop = threading.Event()
        kubelet = in_background(lambda: run_pods(client, place, stop))
        stack.callback(lambda: kubelet.result(_STOP_S))
        stack.callback(stop.set)
        yield Emulated(place=place, client=client)


def _names(cluster: Document) -> tuple[str, ...]:
    name = controller.service(cluster)
    return (name, f"{name}.{cluster['metadata']['namespace']}.svc.cluster.local")


def _start_api(prefix: str, image: str, files: Path) -> str:
    """Start the emulated API; return the address of its container."""
    name = f"{prefix}-api"
    command = ["run", "--detach", "--pull", "never", "--name", name, "--label", prefix]
    command += ["--network", prefix, "--network-alias", _HOST, "--user", "10001:10001"]
    command += ["--read-only", "--cap-drop", "ALL", "--security-opt", "no-new-privileges:true"]
    command += ["--cpus", "1", "--memory", "256m", "--env", "PYTHONPATH=/opt/contract"]
    for source, target in ((files, _FILES), (REPOSITORY / "tests", "/opt/contract/tests")):
        command += ["--mount", f"type=bind,source={source},target={target},readonly"]
    docker(*command, image, "python", "-m", "tests.cluster.kuberay.api", _FILES)
    form = "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}"
    return docker("inspect", "--format", form, name).strip()


def _wait_until_up(client: Client, prefix: str) -> None:
    until_s = time.monotonic() + _UP_S
    while True:
        try:
            client.pods()
        except OSError:
            assert time.monotonic() < until_s, docker("logs", f"{prefix}-api")
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


def _write_credentials(files: Path, account: Path, keys: Path) -> None:
    """A token for Ray, one for each user of the API, and the API's certificate with its key."""
    certificate, key = _certificate()
    tokens = {user: secrets.token_hex(32) for user in (AUTOSCALER, KUBELET)}
    _write(files / "tls.crt", certificate)
    _write(files / "tls.key", key)
    for user, token in tokens.items():
        _write(files / f"{user}.token", token)
    _write(account / "token", tokens[AUTOSCALER])
    _write(account / "ca.crt", certificate)
    _write(keys / "auth_token", secrets.token_hex(32))


def _write(path: Path, text: str) -> None:
    """Readable by the user of the containers, who is another one than that of this process."""
    path.parent.mkdir(exist_ok=True)
    path.parent.chmod(0o755)
    path.write_text(text)
    path.chmod(0o444)


def _certificate() -> tuple[str, str]:
    """A certificate that vouches for itself, for the name of the API, and its key; for a day."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, _HOST)])
    now = datetime.now(UTC)
    identifier = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
    signed = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(_HOST)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(identifier, critical=False)
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    return signed.public_bytes(serialization.Encoding.PEM).decode(), private.decode()
