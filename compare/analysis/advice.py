"""Which engine to take for a job: the predicted makespans, and what would change the answer."""

import math
from collections.abc import Iterator, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace

from compare.analysis.analysis import Analysis
from compare.analysis.engine_jobs import (
    basis,
    is_inside,
    makespans,
    overhead_share,
    unmeasured,
)
from compare.analysis.intervals import Estimate, geometric_mean
from compare.analysis.job_costs import JobCosts
from compare.analysis.makespans import Job
from compare.analysis.predictions import Prediction, between_blocks, prediction
from compare.analysis.session_rows import NAME as STARTUP
from compare.analysis.session_rows import OPEN
from compare.measure.adapters import capabilities, lacking
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
    start_s: Mapping[str, float]
    """By engine: seconds until it takes tasks, which no prediction contains."""
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
        start_s={
            row.engine: row.value
            for row in analysis.rows
            if (row.experiment, row.metric) == (STARTUP, OPEN) and isinstance(row.value, float)
        },
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
        reason = reason or unmeasured(engine, of_engine, job)
        if reason is not None:
            yield engine, reason


def _predictions(
    able: Mapping[str, JobCosts], job: Job, record: str = ""
) -> tuple[Prediction, ...]:
    blocks = {engine: makespans(engine, of_engine, job) for engine, of_engine in able.items()}
    shared = between_blocks(list(blocks.values()))
    found = [
        prediction(
            engine,
            blocks[engine],
            [one for block in of_engine.blocks.values() for one in block.scatter],
            shared,
            overhead_share=overhead_share(engine, of_engine, job),
            measured=is_inside(engine, of_engine, job),
            basis=basis(engine, of_engine, job, record),
        )
        for engine, of_engine in able.items()
    ]
    return tuple(sorted(found, key=lambda one: one.makespan_s))


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
        logs = [math.log(one.value_s) for one in makespans(engine, of_engine, job).values()]
        found[engine] = math.exp(sum(logs) / len(logs))
    return found
