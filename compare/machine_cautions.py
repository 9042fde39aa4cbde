"""What a reader must know of the machine before quoting a number."""

import statistics
from collections.abc import Iterator

from compare.caution_kinds import Caution, HostLost
from compare.machine_kinds import (
    CpuStolen,
    CpuThrottled,
    LoadFromOutside,
    MachineDrifted,
    Oversubscribed,
    SmallSharedMemory,
    Swapped,
)
from compare.metrics import images_per_s
from compare.observations import Observations, timed, valid
from compare.records import SERIAL, Lifecycle, Run, TaskRun

_DRIFT = 0.05
_OUTSIDE_LOAD = 0.05
"""Share of all cores, as are the next two."""
_STEAL = 0.01
_THROTTLED = 0.01
_SWAPPED_BYTES = 2**20
"""Less is what a host does at any time."""
_OBJECT_STORE = "object_store_memory"
"""A setting of engines that keep objects in /dev/shm."""
_CONTAINER_SHM_BYTES = 64 * 2**20
"""What Docker gives a container that does not ask for more."""


def machine_cautions(run: Run, observations: Observations) -> Iterator[Caution]:
    """All that apply."""
    yield from _cores(run)
    yield from _memory(run)
    yield from _drift(observations)
    yield from _lost_hosts(run)


def _lost_hosts(run: Run) -> Iterator[Caution]:
    """Hosts of clusters that were there before a batch of tasks and not after it."""
    runs = [record for record in run.records if isinstance(record, TaskRun) and record.nodes]
    for record in runs:
        lost = _lost(record)
        if not lost:
            continue
        usual = [
            other.makespan_s
            for other in runs
            if (other.engine, other.case) == (record.engine, record.case) and not _lost(other)
        ]
        yield HostLost(
            engine=record.engine,
            block=record.block,
            host=lost[0],
            tasks=record.tasks,
            again=record.kernel_calls - record.tasks,
            makespan_s=record.makespan_s,
            usual_s=statistics.median(usual) if usual else None,
        )


def _lost(run: TaskRun) -> list[str]:
    return [node.host for node in run.nodes if node.lost]


def lifecycles(run: Run) -> list[Lifecycle]:
    """Of the sessions that numbers come from."""
    sessions = {session.id for session in timed(run.plan)}
    return [r for r in run.records if isinstance(r, Lifecycle) and r.session in sessions]


def _cores(run: Run) -> Iterator[Caution]:
    cores = cores_of(run)
    if cores is None:
        return
    plan = run.plan
    if plan.workers * plan.threads_per_worker > cores:
        yield Oversubscribed(workers=plan.workers, threads=plan.threads_per_worker, cores=cores)
    lives = lifecycles(run)
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
    throttled = {
        life.session: (life.throttled_s / (life.wall_s * cores), life.throttled_periods or 0)
        for life in lives
        if life.throttled_s is not None
    }
    worst = max(throttled, key=lambda session: throttled[session], default="")
    if throttled and throttled[worst][0] > _THROTTLED:
        share, periods = throttled[worst]
        yield CpuThrottled(worst_session=worst, worst_share=share, periods=periods)


def _memory(run: Run) -> Iterator[Caution]:
    swapped = {
        life.session: life.swapped_bytes
        for life in lifecycles(run)
        if life.swapped_bytes is not None and life.swapped_bytes > _SWAPPED_BYTES
    }
    if swapped:
        worst = max(swapped, key=lambda session: swapped[session])
        yield Swapped(sessions=len(swapped), worst_session=worst, worst_bytes=swapped[worst])
    shm_bytes = run.environment.get("dev_shm_bytes")
    if not isinstance(shm_bytes, int):
        return
    wanted = [
        (int(setting.value), life.engine)
        for life in lifecycles(run)
        for setting in life.settings
        if setting.name == _OBJECT_STORE
    ]
    most, engine = max(wanted, default=(None, None))
    if most is not None and shm_bytes < most:
        yield SmallSharedMemory(shm_bytes=shm_bytes, wanted_bytes=most, engine=engine)
    elif shm_bytes <= _CONTAINER_SHM_BYTES:
        yield SmallSharedMemory(shm_bytes=shm_bytes, wanted_bytes=None, engine=None)


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
