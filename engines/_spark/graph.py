"""The graph of a user's tasks, as Spark's stages need it."""

from typing import Any

from engines.interface import Graph


def readers(graph: Graph[Any]) -> list[list[list[int]]]:
    """For each task of each layer, the positions in the next layer that need its output."""
    found: list[list[list[int]]] = [[[] for _ in layer] for layer in graph]
    for layer, following in enumerate(graph[1:]):
        for reader, node in enumerate(following):
            for place in set(node.needs):
                found[layer][place].append(reader)
    return found
