"""Predicts the makespan of a job from the costs of one block.  Pure functions.

With the workers that were measured, the makespan is interpolated on the efficiency curve, and below
its shortest tasks towards that of empty tasks.  Elsewhere nothing says which part of a cost is paid
where, so there are several models, and the truth is expected between the shortest and the longest.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from compare.analysis.job_costs import BlockCosts
from compare.experiments.payload import IN, OUT


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """Equal tasks, all submitted at once."""

    task_s: float
    """Seconds of one task alone on an idle core."""
    tasks: int
    workers: int
    bytes_in: int = 0
    """Bytes that go into each task, different for each."""
    bytes_out: int = 0
    cpus: float = 1.0
    """Cores that a task asks for.  A task with less than one waits most of its time."""

    @property
    def bytes_by_direction(self) -> dict[str, int]:
        """The directions in which bytes move, with their number."""
        moved = {IN: self.bytes_in, OUT: self.bytes_out}
        return {direction: size for direction, size in moved.items() if size}


@dataclass(frozen=True, slots=True, kw_only=True)
class Makespan:
    """Seconds by the shortest and the longest model, and between them; equal if one model holds."""

    low_s: float
    value_s: float
    high_s: float


def makespan(block: BlockCosts, job: Job, at_once: int) -> Makespan:
    """The makespan of the job with the costs of one block.

    ``at_once`` is the number of tasks that can run at the same time.
    """
    if job.cpus != 1.0:
        bare = _waiting(block, job, at_once)
    elif job.workers == block.workers:
        bare = _measured(block, job)
    else:
        bare = _extrapolated(block, job)
    moved_s = job.tasks * sum(
        _added_s(block, direction, size) for direction, size in job.bytes_by_direction.items()
    )
    # Bytes may move while other tasks work, if a core is left for it.
    overlapped_s = max(bare.low_s, _empty_s(block, job.tasks) + moved_s)
    return _between(overlapped_s, bare.value_s + moved_s, bare.high_s + moved_s)


def is_measured(block: BlockCosts, job: Job) -> bool:
    """Whether the job lies within the task lengths, the bytes and the workers of the block."""
    return (
        job.workers == block.workers
        and job.task_s * block.slowdown <= block.curve[-1][0]
        and all(
            size <= max((moved.size_bytes for moved in block.moved.get(direction, ())), default=0)
            for direction, size in job.bytes_by_direction.items()
        )
    )


def _measured(block: BlockCosts, job: Job) -> Makespan:
    work_s = job.task_s * block.slowdown
    waves = job.tasks / job.workers
    idle_s = (math.ceil(waves) - waves) * work_s
    """Workers without a task in the last wave."""
    shortest_s = block.curve[0][0]

    def total_s(granularity_s: float) -> float:
        return block.fixed_s + waves * granularity_s + idle_s

    if work_s >= shortest_s:
        return _each(_granularity(block, work_s), total_s)
    # Between empty tasks and the shortest of the sweep.
    share = work_s / shortest_s
    between_s = _empty_s(block, job.tasks) * (1 - share) + share * total_s(block.curve[0][1])
    return Makespan(low_s=between_s, value_s=between_s, high_s=between_s)


def _extrapolated(block: BlockCosts, job: Job) -> Makespan:
    """With another number of workers: costs paid in each worker, by a dispatcher that works at the
    same time, or by one that takes the workers' time.
    """
    work_s = job.task_s * (block.slowdown if job.workers > 1 else block.slowdown_alone)
    waves, fixed_s = job.tasks / job.workers, block.fixed_s
    useful_s = math.ceil(waves) * work_s
    granularity = _granularity(block, work_s)
    added_s = max(granularity.value_s - work_s, 0.0)
    in_workers_s = fixed_s + waves * added_s + useful_s
    in_turn_s = fixed_s + job.tasks * added_s / block.workers + useful_s
    meanwhile_s = fixed_s + max(job.tasks * block.per_task_s, useful_s)
    # What tasks that are long still pay cannot be hidden behind them.
    shown = _share_paid_by_long_tasks(block)
    value_s = math.exp(
        (1 - shown) * math.log(meanwhile_s)
        + shown * (math.log(in_workers_s) + math.log(in_turn_s)) / 2
    )
    models = (in_workers_s, in_turn_s, meanwhile_s)
    return _between(min(models), value_s, max(models))


def _waiting(block: BlockCosts, job: Job, at_once: int) -> Makespan:
    """Tasks that wait and leave the cores to the engine, which starts some while others wait."""
    empty_s = _empty_s(block, job.tasks)
    waits_s = math.ceil(job.tasks / at_once) * job.task_s
    low_s, high_s = max(empty_s, block.no_ops[0][1] + waits_s), empty_s + waits_s
    return Makespan(low_s=low_s, value_s=math.sqrt(low_s * high_s), high_s=high_s)


def _empty_s(block: BlockCosts, tasks: int) -> float:
    """The makespan of so many empty tasks: interpolated, and a line beyond the largest batch."""
    sizes = [size for size, _ in block.no_ops]
    makespans_s = [makespan_s for _, makespan_s in block.no_ops]
    beyond = max(tasks - sizes[-1], 0)
    return float(np.interp(tasks, sizes, makespans_s)) + beyond * block.per_task_s


def _granularity(block: BlockCosts, work_s: float) -> Makespan:
    """Seconds of a worker for one task with so much work.

    Beyond the longest measured task, its overhead stays the same or grows with the work.
    """
    works_s = (0.0, *(work for work, _ in block.curve))
    granularities_s = (block.per_task_s * block.workers, *(whole for _, whole in block.curve))
    longest_s, whole_s = block.curve[-1]
    if work_s <= longest_s:
        same_s = float(np.interp(work_s, works_s, granularities_s))
        return Makespan(low_s=same_s, value_s=same_s, high_s=same_s)
    constant_s = work_s + max(whole_s - longest_s, 0.0)
    growing_s = work_s * max(whole_s / longest_s, 1.0)
    return Makespan(low_s=constant_s, value_s=math.sqrt(constant_s * growing_s), high_s=growing_s)


def _share_paid_by_long_tasks(block: BlockCosts) -> float:
    longest_s, whole_s = block.curve[-1]
    at_zero_s = block.per_task_s * block.workers
    return min(max(whole_s - longest_s, 0.0) / at_zero_s, 1.0) if at_zero_s else 1.0


def _added_s(block: BlockCosts, direction: str, size: int) -> float:
    """What so many bytes add to a task; beyond the largest size in proportion."""
    sizes = [moved.size_bytes for moved in block.moved[direction]]
    added_s = [moved.added_s for moved in block.moved[direction]]
    return float(np.interp(size, sizes, added_s)) * max(size / sizes[-1], 1.0)


def _each(of: Makespan, change: Callable[[float], float]) -> Makespan:
    return Makespan(low_s=change(of.low_s), value_s=change(of.value_s), high_s=change(of.high_s))


def _between(low_s: float, value_s: float, high_s: float) -> Makespan:
    return Makespan(low_s=min(low_s, value_s), value_s=value_s, high_s=max(high_s, value_s))
