"""Ray's node provider for nodes that are only registered.  Only Ray's monitor imports this."""

from pathlib import Path
from typing import Any

from ray.autoscaler.node_provider import NodeProvider
from ray.autoscaler.tags import (
    NODE_KIND_HEAD,
    NODE_KIND_WORKER,
    STATUS_UP_TO_DATE,
    TAG_RAY_NODE_KIND,
    TAG_RAY_NODE_NAME,
    TAG_RAY_NODE_STATUS,
    TAG_RAY_USER_NODE_TYPE,
)

from compare.measure import clock
from engines._ray.elastic import HEAD_ID, HEAD_TYPE, WORKER_TYPE
from tools.beat_notes import ASKED, LOOKED, instance_name, note


class RegisteredNodes(NodeProvider):  # type: ignore[misc]  # Ray is not typed
    """Says that the registered nodes run, notes what the autoscaler wants, and starts nothing.

    A request fails as it does in a cloud that has no machine to give, so that the next request is
    a new decision and not the rest of the last one.
    """

    def __init__(self, provider_config: dict[str, Any], cluster_name: str) -> None:
        super().__init__(provider_config, cluster_name)
        self._notes = Path(provider_config["notes"])
        self._tags = {HEAD_ID: _tags(HEAD_ID, NODE_KIND_HEAD, HEAD_TYPE)}
        for number in range(provider_config["registered"]):
            name = instance_name(number)
            self._tags[name] = _tags(name, NODE_KIND_WORKER, WORKER_TYPE)

    def non_terminated_nodes(self, tag_filters: dict[str, str]) -> list[str]:
        """All nodes.  The autoscaler asks for them once an update, without a filter."""
        note(self._notes, LOOKED, 0, clock.now())
        wanted = tag_filters.items()
        return [name for name, tags in self._tags.items() if wanted <= tags.items()]

    def is_running(self, node_id: str) -> bool:
        """Whether the node is one of those that were there from the start."""
        return node_id in self._tags

    def is_terminated(self, node_id: str) -> bool:
        """Whether it is not."""
        return node_id not in self._tags

    def node_tags(self, node_id: str) -> dict[str, str]:
        """The kind and the type of a node."""
        return self._tags[node_id]

    def create_node_with_resources_and_labels(
        self,
        node_config: dict[str, Any],  # noqa: ARG002 - Ray gives it
        tags: dict[str, str],  # noqa: ARG002
        count: int,
        resources: dict[str, float],  # noqa: ARG002
        labels: dict[str, str],  # noqa: ARG002
    ) -> None:
        """Note that so many nodes are wanted.

        Raises:
            RuntimeError: always.
        """
        note(self._notes, ASKED, count, clock.now())
        raise RuntimeError("this provider has no node to give")

    def terminate_node(self, node_id: str) -> None:
        """Forget the node.  The autoscaler has no reason to call this: no node is ever idle."""
        self._tags.pop(node_id, None)

    @staticmethod
    def bootstrap_config(cluster_config: dict[str, Any]) -> dict[str, Any]:
        """The configuration as it is."""
        return cluster_config


def _tags(name: str, kind: str, node_type: str) -> dict[str, str]:
    return {
        TAG_RAY_NODE_NAME: name,
        TAG_RAY_NODE_KIND: kind,
        TAG_RAY_USER_NODE_TYPE: node_type,
        TAG_RAY_NODE_STATUS: STATUS_UP_TO_DATE,
    }
