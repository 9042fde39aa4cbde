"""What a reader must know before quoting a number.  Decided here once, printed everywhere."""

from collections import defaultdict
from collections.abc import Iterator

from compare.caution_kinds import (
    AboveCeiling,
    BelowCeiling,
    BentLine,
    CaseFailed,
    Caution,
    CpuStolen,
    EngineMissing,
    FewTasks,
    GateBroken,
    ImagesSkipped,
    LeftoverProcesses,
    LoadFromOutside,
    MachineDrifted,
    OneBlock,
    Oversubscribed,
    PartialRun,
    RandomWeights,
    ShortRun,
    SpareWorkers,
    UnequalAllocator,
    UnequalNiceness,
)
from compare.experiments.overhead import is_sweep
from compare.losses import parts
from compare.metrics import images_per_s, line
from compare.observations import (
    Observations,
    Observed,
    Why,
    absent,
    engines,
    planned_cases,
    timed,
    valid,
)
from compare.records import CEILING, SERIAL, Failure, Lifecycle, Row, Run, TaskRun
from compare.studies import telling
from engines.interface import Config

_DRIFT = 0.05
_OUTSIDE_LOAD = 0.05
"""Share of all cores, as are the others."""
_STEAL = 0.01
_GOOD_EFFICIENCY = 0.9
_ENOUGH_CHUNKS = 16
"""With fewer, the last wave alone can cost a tenth."""
_FEW_TASKS_PER_WORKER = 4
_IMPOSSIBLE_EFFICIENCY = 1.1
"""As in Task Bench (https://arxiv.org/abs/1908.05790), where it invalidates a measurement."""
_SHORT_S = 1.0
_BENT = 0.2
_ALLOCATOR = ("MALLOC_", "LD_PRELOAD")


def cautions(run: Run, rows: tuple[Row, ...]) -> tuple[Caution, ...]:
    """All that apply, the gravest first."""
    observations = Observations(run)
    return (
        *_incomplete(run, observations),
        *_failures(run),
        *_broken_gates(observations),
        *_workload(run),
        *_machine(run),
        *_drift(observations),
        *_unequal(run),
        *_spare_workers(observations),
        *_short(observations),
        *_above_ceiling(rows),
        *_below_ceiling(observations, rows),
        *_bent_lines(observations),
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
                reason=record.reason,
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


def _machine(run: Run) -> Iterator[Caution]:
    cores = cores_of(run)
    if cores is None:
        return
    plan = run.plan
    if plan.workers * plan.threads_per_worker > cores:
        yield Oversubscribed(workers=plan.workers, threads=plan.threads_per_worker, cores=cores)
    lives = _lifecycles(run)
    others = {
        life.session: (life.host_cpu_s - life.own_cpu_s) / (life.wall_s * cores) for life in lives
    }
    loaded = {session: share for session, share in others.items() if share > _OUTSIDE_LOAD}
    if loaded:
        worst = max(loaded, key=lambda session: loaded[session])
        yield LoadFromOutside(sessions=len(loaded), worst_session=worst, worst_share=loaded[worst])
    stolen = {life.session: life.steal_s / (life.wall_s * cores) for life in lives}
    worst = max(stolen, key=lambda session: stolen[session], default="")
    if stolen and stolen[worst] > _STEAL:
        yield CpuStolen(worst_session=worst, worst_share=stolen[worst])


def cores_of(run: Run) -> int | None:
    """Cores of the machine; ``None`` when the environment does not tell."""
    cores = run.environment.get("cores")
    return cores if isinstance(cores, int) else None


def _drift(observations: Observations) -> Iterator[Caution]:
    speeds = {b: images_per_s(r) for b, r in valid(observations.throughput(SERIAL)).items()}
    if len(speeds) > 1:
        first, last = speeds[min(speeds)], speeds[max(speeds)]
        if abs(last / first - 1) > _DRIFT:
            yield MachineDrifted(first_images_per_s=first, last_images_per_s=last)


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
    for life in _lifecycles(run):
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
    for engine in engines(observations.plan):
        fitted = [line(block) for block in valid(observations.overhead(engine)).values()]
        worst = max((one.worst for one in fitted if one is not None), default=0.0)
        if worst > _BENT:
            yield BentLine(engine=engine, worst=worst)


def _leftovers(run: Run) -> Iterator[Caution]:
    left: dict[str, list[str]] = defaultdict(list)
    for record in run.records:
        if isinstance(record, Lifecycle):
            left[record.engine] += record.leftovers
    for engine, commands in left.items():
        if commands:
            yield LeftoverProcesses(engine=engine, count=len(commands), first=commands[0])


def _lifecycles(run: Run) -> list[Lifecycle]:
    """Of the sessions that numbers come from."""
    sessions = {session.id for session in timed(run.plan)}
    return [r for r in run.records if isinstance(r, Lifecycle) and r.session in sessions]
