"""A fixed amount of work that needs the results of other tasks, and makes sure that it has them.

The patterns of Task Bench (Slaughter et al., SC20, https://arxiv.org/abs/1908.05790): each task
says who it is and knows whom it needs, so an engine that mixes up results is found out.
"""

from collections.abc import Sequence

from workload.interface import Kernel, Task
from workload.kernels.spin import spin

Layers = Sequence[Sequence[tuple[Task, tuple[int, ...]]]]
"""Tasks, and the places of those that each needs in the layer before."""


def load() -> Kernel:
    """A kernel that takes ``(own name, names needed, iterations)`` and the outputs of the tasks
    that it needs, and returns its own name.
    """
    return _work


def _work(payload: tuple[int, tuple[int, ...], int], needed: tuple[int, ...]) -> int:
    name, expected, iterations = payload
    if needed != expected:
        raise ValueError(f"task {name} needs the results of {expected} and was given {needed}")
    spin(iterations)
    return name


def stencil(case: str, width: int, steps: int, iterations: int) -> Layers:
    """In each step a task needs itself and its two neighbours of the step before."""
    near = [tuple(place for place in (x - 1, x, x + 1) if 0 <= place < width) for x in range(width)]
    needs = [[()] * width] + [near] * (steps - 1)
    return _layers(case, needs, iterations)


def tree(case: str, leaves: int, iterations: int) -> Layers:
    """Pairs are reduced to one until one is left; ``leaves`` is a power of two."""
    needs: list[list[tuple[int, ...]]] = [[()] * leaves]
    while len(needs[-1]) > 1:
        needs.append([(2 * x, 2 * x + 1) for x in range(len(needs[-1]) // 2)])
    return _layers(case, needs, iterations)


def _layers(case: str, needs: Sequence[Sequence[tuple[int, ...]]], iterations: int) -> Layers:
    layers = []
    first = 0
    before = 0
    for layer in needs:
        layers.append(
            [
                (
                    Task(
                        "pattern",
                        (),
                        case,
                        (first + x, tuple(before + place for place in places), iterations),
                    ),
                    places,
                )
                for x, places in enumerate(layer)
            ]
        )
        before, first = first, first + len(layer)
    return layers
