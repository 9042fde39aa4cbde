"""What a reader must know before quoting a number.  Decided here once, printed everywhere."""

from collections import defaultdict
from collections.abc import Iterator

from compare.caution_kinds import (
    AboveCeiling,
    BelowCeiling,
    BentLine,
    CaseFailed,
    Caution,
    EngineMissing,
    FewSamples,
    FewTasks,
    GateBroken,
    HarnessShare,
    ImagesSkipped,
    LeftoverProcesses,
    OneBlock,
    PartialRun,
    RandomWeights,
    ShortRun,
    SpareWorkers,
    UnequalAllocator,
    UnequalNiceness,
)
from compare.experiments.overhead import is_sweep
from compare.intervals import samples_needed
from compare.losses import parts
from compare.machine_cautions import lifecycles, machine_cautions
from compare.metrics import PERCENTILES, line
from compare.observations import (
    Observations,
    Observed,
    Why,
    absent,
    engines,
    planned_cases,
    valid,
)
from compare.records import CEILING, SERIAL, Failure, Lifecycle, Row, Run, TaskRun
from compare.studies import telling
from engines.interface import Config

_GOOD_EFFICIENCY = 0.9
_ENOUGH_CHUNKS = 16
"""With fewer, the last wave alone can cost a tenth."""
_FEW_TASKS_PER_WORKER = 4
_IMPOSSIBLE_EFFICIENCY = 1.1
"""As in Task Bench (https://arxiv.org/abs/1908.05790), where it invalidates a measurement."""
_SHORT_S = 1.0
_BENT = 0.2
_HARNESS = 0.05
"""Of the makespan."""
_ALLOCATOR = ("MALLOC_", "LD_PRELOAD")


def cautions(run: Run, rows: tuple[Row, ...]) -> tuple[Caution, ...]:
    """All that apply, the gravest first."""
    observations = Observations(run)
    return (
        *_incomplete(run, observations),
        *_failures(run),
        *_broken_gates(observations),
        *_workload(run),
        *machine_cautions(run, observations),
        *_unequal(run),
        *_spare_workers(observations),
        *_short(observations),
        *_above_ceiling(rows),
        *_below_ceiling(observations, rows),
        *_bent_lines(observations),
        *_few_samples(observations),
        *_harness(observations),
        *_leftovers(run),
    )


def _incomplete(run: Run, observations: Observations) -> Iterator[Caution]:
    planned = len(run.plan.sessions)
    left = len(observations.unfinished())
    if left:
        yield PartialRun(done=planned - left, planned=planned)
    if run.plan.blocks == 1:
        yield OneBlock()
    for engine, reason in run.plan.missing.items():
        yield EngineMissing(engine=engine, reason=reason)


def _failures(run: Run) -> Iterator[Caution]:
    for record in run.records:
        if isinstance(record, Failure):
            yield CaseFailed(
                engine=record.engine,
                block=record.block,
                experiment=None if record.case is None else record.case.experiment,
                reason=record.reason.splitlines()[0],
            )


def _broken_gates(observations: Observations) -> Iterator[Caution]:
    found: dict[tuple[str, str, str], list[int]] = defaultdict(list)
    for engine in engines(observations.plan):
        for experiment, observed in _gated(observations, engine):
            for block, absence in absent(observed).items():
                if absence.why is Why.INVALID:
                    found[engine, experiment, absence.reason].append(block)
    for (engine, experiment, reason), blocks in found.items():
        distinct = tuple(dict.fromkeys(blocks))
        yield GateBroken(engine=engine, experiment=experiment, blocks=distinct, reason=reason)


def _gated(observations: Observations, engine: str) -> Iterator[tuple[str, Observed[object]]]:
    for case in planned_cases(observations.plan, engine):
        told = [str(case.parameters[x]) for x in telling(case.experiment, case.parameters)]
        name = " ".join([case.experiment, *told])
        if is_sweep(case):
            yield f"{name} (sweep)", observations.sweep(engine, case)
        else:
            yield name, observations.runs(engine, case, ())


