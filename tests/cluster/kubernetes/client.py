"""Asks the emulated API, from this host."""

import contextlib
import http.client
import json
import socket
import ssl
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.cluster.kubernetes.store import KINDS, Document

_TIMEOUT_S = 10
_MERGE = "application/merge-patch+json"


@dataclass(frozen=True, kw_only=True)
class Client:
    """One user of the API.

    Methods raise OSError: the API does not answer, or refuses with a reason.
    """

    address: str
    port: int
    host: str
    """The name in its certificate, which this host cannot resolve."""
    namespace: str
    certificate: Path
    token: str = field(repr=False)

    def list(self, plural: str, selector: str = "") -> list[Document]:
        """All objects of a kind, or those with these labels."""
        found: list[Document] = self._ask("GET", plural, f"?labelSelector={selector}")["items"]
        return found

    def create(self, plural: str, one: Document) -> None:
        self._ask("POST", plural, "", one)

    def patch(self, plural: str, name: str, patch: Document) -> None:
        """Apply a merge patch."""
        self._ask("PATCH", plural, f"/{name}", patch)

    def report(self, plural: str, name: str, status: Document) -> None:
        """Change the status of an object."""
        self._ask("PATCH", plural, f"/{name}/status", {"status": status})

    def delete(self, plural: str, name: str) -> None:
        self._ask("DELETE", plural, f"/{name}")

    def removed(self, plural: str, name: str) -> None:
        """Say that nothing runs any more of an object that was deleted."""
        self._ask("DELETE", plural, f"/{name}?gracePeriodSeconds=0")

    def _ask(self, method: str, plural: str, below: str, body: Document | None = None) -> Any:  # noqa: ANN401
        context = ssl.create_default_context(cafile=str(self.certificate))
        plain = socket.create_connection((self.address, self.port), _TIMEOUT_S)
        connection = http.client.HTTPSConnection(self.address, self.port)
        connection.sock = context.wrap_socket(plain, server_hostname=self.host)
        group = KINDS[plural].group
        start = f"/apis/{group}/v1" if group else "/api/v1"
        path = f"{start}/namespaces/{self.namespace}/{plural}{below}"
        with contextlib.closing(connection):
            headers = {"Authorization": f"Bearer {self.token}", "Content-Type": _MERGE}
            connection.request(method, path, json.dumps(body) if body else None, headers)
            answer = connection.getresponse()
            text = answer.read().decode()
        if answer.status not in (http.client.OK, http.client.CREATED):
            raise OSError(f"{method} {path}: {answer.status} {text}")
        return json.loads(text)
