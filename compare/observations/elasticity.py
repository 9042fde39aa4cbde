"""How well the supply of workers followed the demand.  Pure functions of one watch.

The measures are those of the SPEC Research Group's "Ready for Rain?" and of BUNGEE: accuracy,
timeshare, jitter.  Demand and supply are numbers of workers that hold from a time on.
"""

from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import TypeAlias

from compare.observations.reader import Observations, cases_of, engines, valid
from compare.records.measurements import ElasticityRun, WorkerLife

NEVER = "never"
"""The idle time of workers that exist from the start to the end."""

Levels: TypeAlias = Sequence[tuple[float, int]]
"""Times in order, and the number of workers from each on; none before the first."""


def demand(run: ElasticityRun) -> Levels:
    """Workers with something to do: tasks submitted and not ended, but at most those allowed."""
    changes = [(at_s, tasks) for at_s, tasks in run.submitted]
    changes += [(at_s, -1) for at_s in run.completed_s]
    return [(at_s, min(tasks, run.most)) for at_s, tasks in _levels(changes)]


def supply(run: ElasticityRun) -> Levels:
    """Workers from their first task until their process was gone."""
    changes = [(life.first_task_s, 1) for life in run.workers]
    changes += [(life.gone_s, -1) for life in run.workers if life.gone_s is not None]
    return _levels(changes)


def _levels(changes: Iterable[tuple[float, int]]) -> list[tuple[float, int]]:
    levels: dict[float, int] = {}
    level = 0
    for at_s, change in sorted(changes):
        level += change
        levels[at_s] = level
    return list(levels.items())


def accuracy(asked: Levels, given: Levels, until_s: float) -> tuple[float, float]:
    """Mean number of workers missing, and of workers too many, from 0 to the end."""
    pieces = _differences(asked, given, until_s)
    under = sum(seconds * max(-more, 0) for seconds, more in pieces)
    over = sum(seconds * max(more, 0) for seconds, more in pieces)
    return under / until_s, over / until_s


def timeshare(asked: Levels, given: Levels, until_s: float) -> tuple[float, float]:
    """Share of the time with workers missing, and with workers too many."""
    pieces = _differences(asked, given, until_s)
    under = sum(seconds for seconds, more in pieces if more < 0)
    over = sum(seconds for seconds, more in pieces if more > 0)
    return under / until_s, over / until_s


def jitter_per_min(asked: Levels, given: Levels, until_s: float) -> float:
    """Changes of the supply minus changes of the demand, in workers, per minute."""
    return (_changes(given) - _changes(asked)) / (until_s / 60)


def _changes(levels: Levels) -> int:
    return sum(abs(after - before) for before, after in pairwise([0, *(n for _, n in levels)]))


def _differences(asked: Levels, given: Levels, until_s: float) -> list[tuple[float, int]]:
    """Seconds of each piece of time, and how many more workers there were than asked for."""
    at = sorted({0.0, until_s, *(s for s, _ in (*asked, *given) if 0 < s < until_s)})
    return [
        (to_s - from_s, _at(given, from_s) - _at(asked, from_s)) for from_s, to_s in pairwise(at)
    ]


def _at(levels: Levels, time_s: float) -> int:
    return next((workers for at_s, workers in reversed(levels) if at_s <= time_s), 0)


def worker_time_s(run: ElasticityRun) -> float:
    """Seconds that processes of workers existed, added up over all workers."""
    return sum((life.gone_s or run.watched_s) - life.created_s for life in run.workers)


def fixed_worker_time_s(run: ElasticityRun) -> float | None:
    """The same for workers that exist all the time: from the first submission to the last result.

    ``None`` if there was no last result.
    """
    return run.most * run.ended_s if run.verdict == "finished" else None


def most_workers(run: ElasticityRun) -> float:
    """The largest number of workers that existed at the same time after their first tasks."""
    return float(max((workers for _, workers in supply(run)), default=0))


def ran_twice(run: ElasticityRun) -> float:
    """Tasks that workers started more than once: their work was lost with a worker that ended."""
    return float(sum(times > 1 for times in run.starts))


def release_s(run: ElasticityRun) -> float | None:
    """Seconds from the end of the last task until no worker was left; ``None`` if one was."""
    gone = [life.gone_s for life in run.workers if life.gone_s is not None]
    if len(gone) < len(run.workers) or not run.completed_s:
        return None
    return max(0.0, max(gone) - run.completed_s[-1])


def full_supply_s(run: ElasticityRun) -> float | None:
    """Seconds from the first submission until as many workers as allowed had run a task.

    ``None`` if that never happened while the first tasks ran.
    """
    until_s = run.submitted[1].at_s if len(run.submitted) > 1 else run.ended_s
    full = [at_s for at_s, workers in supply(run) if workers >= run.most and at_s <= until_s]
    return full[0] - run.submitted[0].at_s if full else None


def first_new(run: ElasticityRun, step: int) -> WorkerLife | None:
    """The worker that was the first to start after a rise of the demand and to run a task.

    The rises are numbered from 0.  ``None`` if no worker started after it, before the next one.
    """
    rises = [one.at_s for one in run.submitted if one.tasks > 1]
    if step >= len(rises):
        return None
    until_s = rises[step + 1] if step + 1 < len(rises) else run.watched_s
    new = [life for life in run.workers if rises[step] <= life.created_s < until_s]
    return min(new, key=lambda life: life.first_task_s, default=None)


def decision_s(run: ElasticityRun, step: int) -> float | None:
    """Seconds from a rise of the demand until the process of the first new worker was started."""
    life = first_new(run, step)
    return None if life is None else life.created_s - _rise_s(run, step)


def process_start_s(run: ElasticityRun, step: int) -> float | None:
    """Seconds from the start of this process until its first task."""
    life = first_new(run, step)
    return None if life is None else life.first_task_s - life.created_s


def reaction_s(run: ElasticityRun, step: int) -> float | None:
    """Seconds from a rise of the demand until a new worker ran a task: the sum of both."""
    life = first_new(run, step)
    return None if life is None else life.first_task_s - _rise_s(run, step)


def first_watches(observations: Observations, experiment: str) -> dict[str, ElasticityRun]:
    """The watch of the first block, for each engine whose workers followed a demand of long tasks.

    Empty if that is not planned.
    """
    plan = observations.plan
    found: dict[str, ElasticityRun] = {}
    for engine in engines(plan):
        for case in cases_of(plan, engine, experiment):
            if case.parameters.get("idle_s") == NEVER or "long_s" not in case.parameters:
                continue
            watches = valid(observations.last(engine, case, ElasticityRun))
            if watches:
                found.setdefault(engine, watches[min(watches)])
    return found


def _rise_s(run: ElasticityRun, step: int) -> float:
    return [one.at_s for one in run.submitted if one.tasks > 1][step]
