"""A fixed amount of work that needs the results of other tasks, and checks that it has them.

These are patterns of Task Bench (Slaughter et al., SC20, https://arxiv.org/abs/1908.05790): each
task returns its name and knows the names that it needs, so results that an engine mixes up are
detected.
"""

from collections.abc import Sequence

from workload.interface import Kernel, Task
from workload.kernels.spin import spin

Layers = Sequence[Sequence[tuple[Task, tuple[int, ...]]]]
"""Tasks, each with the positions of the tasks that it needs in the previous layer."""


def load() -> Kernel:
    """A kernel that returns its own name.

    It takes ``(own name, names needed, iterations)`` and the outputs of the tasks that it needs.
    """
    return _work


def _work(payload: tuple[int, tuple[int, ...], int], needed: tuple[int, ...]) -> int:
    name, expected, iterations = payload
    if needed != expected:
        raise ValueError(f"task {name} needs the results of {expected}, but received {needed}")
    spin(iterations)
    return name


def stencil(case: str, width: int, steps: int, iterations: int) -> Layers:
    """In each step, a task needs the previous step's task at its position and both neighbours."""
    near = [tuple(place for place in (x - 1, x, x + 1) if 0 <= place < width) for x in range(width)]
    needs = [[()] * width] + [near] * (steps - 1)
    return _layers(case, needs, iterations)


def tree(case: str, leaves: int, iterations: int) -> Layers:
    """Each task reduces a pair to one result, down to one task; ``leaves`` is a power of two."""
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
