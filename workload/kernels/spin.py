"""A fixed amount of work for one core.

The work is a number of iterations, not a duration: a task that runs until a given time has passed
takes as long on an overloaded core as on a free one, and would hide exactly the slowdown that the
overhead experiment looks for.
"""

import math
import statistics
import time

from workload.interface import Kernel, Task

_SAMPLE_S = 0.01
_SAMPLES = 9
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
    """Run steps of a linear congruential generator; each step needs the previous one.

    Numbers stay below 2**31, so all steps cost the same, and no allocated object stays alive.
    """
    x = 1
    for _ in range(iterations):
        x = (x * 1103515245 + 12345) & 0x7FFFFFFF


def iteration_s(expected_s: float = math.inf) -> float:
    """Seconds that one iteration takes on an idle core of this machine.

    Each measurement is the median of many short samples, because an interruption affects only one
    sample.  Measurements are repeated until the two fastest agree: a core is slower by half for
    seconds while its other hardware thread, possibly of another virtual machine, is busy.  If a
    core once took only ``expected_s``, it gets some seconds to become about as fast again.
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
