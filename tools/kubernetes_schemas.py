"""Writes the schemas against which the manifests in deploy/kubernetes are validated.

    python -m tools.kubernetes_schemas OUT SOURCE...

A SOURCE is a file with a CustomResourceDefinition, or ``_definitions.json`` of Kubernetes from the
package kubernetes-validate.  A schema of a cluster lets unknown fields pass, because the server
removes them; here they are errors, since a misspelt field does nothing.  tests/deploy/schemas has
the results, and its README the sources.
"""

import gzip
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TypeAlias

import yaml

Schema: TypeAlias = dict[str, Any]

KINDS = {
    "v1/Namespace": "io.k8s.api.core.v1.Namespace",
    "v1/PersistentVolumeClaim": "io.k8s.api.core.v1.PersistentVolumeClaim",
    "v1/Service": "io.k8s.api.core.v1.Service",
    "batch/v1/Job": "io.k8s.api.batch.v1.Job",
    "networking.k8s.io/v1/NetworkPolicy": "io.k8s.api.networking.v1.NetworkPolicy",
    "PodSpec": "io.k8s.api.core.v1.PodSpec",
    "ObjectMeta": "io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta",
}
"""The kinds of Kubernetes' own objects that the manifests have, and two of their parts."""
_KEPT = (
    *("type", "enum", "pattern", "minimum", "maximum", "minLength", "maxLength", "minItems"),
    *("maxItems", "minProperties", "maxProperties", "required", "anyOf", "oneOf", "allOf", "not"),
    *("properties", "items", "additionalProperties", "$ref"),
)
_REFERENCE = "#/$defs/"
_ANYTHING = "x-kubernetes-preserve-unknown-fields"


def strict(schema: Schema) -> Schema:
    """The part of an OpenAPI schema that JSON Schema knows, with unknown fields forbidden."""
    kept: Schema = {}
    for word in _KEPT:
        if word in schema:
            kept[word] = _converted(word, schema[word])
    if schema.get("x-kubernetes-int-or-string") or schema.get("format") == "int-or-string":
        kept.pop("type", None)
        kept["anyOf"] = [{"type": "integer"}, {"type": "string"}]
    if "properties" in kept and not schema.get(_ANYTHING):
        kept.setdefault("additionalProperties", False)
    if schema.get("nullable") and isinstance(kept.get("type"), str):
        kept["type"] = [kept["type"], "null"]
    return kept


def _converted(word: str, value: Any) -> Any:  # noqa: ANN401 - any JSON value
    if word == "properties":
        return {name: strict(one) for name, one in value.items()}
    if word in ("anyOf", "oneOf", "allOf"):
        return [strict(one) for one in value]
    if word in ("items", "additionalProperties", "not") and isinstance(value, dict):
        return strict(value)
    return value


def of_definition(definition: Schema) -> dict[str, Schema]:
    """The schema of each version that a CustomResourceDefinition serves, without its status."""
    spec = definition["spec"]
    found = {}
    for version in spec["versions"]:
        if version["served"] and not version.get("deprecated"):
            schema = strict(version["schema"]["openAPIV3Schema"])
            schema["properties"].pop("status", None)
            # Definitions leave these three to the server.
            schema["properties"] |= {"apiVersion": {"type": "string"}, "kind": {"type": "string"}}
            schema["properties"]["metadata"] = {"type": "object"}
            schema["required"] = sorted({*schema.get("required", ()), "metadata", "spec"})
            found[f"{spec['group']}/{version['name']}/{spec['names']['kind']}"] = schema
    return found


def of_kubernetes(definitions: dict[str, Schema]) -> dict[str, Schema]:
    """The schemas of Kubernetes' own kinds, with all that they refer to."""
    needed: dict[str, Schema] = {}
    waiting = list(KINDS.values())
    while waiting:
        name = waiting.pop()
        if name not in needed:
            needed[name] = strict(definitions[name])
            waiting += _references(needed[name])
    kinds: dict[str, Schema] = {
        kind: {"$ref": f"{_REFERENCE}{name}"} for kind, name in KINDS.items()
    }
    return kinds | {"$defs": needed}


def _references(value: Any) -> Iterator[str]:  # noqa: ANN401 - any JSON value
    if isinstance(value, dict):
        reference = value.get("$ref")
        if isinstance(reference, str):
            yield reference.removeprefix(_REFERENCE)
        for one in value.values():
            yield from _references(one)
    elif isinstance(value, list):
        for one in value:
            yield from _references(one)


def write(path: Path, schemas: dict[str, Schema]) -> None:
    """Write compressed JSON that depends on nothing but the schemas."""
    text = json.dumps(schemas, sort_keys=True, separators=(",", ":"))
    path.write_bytes(gzip.compress(text.encode(), mtime=0))


def main() -> None:
    """Write one file for Kubernetes, and one for each kind of an operator."""
    out, *sources = map(Path, sys.argv[1:])
    for source in sources:
        if source.suffix == ".json":
            read = json.loads(source.read_text())
            write(out / "kubernetes.json.gz", of_kubernetes(read["$defs"]))
            continue
        definition = yaml.safe_load(source.read_text())
        kind = definition["spec"]["names"]["singular"]
        write(out / f"{kind}.json.gz", of_definition(definition))


if __name__ == "__main__":
    main()
