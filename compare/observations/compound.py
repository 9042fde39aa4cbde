"""What several records of a session say together."""

from dataclasses import dataclass

from compare.records.measurements import FaultRun, TaskRun


@dataclass(frozen=True, slots=True, kw_only=True)
class Costs:
    """Batches of no-ops and round trips of one case in one block."""

    pilots: tuple[TaskRun, ...]
    """Batches before the engine was warm, in order."""
    no_ops: tuple[TaskRun, ...]
    round_trips_s: tuple[float, ...]

    @property
    def largest(self) -> TaskRun | None:
        """The batch with the most tasks; ``None`` without batches."""
        return max(self.no_ops, key=lambda run: run.tasks, default=None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """The same batch twice in one session: undisturbed, then with a fault."""

    twin: TaskRun
    faulty: FaultRun
