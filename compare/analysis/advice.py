"""Which engine to take for a job: the predicted makespans, and what would change the answer."""

import math
from collections.abc import Iterator, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace

from compare.analysis.analysis import Analysis
from compare.analysis.intervals import Estimate, geometric_mean
from compare.analysis.job_costs import JobCosts
from compare.analysis.makespans import Job, Makespan, is_measured, makespan
from compare.analysis.predictions import Prediction, between_blocks, prediction
from compare.experiments.share_rows import slots
from compare.formatting import enumeration, plural, seconds
from compare.measure.adapters import capabilities, lacking
from compare.records.plan import workers_of
from engines.errors import EngineError
from engines.interface import Capability

ALIKE = 0.05
"""Engines whose makespans differ by less are taken to be equally good."""
_SHORTEST_S, _LONGEST_S, _STEPS_PER_DECADE = 1e-6, 1e3, 8
"""Task lengths among which another answer is sought."""
_HALVINGS = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """A task length from which on another engine would be better than the advised one."""

    task_s: float
    engine: str
    longer: bool
    """The tasks would have to be longer than ``task_s``; otherwise shorter."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Advice:
    """The answer for one job."""

    job: Job
    predictions: tuple[Prediction, ...]
    """The shortest first."""
    left_out: Mapping[str, str]
    """Engines without a prediction, each with the reason."""
    regret: Estimate | None
    """Makespan of the second over that of the first, paired within blocks; ``None`` if there is
    no second."""
    turns: tuple[Turn, ...]
    """At most one with shorter tasks and one with longer ones."""
    alike_from_s: float | None
    """Task length from which on all parallel engines differ by less than ``ALIKE``; ``None`` if
    that is not known."""


def advise(
    analysis: Analysis, job: Job, needs: AbstractSet[Capability] = frozenset(), record: str = ""
) -> Advice:
    """Predict the makespan of the job on each engine that can run it.

    ``record`` names the run in the basis of each prediction.
    """
    left_out = dict(_left_out(analysis.job_costs, job, needs))
    able = {name: of for name, of in analysis.job_costs.items() if name not in left_out}
    predictions = _predictions(able, job, record)
    return Advice(
        job=job,
        predictions=predictions,
        left_out=left_out,
        regret=_regret(predictions),
        turns=tuple(_turns(able, job, predictions[0].engine)) if predictions else (),
        alike_from_s=_alike_from_s(able, job),
    )


def _left_out(
    found: Mapping[str, JobCosts], job: Job, needs: AbstractSet[Capability]
) -> Iterator[tuple[str, str]]:
    needed = frozenset(needs) | ({Capability.FRACTIONAL_CPUS} if job.cpus != 1.0 else set())
    for engine, of_engine in found.items():
        try:
            reason = lacking(engine, capabilities(engine), needed)
        except EngineError as error:
            reason = str(error)
        reason = reason or _unmeasured(engine, of_engine, job)
        if reason is not None:
            yield engine, reason


def _unmeasured(engine: str, found: JobCosts, job: Job) -> str | None:
    if found.absence is not None:
        return f"its overhead has no number: {found.absence}"
    if job.cpus in found.refused:
        return f"it rejects {job.cpus:g} of a core: {found.refused[job.cpus]}"
    if Capability.PARALLEL in capabilities(engine):
        for direction in job.bytes_by_direction:
            if not any(direction in block.moved for block in found.blocks.values()):
                return f"the run did not measure bytes {direction}: add --experiments payload"
    return None


def _predictions(
    able: Mapping[str, JobCosts], job: Job, record: str = ""
) -> tuple[Prediction, ...]:
    blocks = {engine: _makespans(engine, of_engine, job) for engine, of_engine in able.items()}
    shared = between_blocks(list(blocks.values()))
    found = [
        prediction(
            engine,
            blocks[engine],
            [one for block in of_engine.blocks.values() for one in block.scatter],
            shared,
            measured=_is_measured(engine, of_engine, job),
            basis=_basis(engine, of_engine, job, record),
        )
        for engine, of_engine in able.items()
    ]
    return tuple(sorted(found, key=lambda one: one.makespan_s))


def _makespans(engine: str, found: JobCosts, job: Job) -> dict[int, Makespan]:
    own = _on(engine, job)
    at_once = found.at_once.get(job.cpus) if own.workers == _workers(found) else None
    return {
        number: makespan(block, own, at_once or slots(own.workers, own.cpus))
        for number, block in found.blocks.items()
        if own.bytes_by_direction.keys() <= block.moved.keys()
    }


def _on(engine: str, job: Job) -> Job:
    """The job as the engine runs it: one that runs a task at a time moves no bytes."""
    own = replace(job, workers=workers_of(engine, job.workers))
    if Capability.PARALLEL in capabilities(engine):
        return own
    return replace(own, workers=1, bytes_in=0, bytes_out=0)


def _workers(found: JobCosts) -> int:
    return next(iter(found.blocks.values())).workers


def _is_measured(engine: str, found: JobCosts, job: Job) -> bool:
    own = _on(engine, job)
    inside = all(is_measured(block, own) for block in found.blocks.values())
    if own.cpus == 1.0:
        return inside
    return own.cpus in found.at_once and own.workers == _workers(found)


def _basis(engine: str, found: JobCosts, job: Job, record: str) -> str:
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
    elif own.cpus == 1.0 and not _is_measured(engine, found, job):
        parts.append("the job is beyond them: extrapolated, interval widened")
    return f"{record}: {'; '.join(parts)}" if record else "; ".join(parts)


def _regret(predictions: tuple[Prediction, ...]) -> Estimate | None:
    if len(predictions) < 2:  # noqa: PLR2004 - there is no second
        return None
    best, second = (one.by_block for one in predictions[:2])
    ratios = [second[block] / best[block] for block in best if block in second]
    return geometric_mean(ratios) if ratios else None


def _turns(able: Mapping[str, JobCosts], job: Job, advised: str) -> Iterator[Turn]:
    """Yield the nearest task lengths at which keeping the advice would cost more than ``ALIKE``."""
    for longer in (False, True):
        # A job of longer or shorter tasks than these is at the end already.
        end_s = max(job.task_s, _LONGEST_S) if longer else min(job.task_s, _SHORTEST_S)
        before_s = job.task_s
        for task_s in _steps(job.task_s, end_s):
            if _better(able, job, advised, task_s) is not None:
                turn_s = _crossing(able, job, advised, before_s, task_s)
                engine = _better(able, job, advised, turn_s) or advised
                yield Turn(task_s=turn_s, engine=engine, longer=longer)
                break
            before_s = task_s


def _steps(begin_s: float, end_s: float) -> Iterator[float]:
    """Task lengths after the first, evenly spaced on a logarithmic axis."""
    count = math.ceil(abs(math.log10(end_s / begin_s)) * _STEPS_PER_DECADE)
    for step in range(1, count + 1):
        yield begin_s * (end_s / begin_s) ** (step / count)


def _crossing(
    able: Mapping[str, JobCosts], job: Job, advised: str, keep_s: float, change_s: float
) -> float:
    for _ in range(_HALVINGS):
        middle_s = math.sqrt(keep_s * change_s)
        if _better(able, job, advised, middle_s) is None:
            keep_s = middle_s
        else:
            change_s = middle_s
    return change_s


def _better(able: Mapping[str, JobCosts], job: Job, advised: str, task_s: float) -> str | None:
    """The engine that is better with tasks of this length; ``None`` if the advised one is fine."""
    at = _values(able, replace(job, task_s=task_s))
    best = min(at, key=lambda engine: at[engine])
    return best if at[advised] > (1 + ALIKE) * at[best] else None


def _alike_from_s(able: Mapping[str, JobCosts], job: Job) -> float | None:
    parallel = {
        engine: of_engine
        for engine, of_engine in able.items()
        if Capability.PARALLEL in capabilities(engine)
    }
    if len(parallel) < 2:  # noqa: PLR2004 - nothing to be like
        return None
    alike_s = None
    for task_s in (_LONGEST_S, *_steps(_LONGEST_S, _SHORTEST_S)):
        at = _values(parallel, replace(job, task_s=task_s)).values()
        if max(at) >= (1 + ALIKE) * min(at):
            break
        alike_s = task_s
    return alike_s


def _values(able: Mapping[str, JobCosts], job: Job) -> dict[str, float]:
    found = {}
    for engine, of_engine in able.items():
        logs = [math.log(one.value_s) for one in _makespans(engine, of_engine, job).values()]
        found[engine] = math.exp(sum(logs) / len(logs))
    return found
