"""Nodes of a Ray cluster that are registered and answer, without a process behind each.

    python -m tools.registered_nodes --gcs 127.0.0.1:6379 --count 100

Registers each with Ray's control store (GCS) as a node of one core.  One server, on loopback,
answers for all of them: it serves, says the answer to a health check; the core is taken, says the
answer to the question for the node's load.  It answers nothing else, so no task can run there.
Prints a line when all are registered, and ends when its standard input does: with the program that
started it.
"""

import argparse
import asyncio
import itertools
import os
import secrets
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import grpc
from ray.core.generated.gcs_pb2 import GcsNodeInfo
from ray.core.generated.gcs_service_pb2 import RegisterNodeRequest
from ray.core.generated.gcs_service_pb2_grpc import NodeInfoGcsServiceStub
from ray.core.generated.node_manager_pb2 import GetResourceLoadReply

from engines._ray.elastic import WORKER_TYPE
from engines.cluster import LOOPBACK
from tools.beat_notes import REGISTERED, instance_name

_HEALTH = "/grpc.health.v1.Health/Check"
_LOAD = "/ray.rpc.NodeManagerService/GetResourceLoad"
_SERVING = b"\x08\x01"
"""``HealthCheckResponse(status=SERVING)``: the package with this message is not among Ray's."""
_AT_ONCE = 32
_BYTES = float(2**30)

_Handler = Callable[[bytes, object], Awaitable[bytes]]


class _Answers(grpc.GenericRpcHandler):  # type: ignore[misc]  # grpc is not typed
    """The answers of all nodes."""

    def __init__(self, loads: list[bytes]) -> None:
        # The nodes share an address, so nothing says which of them is asked.  The control store
        # goes by the name in the answer, and asks all of them in turn.
        self._loads = itertools.cycle(loads)
        self._handlers: dict[str, _Handler] = {_HEALTH: self._health, _LOAD: self._load}

    def service(self, handler_call_details: grpc.HandlerCallDetails) -> object | None:
        """The handler of a call; ``None`` for all that only a real node could answer."""
        handler = self._handlers.get(handler_call_details.method)
        return None if handler is None else grpc.unary_unary_rpc_method_handler(handler)

    async def _health(self, _request: bytes, _context: object) -> bytes:
        return _SERVING

    async def _load(self, _request: bytes, _context: object) -> bytes:
        return next(self._loads)


def _node(number: int, port: int) -> GcsNodeInfo:
    """A node with the resources and the label that a real one has."""
    node_id = secrets.token_bytes(28)
    return GcsNodeInfo(
        node_id=node_id,
        node_manager_address=LOOPBACK,
        node_manager_port=port,
        object_manager_port=port,
        node_manager_hostname=instance_name(number),
        node_name=instance_name(number),
        instance_id=instance_name(number),
        node_type_name=WORKER_TYPE,
        start_time_ms=round(time.time() * 1000),
        resources_total={
            "CPU": 1.0,
            "memory": _BYTES,
            "object_store_memory": _BYTES,
            f"node:{instance_name(number)}": 1.0,
        },
        labels={"ray.io/node-id": node_id.hex()},
    )


def _load_of(node: GcsNodeInfo) -> bytes:
    """The serialized answer that a task has taken the node's core."""
    reply = GetResourceLoadReply()
    resources = reply.resources
    resources.node_id = node.node_id
    resources.resources_total.update(node.resources_total)
    resources.resources_available.update(node.resources_total)
    resources.resources_available["CPU"] = 0.0
    resources.labels.update(node.labels)
    load: bytes = reply.SerializeToString()
    return load


async def register(gcs: str, count: int, token: str) -> None:
    """Register the nodes, and answer for them until standard input ends."""
    server = grpc.aio.server()
    port = server.add_insecure_port(f"{LOOPBACK}:0")
    nodes = [_node(number, port) for number in range(count)]
    server.add_generic_rpc_handlers((_Answers(list(map(_load_of, nodes))),))
    await server.start()
    gate = asyncio.Semaphore(_AT_ONCE)
    async with grpc.aio.insecure_channel(gcs) as channel:
        stub = NodeInfoGcsServiceStub(channel)

        async def one(node: GcsNodeInfo) -> None:
            async with gate:
                request = RegisterNodeRequest(node_info=node)
                await stub.RegisterNode(request, metadata=(("authorization", f"Bearer {token}"),))

        started_s = time.monotonic()
        await asyncio.gather(*map(one, nodes))
    print(f"{REGISTERED} {count} nodes in {time.monotonic() - started_s:.3f} s", flush=True)  # noqa: T201
    await asyncio.to_thread(sys.stdin.read)
    await server.stop(None)


def main() -> None:
    """Parse the arguments and register."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--gcs", required=True, metavar="HOST:PORT")
    parser.add_argument("--count", type=int, required=True)
    arguments = parser.parse_args()
    token = Path(os.environ["RAY_AUTH_TOKEN_PATH"]).read_text().strip()
    asyncio.run(register(arguments.gcs, arguments.count, token))


if __name__ == "__main__":
    main()
