"""The kinds of cautions about the machine: evidence in the fields, advice in the text."""

from dataclasses import dataclass

from compare.wording import plural

_MIB = 2**20


@dataclass(frozen=True, slots=True, kw_only=True)
class Oversubscribed:
    """Workers times threads is more than there are cores."""

    workers: int
    threads: int
    cores: int

    def __str__(self) -> str:
        return (
            f"{self.workers} workers × {plural(self.threads, 'thread')} on "
            f"{plural(self.cores, 'core')}: they wait for each other. "
            "Lower --workers or --threads-per-worker for speeds that hold elsewhere."
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class MachineDrifted:
    """Throughput of the serial engine changed between the first and last blocks."""

    first_images_per_s: float
    last_images_per_s: float

    def __str__(self) -> str:
        change = self.last_images_per_s / self.first_images_per_s - 1
        return (
            f"The serial baseline changed by {change:+.0%} from the first block to the last. "
            "Rerun on a quiet machine, or with more blocks."
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadFromOutside:
    """Something else used the cores while sessions ran."""

    sessions: int
    worst_session: str
    worst_share: float

    def __str__(self) -> str:
        return (
            f"Other programs used the machine during {plural(self.sessions, 'session')}, at worst "
            f"{self.worst_share:.0%} of its cores ({self.worst_session}). Rerun without them."
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class CpuStolen:
    """The hypervisor gave CPU time of this machine to others."""

    worst_session: str
    worst_share: float

    def __str__(self) -> str:
        return (
            f"The hypervisor took up to {self.worst_share:.0%} of the cores "
            f"({self.worst_session}). Rerun on a machine of your own."
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class CpuThrottled:
    """The quota of the control group was used up, and the kernel made its processes wait."""

    worst_session: str
    worst_share: float
    """Of the time of all cores."""
    periods: int

    def __str__(self) -> str:
        return (
            f"The kernel held processes back for up to {self.worst_share:.0%} of the cores' time "
            f"({self.worst_session}, {plural(self.periods, 'period')}), since the container's CPU "
            "quota was used up. Give it a core for each worker, or lower --workers."
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Swapped:
    """The host wrote memory to disk, or read it back, while something was measured."""

    sessions: int
    worst_session: str
    worst_bytes: int

    def __str__(self) -> str:
        return (
            f"The host swapped during {plural(self.sessions, 'session')}, at worst "
            f"{self.worst_bytes / _MIB:,.0f} MiB ({self.worst_session}): what was measured there "
            "is partly its disk. Free some memory, or lower --workers."
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class SmallSharedMemory:
    """Less room in /dev/shm than an engine means to use, or no more than a container's default."""

    shm_bytes: int
    wanted_bytes: int | None
    engine: str | None
    """Which wants it; ``None`` when none says how much it wants."""

    def __str__(self) -> str:
        small = f"/dev/shm holds {self.shm_bytes / _MIB:,.0f} MiB"  # noqa: S108 - not a file of ours
        if self.engine is None or self.wanted_bytes is None:
            why = "the default of a container, which engines that share memory soon fill"
        else:
            wanted = f"{self.wanted_bytes / _MIB:,.0f} MiB"
            why = f"and {self.engine} means to use {wanted}: it may fall back to files"
        return f"{small}, {why}. Start the container with --shm-size=1g or more."
