"""Reads plans of the previous format, so that reports of earlier runs can be written again."""

from collections.abc import Mapping
from typing import Any

_MOVED = ("preset", "threads_per_worker", "config", "seed", "native_trace", "link_rate")
"""Fields of a plan of schema 2 that are options since schema 3, under the same name."""


def from_schema_2(plan: Mapping[str, Any]) -> dict[str, Any]:
    """Convert the JSON content of a plan from schema 2 to schema 3."""
    content = dict(plan)
    options = {name: content.pop(name) for name in _MOVED if name in content}
    workload = content["workload"] or {}
    controls = [name for name in content["engines"] if name.endswith("-control")]
    composed, shipped = content.pop("composed", False), content.pop("shipped", False)
    addresses = [f"{name}={address}" for name, address in content.get("clusters", {}).items()]
    options |= {
        "engines": ",".join(name for name in content["engines"] if name not in controls),
        "experiments": ",".join(content["experiments"]),
        "blocks": content["blocks"],
        "workers": content["workers"],
        "control": controls[0].removesuffix("-control") if controls else None,
        "on": "compose" if composed else ",".join(addresses) or None,
        "ship": "bytes" if shipped else "paths",
    }
    if workload:
        options |= {
            "model": workload["model"],
            "dtype": workload["dtype"],
            "chunk": workload["chunk"],
            "n_images": len(workload["images"]),
        }
    return content | {"options": options, "schema": 3}
