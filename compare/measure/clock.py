"""The clock.  These functions measure every duration that is reported.

``batch`` measures batches of tasks; ``timed`` measures engine start and stop, first result,
warm-up, round trips and the start of a cluster.  For every engine, the clock starts before the call
and stops when the result is in the driver.
"""

import time
from collections.abc import Callable, Iterator
from typing import NamedTuple, TypeAlias, TypeVar

from workload.interface import PackedReport

_T = TypeVar("_T")

now = time.monotonic
_SAMPLED = 64
"""The harness times its own work once per this many results."""


Arrival: TypeAlias = tuple[int, PackedReport, float]
"""Index of the task's input, its report, and ``now()`` when the driver received it.  A plain tuple,
because creating any other object would cost the harness more than a no-op."""


class Batch(NamedTuple):
    """The times of one batch."""

    submitted_s: float
    """``now()`` before the first task was submitted."""
    arrivals: list[Arrival]
    """In the order of their arrival: the last one ends the makespan."""
    harness_s: list[float]
    """Durations of our own work on a result, sampled."""


class _Timed:
    """What is timed now; of several at once, the one that began last."""

    since_s: float | None = None


def timed_for_s() -> float:
    """How long it has taken so far, whatever is timed now; 0 if nothing is."""
    since_s = _Timed.since_s
    return 0.0 if since_s is None else now() - since_s


def batch(submit: Callable[[], Iterator[tuple[int, PackedReport]]]) -> Batch:
    """Submit the tasks of a batch and take every result.  The only timed loop."""
    arrivals: list[Arrival] = []
    harness_s: list[float] = []
    submitted_s = _Timed.since_s = now()
    for index, report in submit():
        received_s = now()
        arrivals.append((index, report, received_s))
        if not index % _SAMPLED:
            harness_s.append(now() - received_s)
    _Timed.since_s = None
    return Batch(submitted_s, arrivals, harness_s)


def timed(action: Callable[[], _T]) -> tuple[_T, float]:
    """The result of the call, and the seconds it took."""
    started_s = _Timed.since_s = now()
    result = action()
    took_s = now() - started_s
    _Timed.since_s = None
    return result, took_s
