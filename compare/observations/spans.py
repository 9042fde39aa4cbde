"""How many tasks ran at the same time, from the spans of one batch.  Pure functions."""

import statistics
from collections.abc import Callable, Sequence

from compare.records.measurements import Span, TaskRun


def most_at_once(spans: Sequence[Span]) -> int:
    """The largest number of tasks that ran at the same time."""
    events = [(span.start_s, 1) for span in spans] + [(span.end_s, -1) for span in spans]
    running = most = 0
    for _, change in sorted(events):  # at the same moment an end (-1) comes before a start
        running += change
        most = max(most, running)
    return most


def fullest_s(spans: Sequence[Span]) -> float:
    """Seconds from submission until the largest number of tasks ran for the first time."""
    most = most_at_once(spans)
    starts = sorted(span.start_s for span in spans)
    return next(
        moment_s
        for moment_s in starts
        if sum(span.start_s <= moment_s < span.end_s for span in spans) == most
    )


def peak_concurrency(run: TaskRun) -> int | None:
    """``most_at_once`` of a batch; ``None`` without spans."""
    return None if run.spans is None else most_at_once(run.spans)


def ramp_s(run: TaskRun) -> float | None:
    """``fullest_s`` of a batch; ``None`` without spans."""
    return None if not run.spans else fullest_s(run.spans)


def median_s(run: TaskRun, seconds: Callable[[Span], float]) -> float | None:
    """Median of a duration over the tasks of a batch; ``None`` without spans."""
    return statistics.median(map(seconds, run.spans)) if run.spans else None
