"""A small part of the Kubernetes API, with the KubeRay operator beside it, in memory.

    python -m tests.cluster.kuberay.api FOLDER

It has one namespace, one RayCluster and its pods.  Ray's autoscaler may do what its role in KubeRay
allows; the node agent (``kubelet``) reports on pods and removes them.  FOLDER has the RayCluster
(``cluster.json``), the certificate and its key (``tls.crt``, ``tls.key``) and a token for each
user (``autoscaler.token``, ``kubelet.token``).  Unknown paths, verbs, patches and users are errors.
"""

import hmac
import json
import sys
from collections.abc import Mapping
from copy import deepcopy
from http import HTTPStatus
from pathlib import Path
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from tests.cluster.kuberay import controller
from tests.cluster.kuberay.controller import Document

PORT = 6443
AUTOSCALER, KUBELET = "autoscaler", "kubelet"
_PATCH = "application/json-patch+json"


def refused(status: HTTPStatus, message: str) -> HTTPException:
    return HTTPException(status, message)


def patched(document: Document, patch: object) -> Document:
    """A copy of the document with a JSON patch applied: all of it, or an error.

    As in the API server, ``replace`` also sets a last name that is not there yet.
    """
    changed = deepcopy(document)
    if not isinstance(patch, list):
        raise refused(HTTPStatus.BAD_REQUEST, "a JSON patch is a list")
    for change in patch:
        if change["op"] != "replace":
            raise refused(HTTPStatus.UNPROCESSABLE_ENTITY, f"no operation {change['op']} here")
        *path, last = change["path"].removeprefix("/").split("/")
        part: Any = changed
        try:
            for name in path:
                part = part[int(name) if isinstance(part, list) else name]
            part[int(last) if isinstance(part, list) else last] = change["value"]
        except (KeyError, IndexError, ValueError, TypeError) as error:
            raise refused(HTTPStatus.UNPROCESSABLE_ENTITY, f"no {change['path']}") from error
    return changed


class Api:
    """What is stored, and the answers to requests."""

    def __init__(self, cluster: Document, tokens: Mapping[str, str]) -> None:
        self._cluster = cluster
        self._tokens = tokens
        self._pods: dict[str, Document] = {}
        self._version = 0
        self._stored(cluster)
        self._reconcile()

    def application(self) -> Starlette:
        """The routes; all others are not found."""
        space = f"/namespaces/{self._cluster['metadata']['namespace']}"
        pods, clusters = f"/api/v1{space}/pods", f"/apis/ray.io/v1{space}/rayclusters"
        return Starlette(
            routes=[
                Route(f"{clusters}/{{name}}", self.cluster, methods=["GET", "PATCH"]),
                Route(pods, self.list_pods, methods=["GET"]),
                Route(f"{pods}/{{name}}", self.pod, methods=["GET", "DELETE"]),
                Route(f"{pods}/{{name}}/status", self.status, methods=["PUT"]),
            ],
            exception_handlers={HTTPException: _as_status},
        )

    async def cluster(self, request: Request) -> JSONResponse:
        self._allow(request, AUTOSCALER)
        if request.path_params["name"] != self._cluster["metadata"]["name"]:
            raise refused(HTTPStatus.NOT_FOUND, "no such RayCluster")
        if request.method == "PATCH":
            if request.headers.get("content-type") != _PATCH:
                raise refused(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, f"only {_PATCH}")
            self._cluster = patched(self._cluster, await request.json())
            self._stored(self._cluster)
            self._reconcile()
        return JSONResponse(self._cluster)

    async def list_pods(self, request: Request) -> JSONResponse:
        self._allow(request, AUTOSCALER, KUBELET)
        label, _, value = request.query_params.get("labelSelector", "").partition("=")
        found = [
            pod
            for pod in self._pods.values()
            if not label or pod["metadata"]["labels"].get(label) == value
        ]
        version = {"resourceVersion": str(self._version)}
        return JSONResponse({"kind": "PodList", "metadata": version, "items": found})

    async def pod(self, request: Request) -> JSONResponse:
        self._allow(request, *([KUBELET] if request.method == "DELETE" else [AUTOSCALER, KUBELET]))
        pod = self._known(request)
        if request.method == "DELETE":
            del self._pods[pod["metadata"]["name"]]
            self._version += 1
        return JSONResponse(pod)

    async def status(self, request: Request) -> JSONResponse:
        self._allow(request, KUBELET)
        pod = self._known(request)
        pod["status"] = await request.json()
        self._stored(pod)
        return JSONResponse(pod)

    def _allow(self, request: Request, *users: str) -> None:
        given = request.headers.get("authorization", "").encode()
        for user, token in self._tokens.items():
            if hmac.compare_digest(given, f"Bearer {token}".encode()):
                if user in users:
                    return
                raise refused(HTTPStatus.FORBIDDEN, f"{user} may not do this")
        raise refused(HTTPStatus.UNAUTHORIZED, "no valid token")

    def _known(self, request: Request) -> Document:
        name = request.path_params["name"]
        if name not in self._pods:
            raise refused(HTTPStatus.NOT_FOUND, f"no pod {name}")
        return self._pods[name]

    def _stored(self, document: Document) -> None:
        self._version += 1
        document["metadata"]["resourceVersion"] = str(self._version)

    def _reconcile(self) -> None:
        """Mark and create pods as the operator does after each change of the RayCluster."""
        for name in controller.unwanted_pods(self._cluster) & self._pods.keys():
            # Any time will do: only that there is one is read.
            self._pods[name]["metadata"]["deletionTimestamp"] = "1970-01-01T00:00:00Z"
            self._stored(self._pods[name])
        for pod in controller.missing_pods(self._cluster, list(self._pods.values())):
            self._pods[pod["metadata"]["name"]] = pod
            self._stored(pod)


async def _as_status(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)
    body = {"kind": "Status", "status": "Failure", "message": error.detail}
    return JSONResponse(body, error.status_code)


def main() -> None:
    folder = Path(sys.argv[1])
    tokens = {user: (folder / f"{user}.token").read_text() for user in (AUTOSCALER, KUBELET)}
    api = Api(json.loads((folder / "cluster.json").read_text()), tokens)
    uvicorn.run(
        api.application(),
        host="0.0.0.0",  # noqa: S104 - the network of the container, which has no way out
        port=PORT,
        ssl_certfile=str(folder / "tls.crt"),
        ssl_keyfile=str(folder / "tls.key"),
    )


if __name__ == "__main__":
    main()
