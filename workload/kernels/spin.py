"""A fixed amount of work for one core.

The work is a number of iterations, not a time to be busy for: a task that watches the clock until
its time is up takes as long on a crowded core as on a free one, and would hide exactly the
slowdown that the overhead experiment looks for.
"""

import math
import statistics
import time

from workload.interface import Kernel, Task

_SAMPLE_S = 0.01
_SAMPLES = 15
_MOST_ROUNDS = 12
_AGREE = 1.03
_AS_FAST = 1.1
_PAUSE_S = 0.4


def load() -> Kernel:
    """A kernel that takes a number of iterations."""
    return spin


def task(case: str, iterations: int) -> Task:
    """A task of ``iterations`` iterations; see ``iteration_s``."""
    return Task("spin", (), case, iterations)


def spin(iterations: int) -> None:
    """Steps of a linear congruential generator, each of which needs the one before.

    Numbers stay below 2**31, so no step costs more than another, and nothing is allocated that
    lives on.
    """
    x = 1
    for _ in range(iterations):
        x = (x * 1103515245 + 12345) & 0x7FFFFFFF


def iteration_s(expected_s: float = math.inf) -> float:
    """Seconds that one iteration takes on a core of this machine with nothing else to do.

    The median of many short samples, since an interruption spoils only the sample that it falls
    into; and again, until two agree at the fastest seen: a core is slower by half for seconds when
    its other hardware thread, maybe of another virtual machine, has work.  A core that was once
    seen to take only ``expected_s`` is given some seconds to be about as fast again.
    """
    iterations = 1000
    while _spin_s(iterations) < _SAMPLE_S:
        iterations *= 2
    medians: list[float] = []
    for _ in range(_MOST_ROUNDS):
        medians.append(statistics.median(_spin_s(iterations) for _ in range(_SAMPLES)))
        fastest = sorted(medians)[:2]
        if len(fastest) > 1 and fastest[1] < _AGREE * fastest[0]:
            if fastest[0] / iterations < _AS_FAST * expected_s:
                break
            time.sleep(_PAUSE_S)
    return min(medians) / iterations


def _spin_s(iterations: int) -> float:
    started_s = time.perf_counter()
    spin(iterations)
    return time.perf_counter() - started_s
