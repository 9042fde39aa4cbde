"""Runs empty tasks until an engine has become as fast as it gets."""

from collections.abc import Callable, Iterator

from compare.records.measurements import TaskRun

AGREE = 0.10
"""Change of the cost of a task from one batch to one of twice as many tasks."""
FIRST_TASKS = 50
_MOST_TASKS = 20_000
_SHORTEST_S = 0.02
"""Batches that are shorter agree, or do not, by chance."""


def warm_up(batch: Callable[[int], TaskRun], limit_s: float) -> Iterator[TaskRun]:
    """Yield batches, each of twice as many tasks, until two agree on the cost of a task.

    A JVM compiles what it has run often enough, so that a task may cost a quarter of what the first
    ones cost.  Doubling finds that out: while the engine still gets faster, twice as many tasks are
    much cheaper each.  The same rule holds for every engine.  A batch that would take more than the
    rest of ``limit_s`` is not run: ``settled`` then tells whether the last two agreed.
    """
    count, left_s = FIRST_TASKS, limit_s
    runs: list[TaskRun] = []
    while len(runs) < 2 or not (  # noqa: PLR2004 - two batches can agree
        (runs[-2].makespan_s > _SHORTEST_S and settled(runs))
        or count > _MOST_TASKS
        or 2 * runs[-1].makespan_s > left_s
    ):
        run = batch(count)
        yield run
        runs.append(run)
        left_s -= run.makespan_s
        count *= 2


def settled(runs: "list[TaskRun]") -> bool:
    """Whether the last two batches agree on the cost of a task."""
    before_s, last_s = (run.makespan_s / run.tasks for run in runs[-2:])
    return abs(last_s / before_s - 1) <= AGREE
