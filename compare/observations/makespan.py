"""Splits a makespan into its parts.  Pure functions."""

from dataclasses import dataclass

from compare.records.measurements import TaskRun


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """The parts of a makespan in seconds per worker; they add up to the makespan."""

    submit_s: float
    """Until the first task started: all workers are idle."""
    kernel_s: float
    """Inside the tasks."""
    gaps_s: float
    """Idle between the first and the last task start."""
    tail_s: float
    """Idle after the last task started: no task is left."""
    return_s: float
    """From the end of the last task until its result was in the driver."""

    def total_s(self) -> float:
        """The sum of the parts: the makespan, or the difference of two makespans."""
        return self.submit_s + self.kernel_s + self.gaps_s + self.tail_s + self.return_s

    def minus(self, other: "Parts") -> "Parts":
        """The difference, part by part."""
        return Parts(
            submit_s=self.submit_s - other.submit_s,
            kernel_s=self.kernel_s - other.kernel_s,
            gaps_s=self.gaps_s - other.gaps_s,
            tail_s=self.tail_s - other.tail_s,
            return_s=self.return_s - other.return_s,
        )

    def by_size(self) -> tuple[tuple[str, float], ...]:
        """Descriptions and seconds, largest first."""
        named = {
            "before the first task": self.submit_s,
            "in slower kernels": self.kernel_s,
            "idle between tasks": self.gaps_s,
            "idle at the end, with no task left": self.tail_s,
            "until the last result was back": self.return_s,
        }
        return tuple(sorted(named.items(), key=lambda part: -part[1]))


def parts(run: TaskRun, workers: int) -> Parts | None:
    """The parts of the makespan of a batch; ``None`` without spans.

    They are computed from the number of tasks that ran at each moment, not from the workers that
    ran them: an engine may give tasks to more threads than it has workers, one after the other.
    """
    if not run.spans:
        return None
    first_start_s = min(span.start_s for span in run.spans)
    last_start_s = max(span.start_s for span in run.spans)
    last_end_s = max(span.end_s for span in run.spans)
    busy_s = sum(span.end_s - span.start_s for span in run.spans)
    early_s = sum(min(span.end_s, last_start_s) - span.start_s for span in run.spans)
    return Parts(
        submit_s=first_start_s,
        kernel_s=busy_s / workers,
        # Below a nanosecond there are only rounding errors: zero may come out as 1e-16.
        gaps_s=round(last_start_s - first_start_s - early_s / workers, 9),
        tail_s=round(last_end_s - last_start_s - (busy_s - early_s) / workers, 9),
        return_s=run.makespan_s - last_end_s,
    )
