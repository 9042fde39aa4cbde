"""What tasks cost each engine, block by block: the measurements from which ``advice`` predicts."""

import math
import statistics
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from compare.experiments.fractional import Fractional
from compare.experiments.overhead import costs, line, sweep_cases
from compare.experiments.payload import Payload
from compare.experiments.share_rows import CPUS, WARM
from compare.observations.absence import Absence, Why
from compare.observations.compound import Costs
from compare.observations.fits import STRAIGHT
from compare.observations.metg import Swept, fitted
from compare.observations.reader import Observations, absent, cases_of, engines, valid
from compare.observations.series import absence_verdict
from compare.observations.spans import peak_concurrency
from compare.records.plan import SERIAL, is_contender, workers_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Moved:
    """Seconds that bytes add to a task, at one size and in one direction."""

    size_bytes: int
    added_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class BlockCosts:
    """The costs of one engine in one block."""

    workers: int
    """Number of one-core tasks that ran at once."""
    no_ops: tuple[tuple[int, float], ...]
    """Numbers of empty tasks, ascending, each with its median makespan in seconds."""
    per_task_s: float
    """Seconds that one more empty task adds to a large batch."""
    fixed_s: float
    """Of any batch of tasks with work."""
    curve: tuple[tuple[float, float], ...]
    """Work of a task on a busy core in seconds, ascending, each with its granularity in seconds:
    makespan × workers / tasks, without the fixed cost of a batch."""
    slowdown: float
    """How much longer work takes in this block, with all workers busy, than on an idle core in the
    median of the run."""
    slowdown_alone: float
    """The same, with one worker."""
    moved: Mapping[str, tuple[Moved, ...]]
    """By direction, in order of size."""
    scatter: tuple[float, ...]
    """Logarithm of each batch over its fit."""


@dataclass(frozen=True, slots=True, kw_only=True)
class JobCosts:
    """The costs of one engine in each block in which no-ops and a sweep are valid."""

    blocks: Mapping[int, BlockCosts]
    at_once: Mapping[float, int]
    """By share of a core, how many waiting tasks ran at once."""
    refused: Mapping[float, str]
    """By share of a core that the engine rejects, its words."""
    absence: str | None
    """Why there is no block; ``None`` if there is one."""


def job_costs(observations: Observations) -> dict[str, JobCosts]:
    """The costs of every engine that a reader may choose."""
    names = [engine for engine in engines(observations.plan) if is_contender(engine)]
    sweeps = {
        engine: valid(observations.sweep(engine, case))
        for engine in names
        for case in sweep_cases(observations.plan, engine)
    }
    idle_s = [swept.idle_s for of_engine in sweeps.values() for swept in of_engine.values()]
    # One sweep measures an idle core twice, which is not enough on a machine whose speed changes
    # from second to second.
    usual_s = statistics.median(idle_s) if idle_s else 1.0
    alone = {block: swept.busy_s / usual_s for block, swept in sweeps.get(SERIAL, {}).items()}
    found = {}
    for engine in names:
        costs_of = _of_engine(observations, engine, usual_s, alone)
        found[engine] = _with_shares(costs_of, observations, engine)
    return found


def _of_engine(
    observations: Observations, engine: str, usual_s: float, alone: Mapping[int, float]
) -> JobCosts:
    """``usual_s`` is an iteration on an idle core, ``alone`` how much longer it takes in each block
    on the only core that is busy.
    """
    empty, absences = costs(observations, engine), dict[int, Absence]()
    blocks: dict[int, BlockCosts] = {}
    moved = _moved(observations, engine)
    workers = workers_of(engine, observations.plan.workers)
    for planned in sweep_cases(observations.plan, engine):
        for number, swept in observations.sweep(engine, planned).items():
            of_block = empty.get(number)
            if isinstance(swept, Absence):
                absences[number] = swept
            elif isinstance(of_block, Absence):
                absences[number] = of_block
            elif of_block is not None:
                slowdown = swept.busy_s / usual_s
                block = _block(of_block, swept, workers, (slowdown, alone.get(number, 1.0)))
                if block is None:
                    absences[number] = Absence(why=Why.NOT_GIVEN, reason="too few no-ops")
                else:
                    blocks[number] = _with_moved(block, moved.get(number, {}))
    # An engine whose results are right in two of three blocks has no cost that anybody pays.
    broken = any(absence.why is Why.INVALID for absence in absences.values())
    verdict = absence_verdict(absences, measured=len(blocks))
    return JobCosts(
        blocks={} if broken else blocks,
        at_once={},
        refused={},
        absence=verdict or "it was not planned" if broken or not blocks else None,
    )


