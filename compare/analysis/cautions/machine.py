"""Cautions about the machine."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Self

from typing_extensions import override

from compare.analysis.cautions.caution import Caution, Evidence, with_reasons
from compare.experiments.shared_metrics import images_per_s
from compare.experiments.throughput import batches
from compare.formatting import enumeration, plural
from compare.observations.disturbance import (
    OUTSIDE_SHARE,
    STOLEN_SHARE,
    outside_share,
    stolen_share,
)
from compare.observations.reader import valid
from compare.records.plan import SERIAL

_DRIFT = 0.05
_THROTTLED = 0.01
"""A share of all cores."""
_SWAPPED_BYTES = 2**20
"""Smaller amounts are normal on any host."""
_OBJECT_STORE = "object_store_memory"
"""The setting of engines that keep objects in /dev/shm."""
_CONTAINER_SHM_BYTES = 64 * 2**20
"""Docker's default size of /dev/shm in a container."""
_MIB = 2**20


@dataclass(frozen=True, slots=True, kw_only=True)
class Oversubscribed(Caution):
    """Workers × threads is more than the number of cores."""

    workers: int
    threads: int
    cores: int

    @classmethod
    @override
    def find(cls, evidence: Evidence) -> Iterator[Self]:
        workers = evidence.run.plan.workers
        threads = evidence.run.plan.options.threads_per_worker
        if evidence.cores is not None and workers * threads > evidence.cores:
            yield cls(workers=workers, threads=threads, cores=evidence.cores)

    @override
    def __str__(self) -> str:
        return (
            f"{self.workers} workers × {plural(self.threads, 'thread')} on "
            f"{plural(self.cores, 'core')}: they compete for the cores. "
            "Lower --workers or --threads-per-worker to get speeds that are valid elsewhere."
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadFromOutside(Caution):
    """Other programs used the cores while sessions ran."""

    sessions: int
    worst_session: str
    worst_share: float

    @classmethod
    @override
    def find(cls, evidence: Evidence) -> Iterator[Self]:
        if evidence.cores is None:
            return
        shares = {life.session: outside_share(life, evidence.cores) for life in evidence.lifecycles}
        loaded = {session: share for session, share in shares.items() if share > OUTSIDE_SHARE}
        if loaded:
            worst = max(loaded, key=lambda session: loaded[session])
            yield cls(sessions=len(loaded), worst_session=worst, worst_share=loaded[worst])

    @override
    def __str__(self) -> str:
        return (
            f"Other programs used the machine during {plural(self.sessions, 'session')}, at worst "
            f"{self.worst_share:.0%} of its cores ({self.worst_session}). Rerun without them."
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class MeasuredAgain(Caution):
    """Other programs took the machine during some sessions, which were measured a second time."""

    reasons: Mapping[str, str]
    """By session."""

    @classmethod
    @override
    def find(cls, evidence: Evidence) -> Iterator[Self]:
        if evidence.repeated:
            yield cls(
                reasons={
                    one.session: "; ".join(filter(None, (one.reason, _only(one.only))))
                    for one in evidence.repeated
                }
            )

    @override
    def __str__(self) -> str:
        return (
            f"{plural(len(self.reasons), 'session')} ran on a disturbed machine and "
            f"{'was' if len(self.reasons) == 1 else 'were'} measured again: "
            f"{with_reasons(self.reasons)}. The second measurements count, whatever they gave; the "
            "first ones stay in the records."
        )


def _only(experiments: Sequence[str]) -> str:
    return f"only {enumeration(list(experiments))}" if experiments else ""


@dataclass(frozen=True, slots=True, kw_only=True)
class CpuStolen(Caution):
    """The hypervisor gave CPU time of this machine to other machines."""

    worst_session: str
    worst_share: float

    @classmethod
    @override
    def find(cls, evidence: Evidence) -> Iterator[Self]:
        if evidence.cores is None:
            return
        shares = {life.session: stolen_share(life, evidence.cores) for life in evidence.lifecycles}
        worst = max(shares, key=lambda session: shares[session], default="")
        if shares and shares[worst] > STOLEN_SHARE:
            yield cls(worst_session=worst, worst_share=shares[worst])

    @override
    def __str__(self) -> str:
        return (
            f"The hypervisor took up to {self.worst_share:.0%} of the cores "
            f"({self.worst_session}). Rerun on a dedicated machine."
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class CpuThrottled(Caution):
    """The control group used up its CPU quota, and the kernel made its processes wait."""

    worst_session: str
    worst_share: float
    """Share of the time of all cores."""
    periods: int

    @classmethod
    @override
    def find(cls, evidence: Evidence) -> Iterator[Self]:
        if evidence.cores is None:
            return
        throttled = {
            life.session: (
                life.throttled_s / (life.wall_s * evidence.cores),
                life.throttled_periods or 0,
            )
            for life in evidence.lifecycles
            if life.throttled_s is not None
        }
        worst = max(throttled, key=lambda session: throttled[session], default="")
        if throttled and throttled[worst][0] > _THROTTLED:
            share, periods = throttled[worst]
            yield cls(worst_session=worst, worst_share=share, periods=periods)

    @override
    def __str__(self) -> str:
        return (
            f"The kernel throttled processes for up to {self.worst_share:.0%} of the cores' time "
            f"({self.worst_session}, {plural(self.periods, 'period')}) because the container's CPU "
            "quota was used up. Give the container a core for each worker, or lower --workers."
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Swapped(Caution):
    """The host wrote memory to disk, or read it back, while something was measured."""

    sessions: int
    worst_session: str
    worst_bytes: int

    @classmethod
    @override
    def find(cls, evidence: Evidence) -> Iterator[Self]:
        swapped = {
            life.session: life.swapped_bytes
            for life in evidence.lifecycles
            if life.swapped_bytes is not None and life.swapped_bytes > _SWAPPED_BYTES
        }
        if swapped:
            worst = max(swapped, key=lambda session: swapped[session])
            yield cls(sessions=len(swapped), worst_session=worst, worst_bytes=swapped[worst])

    @override
    def __str__(self) -> str:
        return (
            f"The host swapped during {plural(self.sessions, 'session')}, at worst "
            f"{self.worst_bytes / _MIB:,.0f} MiB ({self.worst_session}): the measurements "
            "there include disk access. Free some memory, or lower --workers."
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class SmallSharedMemory(Caution):
    """Shared memory is smaller than an engine needs, or has a container's default size."""

    shm_bytes: int
    wanted_bytes: int | None
    engine: str | None
    """The engine that needs more; ``None`` if no engine reports how much it needs."""

    @classmethod
    @override
    def find(cls, evidence: Evidence) -> Iterator[Self]:
        shm_bytes = evidence.run.environment.get("dev_shm_bytes")
        if not isinstance(shm_bytes, int):
            return
        wanted = [
            (int(setting.value), life.engine)
            for life in evidence.lifecycles
            for setting in life.settings
            if setting.name == _OBJECT_STORE
        ]
        most, engine = max(wanted, default=(None, None))
        if most is not None and shm_bytes < most:
            yield cls(shm_bytes=shm_bytes, wanted_bytes=most, engine=engine)
        elif shm_bytes <= _CONTAINER_SHM_BYTES:
            yield cls(shm_bytes=shm_bytes, wanted_bytes=None, engine=None)

    @override
    def __str__(self) -> str:
        small = f"/dev/shm holds {self.shm_bytes / _MIB:,.0f} MiB"  # noqa: S108 - not one of our files
        if self.engine is None or self.wanted_bytes is None:
            why = "the default of a container; engines that use shared memory fill it quickly"
        else:
            wanted = f"{self.wanted_bytes / _MIB:,.0f} MiB"
            why = f"and {self.engine} means to use {wanted}: it may fall back to files"
        return f"{small}, {why}. Start the container with --shm-size=1g or more."


@dataclass(frozen=True, slots=True, kw_only=True)
class MachineDrifted(Caution):
    """The serial engine's throughput changed from block to block."""

    slowest_block: int
    fastest_block: int
    change: float
    """How much faster the fastest block was than the slowest, as a share."""

    @classmethod
    @override
    def find(cls, evidence: Evidence) -> Iterator[Self]:
        runs = valid(batches(evidence.observations, SERIAL))
        speeds = {block: images_per_s(run) for block, run in runs.items()}
        if not speeds:
            return
        slowest, fastest = (pick(speeds, key=lambda b: speeds[b]) for pick in (min, max))
        change = speeds[fastest] / speeds[slowest] - 1
        if change > _DRIFT:
            yield cls(slowest_block=slowest, fastest_block=fastest, change=change)

    @override
    def __str__(self) -> str:
        return (
            f"The serial baseline was {self.change:.0%} faster in block {self.fastest_block} than "
            f"in block {self.slowest_block}. Ratios within blocks are not affected; rerun on a "
            "quiet machine before you quote absolute numbers."
        )
