"""A job on one engine: its makespan in each block, and what this rests on."""

import math
import statistics
from dataclasses import replace

from compare.analysis.job_costs import JobCosts
from compare.analysis.makespans import Job, Makespan, is_measured, makespan
from compare.experiments.share_rows import slots
from compare.formatting import enumeration, plural, seconds
from compare.measure.adapters import capabilities
from compare.records.plan import workers_of
from engines.interface import Capability


def unmeasured(engine: str, found: JobCosts, job: Job) -> str | None:
    """Why the run cannot say what the job takes; ``None`` if it can."""
    if found.absence is not None:
        return f"its overhead has no number: {found.absence}"
    if job.cpus in found.refused:
        return f"it rejects {job.cpus:g} of a core: {found.refused[job.cpus]}"
    if Capability.PARALLEL in capabilities(engine):
        for direction in job.bytes_by_direction:
            if not any(direction in block.moved for block in found.blocks.values()):
                return f"the run did not measure bytes {direction}: add --experiments payload"
    return None


def makespans(engine: str, found: JobCosts, job: Job) -> dict[int, Makespan]:
    """The makespan with the costs of each block that has all that the job needs."""
    own = _on(engine, job)
    at_once = found.at_once.get(job.cpus) if own.workers == _workers(found) else None
    return {
        number: makespan(block, own, at_once or slots(own.workers, own.cpus))
        for number, block in found.blocks.items()
        if own.bytes_by_direction.keys() <= block.moved.keys()
    }


def overhead_share(engine: str, found: JobCosts, job: Job) -> float:
    """The share of the makespan that is not the tasks' own work: from 0 to 1."""
    own = _on(engine, job)
    at_once = max(slots(own.workers, own.cpus), 1)
    useful_s = math.ceil(own.tasks / at_once) * own.task_s
    values = [one.value_s for one in makespans(engine, found, job).values()]
    return max(1 - useful_s / statistics.fmean(values), 0.0)


def is_inside(engine: str, found: JobCosts, job: Job) -> bool:
    """Whether the job lies within what was measured."""
    own = _on(engine, job)
    inside = all(is_measured(block, own) for block in found.blocks.values())
    if own.cpus == 1.0:
        return inside
    return own.cpus in found.at_once and own.workers == _workers(found)


def basis(engine: str, found: JobCosts, job: Job, record: str) -> str:
    """The record that the number comes from, what was measured there, and what was not."""
    own, workers = _on(engine, job), _workers(found)
    longest_s = min(block.curve[-1][0] / block.slowdown for block in found.blocks.values())
    upon = f"on {plural(workers, 'worker')} in {plural(len(found.blocks), 'block')}"
    parts = [f"no-ops and tasks of up to {seconds(longest_s)} {upon}"]
    if own.bytes_by_direction:
        parts.append(f"bytes {enumeration(list(own.bytes_by_direction))}")
    if own.workers != workers:
        parts.append(
            f"not measured with {plural(own.workers, 'worker')}: extrapolated, interval widened"
        )
    elif own.cpus != 1.0 and own.cpus not in found.at_once:
        parts.append(f"not measured at {own.cpus:g} of a core: as many at once as fit")
    elif own.cpus == 1.0 and not is_inside(engine, found, job):
        parts.append("the job is beyond them: extrapolated, interval widened")
    return f"{record}: {'; '.join(parts)}" if record else "; ".join(parts)


def _on(engine: str, job: Job) -> Job:
    """The job as the engine runs it: one that runs a task at a time moves no bytes."""
    own = replace(job, workers=workers_of(engine, job.workers))
    if Capability.PARALLEL in capabilities(engine):
        return own
    return replace(own, workers=1, bytes_in=0, bytes_out=0)


def _workers(found: JobCosts) -> int:
    return next(iter(found.blocks.values())).workers
