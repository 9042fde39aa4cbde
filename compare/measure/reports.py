"""What the reports of the tasks of a batch say together."""

from collections.abc import Callable, Sequence
from typing import TypeAlias

from compare.records.measurements import Span
from workload.interface import TaskReport

Report: TypeAlias = tuple[int, TaskReport, float]
"""Index, report, and the time at which the driver received it."""


def too_few_bytes(reports: Sequence[TaskReport], wanted: int) -> list[str]:
    """A sentence for each task whose output has another size."""
    sizes = [len(report.output) for report in reports if report.output is not None]
    return [f"a task returned {size} bytes instead of {wanted}" for size in sizes if size != wanted]


def other_answers(reports: Sequence[TaskReport], wanted: str) -> list[str]:
    """A sentence for each task that returned something else; a task that raised has its own."""
    return [
        f"a task returned {report.output!r} instead of {wanted!r}"
        for report in reports
        if report.error is None and report.output != wanted
    ]


def worker_of(report: TaskReport) -> tuple[str, int]:
    """A worker is a process in some engines and a thread in others; a thread identifies both."""
    return report.worker, report.thread


def outputs_of(
    arrivals: Sequence[Report], as_text: Callable[[int, bytes], str] | None
) -> tuple[str, ...]:
    """The outputs of all tasks, in the order of the inputs; a failed task has none."""
    by_index = {i: report.output for i, report, _ in arrivals if report.output is not None}
    if as_text is not None:
        return tuple(as_text(index, by_index[index]) for index in sorted(by_index))
    return tuple(label for index in sorted(by_index) for label in by_index[index])


def largest(reports: Sequence[TaskReport]) -> int:
    """Bytes of the largest output; 0 without one."""
    return max((len(report.output) for report in reports if report.output is not None), default=0)


def spans_of(arrivals: Sequence[Report], submitted_s: float) -> tuple[Span, ...]:
    """When each task ran, in the order in which the results arrived."""
    workers = sorted({worker_of(report) for _, report, _ in arrivals})
    ordinal = {worker: n for n, worker in enumerate(workers)}
    return tuple(
        Span(
            index,
            ordinal[worker_of(report)],
            report.started_s - submitted_s,
            report.ended_s - submitted_s,
            received_s - submitted_s,
        )
        for index, report, received_s in arrivals
    )
