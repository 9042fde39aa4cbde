"""From how many tasks on an engine is done first: its start, and the makespan of the tasks."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import pairwise

from compare.analysis.engine_jobs import makespans
from compare.analysis.intervals import geometric_mean
from compare.analysis.job_costs import JobCosts
from compare.analysis.makespans import Job
from compare.analysis.session_rows import FIRST_RESULT, OPEN
from compare.analysis.session_rows import NAME as STARTUP
from compare.experiments import overhead
from compare.experiments.done_first import (
    ANY,
    FROM,
    LENGTHS_S,
    MARGIN,
    MOST_TASKS,
    NEVER,
    ON_HOSTS,
    WORK_S,
)
from compare.measure.adapters import capabilities
from compare.observations.series import Row, Series, budget_case
from compare.records.plan import Plan, Scalar
from engines.errors import EngineError
from engines.interface import Capability

_STEPS_PER_DECADE, _HALVINGS = 4, 12
_STEP = 10 ** (1 / _STEPS_PER_DECADE)
_NUMBERS = [_STEP**n for n in range(round(math.log10(MOST_TASKS) * _STEPS_PER_DECADE) + 1)]
"""Of tasks."""
_NO_START = "not given: its start has no number"


class _Jobs:
    """Jobs of equal tasks of one length, on engines with measured costs."""

    def __init__(
        self,
        costs: Mapping[str, JobCosts],
        starts_s: Mapping[str, Mapping[int, float]],
        task_s: float,
        workers: int,
    ) -> None:
        self._costs = {
            (engine, block): replace(of, blocks={block: of_block})
            for engine, of in costs.items()
            for block, of_block in of.blocks.items()
            if block in starts_s.get(engine, {})
        }
        self._starts_s = starts_s
        self._task_s = task_s
        self._workers = workers
        self._known: dict[tuple[str, int, float], float] = {}

    def blocks(self, engine: str) -> list[int]:
        """Those in which both the start of the engine and the costs of tasks are known."""
        return [block for name, block in self._costs if name == engine]

    def seconds(self, engine: str, block: int, tasks: float) -> float:
        """From the start of the engine to the last result, with the costs of one block."""
        key = engine, block, tasks
        if key not in self._known:
            job = Job(task_s=self._task_s, tasks=round(tasks), workers=self._workers)
            (found,) = makespans(engine, self._costs[engine, block], job).values()
            self._known[key] = self._starts_s[engine][block] + found.value_s
        return self._known[key]

    def order(self, engines: Sequence[str]) -> list[str]:
        """The engines that are done first, from few tasks to many."""
        found: list[str] = []
        for tasks in _NUMBERS:
            at = {engine: self._mean(engine, tasks) for engine in engines}
            best = min(at, key=lambda engine: at[engine])
            if not found or at[found[-1]] > (1 + MARGIN) * at[best]:
                found.append(best)
        return found

    def boundary(self, engine: str, other: str) -> list[float]:
        """The number of tasks at which ``other`` takes over, in each block in which it does."""
        common = set(self.blocks(engine)) & set(self.blocks(other))
        turns = (self._turn(engine, other, block) for block in sorted(common))
        return [turn for turn in turns if turn is not None]

    def _mean(self, engine: str, tasks: float) -> float:
        return geometric_mean(
            [self.seconds(engine, block, tasks) for block in self.blocks(engine)]
        ).value

    def _turn(self, engine: str, other: str, block: int) -> float | None:
        def late(tasks: float) -> bool:
            theirs_s = self.seconds(other, block, tasks)
            return self.seconds(engine, block, tasks) > (1 + MARGIN) * theirs_s

        after = next((tasks for tasks in _NUMBERS if late(tasks)), None)
        if after is None or after == 1:
            return after
        before = after / _STEP
        for _ in range(_HALVINGS):
            middle = math.sqrt(before * after)
            before, after = (before, middle) if late(middle) else (middle, after)
        return float(math.ceil(after))


def done_first_rows(
    costs: Mapping[str, JobCosts], series: Sequence[Series], plan: Plan
) -> Iterator[Row]:
    """A row for each engine and length of the tasks, among all engines and on several hosts."""
    if overhead.NAME not in plan.experiments:
        return
    starts_s = _starts_s(series)
    unknown = {engine: reason for engine in costs if (reason := _unknown(engine)) is not None}
    all_jobs = {task_s: _Jobs(costs, starts_s, task_s, plan.workers) for task_s in LENGTHS_S}
    spanning = [
        engine
        for engine in costs
        if engine not in unknown and Capability.SPANS_HOSTS in capabilities(engine)
    ]
    for name, engines in ((ANY, [*costs]), (ON_HOSTS, spanning)):
        for task_s, jobs in all_jobs.items():
            able = [one for one in engines if jobs.blocks(one) and one not in unknown]
            found = _from_tasks(jobs, able)
            case = {**budget_case(plan), WORK_S: task_s}
            for engine in engines:
                why_not = costs[engine].absence or unknown.get(engine)
                why_not = why_not or (NEVER if engine in able else _NO_START)
                values, blocks = found.get(engine, ((), 0))
                yield _row(name, engine, case, values, blocks, why_not)


def _from_tasks(jobs: _Jobs, engines: Sequence[str]) -> dict[str, tuple[Sequence[float], int]]:
    """By engine that is done first with some number of tasks: in each block, the smallest; and the
    number of blocks in which there could be one.
    """
    if not engines:
        return {}
    order = jobs.order(engines)
    first = len(jobs.blocks(order[0]))
    found: dict[str, tuple[Sequence[float], int]] = {order[0]: ([1.0] * first, first)}
    for before, engine in pairwise(order):
        common = set(jobs.blocks(before)) & set(jobs.blocks(engine))
        found.setdefault(engine, (jobs.boundary(before, engine), len(common)))
    return found


def _row(  # noqa: PLR0913, PLR0917 - what a row consists of
    name: str,
    engine: str,
    case: Mapping[str, Scalar],
    values: Sequence[float],
    blocks: int,
    why_not: str,
) -> Row:
    """``why_not``: the verdict if there is no value; ``blocks``: in which there could be one."""
    estimate = geometric_mean(values) if values else None
    low, high = (None, None) if estimate is None else (estimate.low, estimate.high)
    # Where an engine does not take over in every block, the interval would be that of some; and
    # where the number is the same in all of them, there is nothing between its bounds.
    if len(set(values)) == 1 or len(values) < blocks:
        low = high = None
    return Row(
        experiment=name,
        engine=engine,
        metric=FROM.name,
        unit=FROM.unit,
        value=None if estimate is None else estimate.value,
        low=low,
        high=high,
        n=len(values),
        values=tuple(values),
        case=case,
        verdict=why_not if estimate is None else None,
    )


def _starts_s(series: Sequence[Series]) -> dict[str, dict[int, float]]:
    """By engine and block: seconds from the start until the first result is back."""
    values = {
        (item.engine, item.quantity.name): item.values
        for item in series
        if item.experiment == STARTUP
    }
    return {
        engine: {
            block: open_s + values[engine, FIRST_RESULT][block]
            for block, open_s in of_engine.items()
            if block in values[engine, FIRST_RESULT]
        }
        for (engine, name), of_engine in values.items()
        if name == OPEN and (engine, FIRST_RESULT) in values
    }


def _unknown(engine: str) -> str | None:
    """Why nothing is known of the engine itself: its package may not be installed here."""
    try:
        capabilities(engine)
    except EngineError as error:
        return str(error)
    return None