def _block(
    empty: Costs, swept: Swept, workers: int, slowdown: tuple[float, float]
) -> BlockCosts | None:
    of_size: dict[int, list[float]] = {}
    for run in empty.no_ops:
        of_size.setdefault(run.tasks, []).append(run.makespan_s)
    medians = {size: statistics.median(of_size[size]) for size in sorted(of_size)}
    if 1 not in medians or max(medians) < STRAIGHT:
        return None
    straight = line(empty)
    most = max(medians)
    per_task_s = (medians[most] - medians[1]) / (most - 1)
    if straight is not None and straight.per_task_s > 0:
        per_task_s = straight.per_task_s
    curve = fitted(swept.busy)
    works_s, granularities_s = zip(*((one.work_s, one.granularity_s) for one in curve), strict=True)
    scatter = [
        math.log(makespan_s / medians[size])
        for size, makespans_s in of_size.items()
        if size >= STRAIGHT
        for makespan_s in makespans_s
    ]
    scatter += [
        math.log(one.granularity_s / float(np.interp(one.work_s, works_s, granularities_s)))
        for one in swept.busy
    ]
    return BlockCosts(
        workers=workers,
        no_ops=tuple(medians.items()),
        per_task_s=max(per_task_s, 0.0),
        fixed_s=swept.fixed_s,
        curve=tuple(zip(works_s, granularities_s, strict=True)),
        slowdown=slowdown[0],
        slowdown_alone=slowdown[1],
        moved={},
        scatter=tuple(scatter),
    )


def _with_moved(block: BlockCosts, seconds: Mapping[str, Mapping[int, float]]) -> BlockCosts:
    """The block with what bytes add to a task, over the smallest size, which is almost empty."""
    moved = {
        direction: tuple(
            Moved(size_bytes=size, added_s=max(of_size[size] - of_size[min(of_size)], 0.0))
            for size in sorted(of_size)
        )
        for direction, of_size in seconds.items()
    }
    return replace(block, moved=moved)


def _moved(observations: Observations, engine: str) -> dict[int, dict[str, dict[int, float]]]:
    """By block, direction and size in bytes: median seconds of a task."""
    found: dict[int, dict[str, dict[int, float]]] = {}
    for planned in cases_of(observations.plan, engine, Payload.name):
        direction = str(planned.parameters["direction"])
        size = int(planned.parameters["bytes"])
        for block, runs in valid(observations.runs(engine, planned, Payload.parts)).items():
            seconds = statistics.median(run.makespan_s / run.tasks for run in runs.values())
            found.setdefault(block, {}).setdefault(direction, {})[size] = seconds
    return found


def _with_shares(found: JobCosts, observations: Observations, engine: str) -> JobCosts:
    """The costs with what the engine makes of each share of a core."""
    at_once, refused = dict[float, int](), dict[float, str]()
    for planned in cases_of(observations.plan, engine, Fractional.name):
        if CPUS not in planned.parameters:
            continue
        share = float(planned.parameters[CPUS])
        waves = observations.batch(engine, planned, phase=WARM)
        peaks = [peak for wave in valid(waves).values() if (peak := peak_concurrency(wave))]
        if peaks:
            at_once[share] = round(statistics.median(peaks))
        for absence in absent(waves).values():
            if absence.why is Why.REJECTED:
                refused[share] = absence.reason
    return replace(found, at_once=at_once, refused=refused)
