"""Serves a small part of the Kubernetes API over TLS, with its controllers beside it.

    python -m tests.cluster.kubernetes.api FOLDER

FOLDER has a certificate and its key (``tls.crt``, ``tls.key``), and for each user a token and the
rules of its role (``NAME.token``, ``NAME.json``).  What is not known or not allowed is an error.
"""

import asyncio
import hmac
import json
import sys
from collections.abc import AsyncIterator, Mapping
from http import HTTPStatus
from pathlib import Path
from typing import NamedTuple, TypeAlias

import uvicorn
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from tests.cluster.kubernetes.controllers import reconcile
from tests.cluster.kubernetes.store import KINDS, ConflictError, Document, Store, selected

PORT = 6443
_WATCH_S, _LOOK_EVERY_S = 60.0, 0.1
_PATCHES = {"application/json-patch+json": list, "application/merge-patch+json": dict}

Rules: TypeAlias = Mapping[str, list[str]]
"""The verbs that are allowed, by the plural name of the resource; ``*`` allows everything."""


class User(NamedTuple):
    """Who may ask for what."""

    token: str
    rules: Rules

    def may(self, verb: str, plural: str) -> bool:
        allowed = self.rules.get(plural, self.rules.get("*", []))
        return verb in allowed or "*" in allowed