def _workload(run: Run) -> Iterator[Caution]:
    workload = run.plan.workload
    if workload is None:
        return
    if workload.random_weights:
        yield RandomWeights(model=workload.model)
    if workload.images_skipped:
        skipped = workload.images_skipped
        yield ImagesSkipped(count=len(skipped), first=skipped[0])
    tasks = -(-len(workload.images) // workload.chunk)
    if tasks < _FEW_TASKS_PER_WORKER * run.plan.workers:
        yield FewTasks(tasks=tasks, workers=run.plan.workers)


def _unequal(run: Run) -> Iterator[Caution]:
    # Tuned, unequal niceness breaks a gate.
    if run.plan.config is not Config.SHIPPED:
        return
    niceness: dict[str, tuple[int, ...]] = {}
    for record in run.records:
        if isinstance(record, TaskRun):
            seen = {*niceness.get(record.engine, ()), *record.niceness}
            niceness[record.engine] = tuple(sorted(seen))
    if len(set(niceness.values())) > 1:
        yield UnequalNiceness(niceness=niceness)
    allocators: dict[str, str] = {}
    for life in lifecycles(run):
        told = [f"{s.name}={s.value}" for s in life.settings if s.name.startswith(_ALLOCATOR)]
        if life.engine not in (CEILING, SERIAL):
            allocators[life.engine] = ", ".join(told) or allocators.get(life.engine, "as it is")
    if len(set(allocators.values())) > 1:
        yield UnequalAllocator(allocators=allocators)


def _spare_workers(observations: Observations) -> Iterator[Caution]:
    workers = observations.plan.workers
    for engine in engines(observations.plan):
        seen = [run.workers_seen for run in valid(observations.throughput(engine)).values()]
        if max(seen, default=0) > workers:
            yield SpareWorkers(engine=engine, seen=max(seen), workers=workers)


def _short(observations: Observations) -> Iterator[Caution]:
    makespans_s = [
        (run.makespan_s, engine)
        for engine in engines(observations.plan)
        for run in valid(observations.throughput(engine)).values()
    ]
    shortest_s, engine = min(makespans_s, default=(_SHORT_S, ""))
    if shortest_s < _SHORT_S:
        yield ShortRun(engine=engine, makespan_s=shortest_s)


def _above_ceiling(rows: tuple[Row, ...]) -> Iterator[Caution]:
    for row in rows:
        if row.metric != "engine_efficiency" or not isinstance(row.value, float):
            continue
        if row.value > _IMPOSSIBLE_EFFICIENCY:
            yield AboveCeiling(engine=row.engine, efficiency=row.value)


def _below_ceiling(observations: Observations, rows: tuple[Row, ...]) -> Iterator[Caution]:
    ceiling = valid(observations.throughput(CEILING))
    for row in rows:
        if row.metric != "engine_efficiency" or not isinstance(row.value, float):
            continue
        if row.engine in (CEILING, SERIAL) or row.value >= _GOOD_EFFICIENCY:
            continue
        runs = valid(observations.throughput(row.engine))
        block = min(block for block in runs if block in ceiling)
        if runs[block].tasks < _ENOUGH_CHUNKS:
            continue
        ours, theirs = (
            parts(run, observations.plan.workers) for run in (runs[block], ceiling[block])
        )
        longer = None if ours is None or theirs is None else ours.minus(theirs)
        yield BelowCeiling(engine=row.engine, efficiency=row.value, block=block, longer=longer)


def _bent_lines(observations: Observations) -> Iterator[Caution]:
    worst = {
        engine: max((one.worst for one in fitted if one is not None), default=0.0)
        for engine in engines(observations.plan)
        if (fitted := [line(block) for block in valid(observations.overhead(engine)).values()])
    }
    bent = {engine: share for engine, share in worst.items() if share > _BENT}
    if bent:
        yield BentLine(worst=bent)


def _few_samples(observations: Observations) -> Iterator[Caution]:
    fewest = {
        engine: min(len(block.round_trips_s) for block in blocks.values())
        for engine in engines(observations.plan)
        if (blocks := valid(observations.overhead(engine)))
    }
    for share in PERCENTILES:
        needed = samples_needed(share)
        few = {engine: count for engine, count in fewest.items() if count < needed}
        if few:
            yield FewSamples(percentile=round(share * 100), needed=needed, samples=few)


def _harness(observations: Observations) -> Iterator[Caution]:
    shares: dict[str, float] = {}
    for engine in engines(observations.plan):
        for block in valid(observations.overhead(engine)).values():
            largest = max(block.no_ops, key=lambda run: run.tasks)
            share = largest.harness_s / largest.makespan_s
            shares[engine] = max(share, shares.get(engine, 0.0))
    told = {engine: share for engine, share in shares.items() if share > _HARNESS}
    if told:
        yield HarnessShare(shares=told)


def _leftovers(run: Run) -> Iterator[Caution]:
    left: dict[str, list[str]] = defaultdict(list)
    for record in run.records:
        if isinstance(record, Lifecycle):
            left[record.engine] += record.leftovers
    for engine, commands in left.items():
        if commands:
            yield LeftoverProcesses(engine=engine, count=len(commands), first=commands[0])
