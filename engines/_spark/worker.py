"""Code that runs in Spark's Python workers."""

import gc
import sys
from collections.abc import Callable, Iterable, Iterator
from typing import Any, TypeAlias

from engines.environment import Framework
from engines.interface import Input, Output

DRIVER = -1
"""The driver as a reader: it reads every output."""

Sent: TypeAlias = tuple[int, tuple[int, Output]]
"""An output in a graph: (reader's position in the next layer, (position in this one, output))."""


def call(function: Callable[[Input], Output], task: tuple[int, Input]) -> tuple[int, Output]:
    """Run one task."""
    index, value = task
    return index, function(value)


_modules_frozen: set[int] = set()


def call_and_freeze(
    function: Callable[[Input], Output], task: tuple[int, Input]
) -> tuple[int, Output]:
    """Like ``call``, but exclude imported objects from garbage collection after each task."""
    result = call(function, task)
    _freeze()
    return result


def _freeze() -> None:
    # Freeze only after imports, not after each task: frozen garbage is never collected.
    if len(sys.modules) not in _modules_frozen:
        _modules_frozen.add(len(sys.modules))
        gc.freeze()


def run_node(
    plan: Framework, layer: int, place: int, received: Iterable[Sent[Any]]
) -> Iterator[Sent[Any]]:
    """Run the task at a position in a layer on the received outputs, and send its output on."""
    function, graph, readers, freezes = plan.value
    outputs = {source: output for reader, (source, output) in received if reader == place}
    node = graph[layer][place]
    output = function(node.value, tuple(outputs[source] for source in node.needs))
    if freezes:
        _freeze()
    yield DRIVER, (sum(map(len, graph[:layer])) + place, output)
    for reader in readers[layer][place]:
        yield reader, (place, output)


def partition(reader: int) -> int:
    """The partition of a reader: each reader has its own, and the driver uses the first."""
    return max(reader, 0)


def for_driver(sent: Iterable[Sent[Any]]) -> list[tuple[int, Any]]:
    """The outputs in a partition with their numbers, each once."""
    return [result for reader, result in sent if reader == DRIVER]
