"""Nodes of Ray's autoscaler that are processes of this host.  Only Ray's monitor imports this."""

from ray.autoscaler._private.fake_multi_node.node_provider import FakeMultiNodeProvider


class LocalNodes(FakeMultiNodeProvider):  # type: ignore[misc]  # Ray is not typed
    """Starts and ends nodes as Ray's own provider for one host does.

    The autoscaler takes Ray's own class only with an example file that the package does not
    contain; for a class of ours, it takes the configuration as it is.

    Nodes start one after the other.  Raylets of one host that start at the same time take the same
    names for their sockets, and end.
    """
