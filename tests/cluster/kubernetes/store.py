"""The objects of an emulated Kubernetes API: one namespace, in memory, with versions and a log."""

import secrets
import uuid
from collections.abc import Mapping
from copy import deepcopy
from typing import Any, NamedTuple, TypeAlias

Document: TypeAlias = dict[str, Any]

# Any time will do: clients read only that there is one.
_THEN = "1970-01-01T00:00:00Z"


class Kind(NamedTuple):
    """A kind of objects, as paths and discovery name it."""

    group: str
    """Empty for the core."""
    kind: str

    @property
    def version(self) -> str:
        """The API version of objects; every kind here is in ``v1`` of its group."""
        return f"{self.group}/v1" if self.group else "v1"


KINDS = {
    "pods": Kind("", "Pod"),
    "services": Kind("", "Service"),
    "events": Kind("", "Event"),
    "namespaces": Kind("", "Namespace"),
    "deployments": Kind("apps", "Deployment"),
    "rayclusters": Kind("ray.io", "RayCluster"),
    "daskclusters": Kind("kubernetes.dask.org", "DaskCluster"),
    "daskworkergroups": Kind("kubernetes.dask.org", "DaskWorkerGroup"),
    "daskautoscalers": Kind("kubernetes.dask.org", "DaskAutoscaler"),
    "daskjobs": Kind("kubernetes.dask.org", "DaskJob"),
}
"""By the plural name.  There is no object for the one namespace; operators look for the kind."""


class Change(NamedTuple):
    """What a watch tells: an object was added, modified or deleted."""

    version: int
    plural: str
    type: str
    object: Document


class ConflictError(Exception):
    """The request does not fit what is stored."""


class Store:
    """All objects.  Methods raise KeyError for an object that does not exist."""

    def __init__(self, namespace: str) -> None:
        self.namespace = namespace
        self.version = 0
        self.changes: list[Change] = []
        self._objects: dict[tuple[str, str], Document] = {}

    def create(self, plural: str, given: Document) -> Document:
        """Store a new object; it gets a namespace, an identity and the state of a new one.

        Raises:
            ConflictError: the name exists.
        """
        new = deepcopy(given)
        metadata = new["metadata"]
        metadata.setdefault("name", f"{metadata.get('generateName', '')}{secrets.token_hex(3)}")
        if (plural, metadata["name"]) in self._objects:
            raise ConflictError(f"{plural} {metadata['name']} exists")
        metadata |= {"namespace": self.namespace, "uid": str(uuid.uuid4())}
        metadata |= {"creationTimestamp": _THEN, "generation": 1}
        new |= {"apiVersion": KINDS[plural].version, "kind": KINDS[plural].kind}
        if plural == "pods":
            new["status"] = {"phase": "Pending"}
        if plural == "services":
            new["status"] = {"loadBalancer": {}}
        self._objects[plural, metadata["name"]] = new
        self._changed("ADDED", plural, new)
        return new

    def get(self, plural: str, name: str) -> Document:
        return self._objects[plural, name]

    def list(self, plural: str, query: Mapping[str, str] | None = None) -> list[Document]:
        """The objects that the selectors of the query find."""
        return [
            one
            for (kind, _), one in self._objects.items()
            if kind == plural and selected(one, query or {})
        ]

    def patch(self, plural: str, name: str, patch: object) -> Document:
        """Apply a JSON patch, which is a list, or a merge patch; all of it or nothing.

        Raises:
            ConflictError: it does not fit.
        """
        before = self._objects[plural, name]
        after = json_patched(before, patch) if isinstance(patch, list) else merged(before, patch)
        if after != before:
            if after.get("spec") != before.get("spec"):
                after["metadata"]["generation"] += 1
            self._objects[plural, name] = after
            self._changed("MODIFIED", plural, after)
            self._end(plural, after)
        return after

    def delete(self, plural: str, name: str) -> Document:
        """Mark the object; it ends now, or when nobody holds it any more.

        A pod is held by the kubelet that runs it.
        """
        one = self._objects[plural, name]
        if "deletionTimestamp" not in one["metadata"]:
            one["metadata"]["deletionTimestamp"] = _THEN
            self._changed("MODIFIED", plural, one)
        if plural != "pods":
            self._end(plural, one)
        return one

    def remove(self, plural: str, name: str) -> Document:
        """Forget the object, and delete what it owns."""
        gone = self._objects.pop((plural, name))
        self._changed("DELETED", plural, gone)
        for kind, other in list(self._objects):
            if owned(self._objects[kind, other], gone):
                self.delete(kind, other)
        return gone

    def _end(self, plural: str, one: Document) -> None:
        metadata = one["metadata"]
        held = plural == "pods" or metadata.get("finalizers")
        if "deletionTimestamp" in metadata and not held:
            self.remove(plural, metadata["name"])

    def _changed(self, what: str, plural: str, one: Document) -> None:
        self.version += 1
        one["metadata"]["resourceVersion"] = str(self.version)
        self.changes.append(Change(self.version, plural, what, deepcopy(one)))


def owned(one: Document, by: Document) -> bool:
    """Whether the second object owns the first."""
    owners = one["metadata"].get("ownerReferences", ())
    return any(owner["uid"] == by["metadata"]["uid"] for owner in owners)


def selected(one: Document, query: Mapping[str, str]) -> bool:
    """Whether the label selector and the field selector, which know only ``=``, find the object."""
    labels = one["metadata"].get("labels", {})
    for text in filter(None, query.get("labelSelector", "").split(",")):
        label, _, value = text.replace("==", "=").partition("=")
        if labels.get(label) != value:
            return False
    for text in filter(None, query.get("fieldSelector", "").split(",")):
        path, _, value = text.replace("==", "=").partition("=")
        part: Any = one
        for name in path.split("."):
            part = part.get(name, {})
        if part != value:
            return False
    return True


def merged(before: Document, patch: Any) -> Document:  # noqa: ANN401 - any JSON
    """A copy with a merge patch applied: ``null`` removes."""
    after = deepcopy(before)
    for name, value in patch.items():
        if value is None:
            after.pop(name, None)
        elif isinstance(value, dict):
            old = after.get(name)
            after[name] = merged(old if isinstance(old, dict) else {}, value)
        else:
            after[name] = value
    return after


def json_patched(before: Document, patch: list[Document]) -> Document:
    """A copy with a JSON patch applied: all of it, or an error.

    As in the API server, ``replace`` also sets a last name that is not there yet.

    Raises:
        ConflictError: a path does not exist, or a test fails.
    """
    after = deepcopy(before)
    for change in patch:
        path = change["path"].removeprefix("/").split("/")
        *above, last = (name.replace("~1", "/").replace("~0", "~") for name in path)
        part: Any = after
        try:
            for name in above:
                part = part[_key(part, name)]
            _apply(part, _key(part, last), change)
        except (KeyError, IndexError, ValueError, TypeError) as error:
            raise ConflictError(f"cannot {change['op']} {change['path']}") from error
    return after


def _key(part: object, name: str) -> str | int:
    if not isinstance(part, list):
        return name
    return len(part) if name == "-" else int(name)


def _apply(part: Any, key: str | int, change: Document) -> None:  # noqa: ANN401 - any JSON
    match change["op"]:
        case "add" if isinstance(part, list):
            part.insert(int(key), change["value"])
        case "add" | "replace":
            part[key] = change["value"]
        case "remove":
            del part[key]
        case "test" if part[key] == change["value"]:
            pass
        case _:
            raise ValueError(change["op"])