class Api:
    """The answers to requests."""

    def __init__(self, store: Store, users: Mapping[str, User]) -> None:
        self._store = store
        self._users = users

    def application(self) -> Starlette:
        """The routes; all others are not found."""
        # Clients write some paths with a slash at their end.
        found = [f"/{name}{end}" for name in ("version", "api", "apis") for end in ("", "/")]
        routes = [
            *(Route(path, self.discovery) for path in found),
            Route("/api/v1", self.resources),
            Route("/apis/{group}/v1", self.resources),
        ]
        for start in ("/api/v1", "/apis/{group}/v1"):
            space = f"{start}/namespaces/{self._store.namespace}/{{plural}}"
            routes += [
                Route(f"{start}/{{plural}}", self.every, methods=["GET"]),
                Route(space, self.every, methods=["GET", "POST"]),
                Route(f"{space}/{{name}}", self.one, methods=["GET", "PATCH", "DELETE"]),
                Route(f"{space}/{{name}}/status", self.one, methods=["PATCH"]),
            ]
        return Starlette(routes=routes, exception_handlers={HTTPException: _as_status})

    async def discovery(self, request: Request) -> Response:
        """What there is; kr8s supports these versions of Kubernetes."""
        self._user(request)
        groups = sorted({kind.group for kind in KINDS.values()} - {""})
        version = {group: {"groupVersion": f"{group}/v1", "version": "v1"} for group in groups}
        answers: dict[str, Document] = {
            "version": {"major": "1", "minor": "35", "gitVersion": "v1.35.0"},
            "api": {"kind": "APIVersions", "versions": ["v1"]},
            "apis": {
                "kind": "APIGroupList",
                "groups": [
                    {"name": group, "versions": [its], "preferredVersion": its}
                    for group, its in version.items()
                ],
            },
        }
        return JSONResponse(answers[request.url.path.strip("/")])

    async def resources(self, request: Request) -> Response:
        self._user(request)
        group = request.path_params.get("group", "")
        verbs = ["create", "delete", "get", "list", "patch", "watch"]
        found = [
            {
                "name": plural,
                "singularName": kind.kind.lower(),
                "kind": kind.kind,
                "namespaced": plural != "namespaces",
                "verbs": verbs,
            }
            for plural, kind in KINDS.items()
            if kind.group == group
        ]
        if not found:
            raise HTTPException(HTTPStatus.NOT_FOUND, f"no group {group}")
        version = f"{group}/v1" if group else "v1"
        return JSONResponse({"groupVersion": version, "resources": found})

    async def every(self, request: Request) -> Response:
        plural = self._plural(request)
        query = dict(request.query_params)
        if request.method == "POST":
            self._allow(request, "create", plural)
            try:
                created = self._store.create(plural, await request.json())
            except ConflictError as error:
                raise HTTPException(HTTPStatus.CONFLICT, str(error)) from error
            reconcile(self._store)
            return JSONResponse(created, HTTPStatus.CREATED)
        if query.get("watch") == "true":
            self._allow(request, "watch", plural)
            return StreamingResponse(self._changes(plural, query), media_type="application/json")
        self._allow(request, "list", plural)
        kind = KINDS[plural]
        return JSONResponse(
            {
                "kind": f"{kind.kind}List",
                "apiVersion": kind.version,
                "metadata": {"resourceVersion": str(self._store.version)},
                "items": self._store.list(plural, query),
            }
        )

    async def one(self, request: Request) -> Response:
        plural, name, store = self._plural(request), request.path_params["name"], self._store
        part = "/status" if request.url.path.endswith(f"/{name}/status") else ""
        self._allow(request, request.method.lower(), plural + part)
        try:
            if request.method == "PATCH":
                form = _PATCHES.get(request.headers.get("content-type", ""))
                patch = await request.json()
                if form is None or not isinstance(patch, form):
                    raise HTTPException(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "no such patch")
                found = store.patch(plural, name, patch)
            elif request.method == "DELETE":
                # As a kubelet says that the containers have ended.
                ended = request.query_params.get("gracePeriodSeconds") == "0"
                found = store.remove(plural, name) if ended else store.delete(plural, name)
            else:
                return JSONResponse(store.get(plural, name))
        except KeyError as error:
            raise HTTPException(HTTPStatus.NOT_FOUND, f"no {plural} {name}") from error
        except ConflictError as error:
            raise HTTPException(HTTPStatus.UNPROCESSABLE_ENTITY, str(error)) from error
        reconcile(store)
        return JSONResponse(found)

    async def _changes(self, plural: str, query: Mapping[str, str]) -> AsyncIterator[str]:
        """The changes since a version, as they come; a client asks again when this ends."""
        seen = int(query.get("resourceVersion", self._store.version))
        clock = asyncio.get_running_loop()
        until_s = clock.time() + _WATCH_S
        while clock.time() < until_s:
            for change in [one for one in self._store.changes if one.version > seen]:
                seen = change.version
                if change.plural == plural and selected(change.object, query):
                    yield json.dumps({"type": change.type, "object": change.object}) + "\n"
            await asyncio.sleep(_LOOK_EVERY_S)

    def _plural(self, request: Request) -> str:
        plural: str = request.path_params["plural"]
        kind = KINDS.get(plural)
        if kind is None or kind.group != request.path_params.get("group", ""):
            raise HTTPException(HTTPStatus.NOT_FOUND, f"no resource {plural}")
        return plural

    def _user(self, request: Request) -> str:
        given = request.headers.get("authorization", "").encode()
        for name, user in self._users.items():
            if hmac.compare_digest(given, f"Bearer {user.token}".encode()):
                return name
        raise HTTPException(HTTPStatus.UNAUTHORIZED, "no valid token")

    def _allow(self, request: Request, verb: str, plural: str) -> None:
        name = self._user(request)
        if not self._users[name].may(verb, plural):
            raise HTTPException(HTTPStatus.FORBIDDEN, f"{name} may not {verb} {plural}")


async def _as_status(_: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    body: Document = {"kind": "Status", "apiVersion": "v1", "status": "Failure", "metadata": {}}
    body |= {"message": error.detail, "code": error.status_code}
    return JSONResponse(body, error.status_code)


def main() -> None:
    folder = Path(sys.argv[1])
    users = {
        path.stem: User(path.with_suffix(".token").read_text(), json.loads(path.read_text()))
        for path in folder.glob("*.json")
    }
    uvicorn.run(
        Api(Store((folder / "namespace").read_text()), users).application(),
        host="0.0.0.0",  # noqa: S104 - the network of the container, which has no way out
        port=PORT,
        ssl_certfile=str(folder / "tls.crt"),
        ssl_keyfile=str(folder / "tls.key"),
    )


if __name__ == "__main__":
    main()
