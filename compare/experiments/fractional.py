"""What a share means: sleeping tasks that each ask for a part of a core, or of a resource that is
no core.

As many tasks as fit are submitted, floor(C/f), and a quarter more that sleep only briefly: an
engine that admits too many is seen to run them at once, one that keeps its word is not slowed.
"""

from collections.abc import Iterator
from fractions import Fraction
from typing import TypedDict

from typing_extensions import override

from compare.bench import Bench, refine
from compare.experiments.base import Experiment, Opening, Pace
from compare.presets import Preset
from compare.records import Case, Plan, Record, Rejected, TaskRun, Workload
from engines.errors import CpusRejectedError
from engines.interface import Capability
from workload.kernels import sleep

SHARES = (1.0, 0.5, 0.25, 0.1)
"""The largest first: each needs at least the processes of the one before."""
MORE_SHARES = (1.5, 0.7, 0.3)
CPUS, SLOTS = "cpus", "slots"
"""What is shared: cores, or the resource of ``Engine.run``."""
COLD, WARM, AFTER = "cold", "warm", "after"
_PROBE_SECONDS = 0.2
_FILL_SECONDS = 0.5
_FILL_WAVES = 10


class Fractional(Experiment):
    """A case for each share of a core that most readers ask for."""

    name = "fractional"
    with_ceiling = False

    @override
    def cases(self, preset: Preset, workload: Workload | None, workers: int) -> tuple[Case, ...]:
        # Long only where so many tasks start that it takes a while until all of them run.
        smallest = min(SHARES)
        return tuple(
            self.case(CPUS, share, preset.nap_s if share == smallest else preset.nap_s / 2)
            for share in SHARES
        )

    def case(self, resource: str, share: float, nap_s: float) -> Case:
        """Tasks that ask for ``share`` and sleep."""
        parameters = {resource: share, "seconds": nap_s, "probe_seconds": _PROBE_SECONDS}
        return Case(experiment=self.name, parameters=parameters)

    @override
    def blocks(self, preset: Preset) -> int:
        return preset.fractional_blocks

    @override
    def needs(self, case: Case) -> frozenset[Capability]:
        return frozenset(
            {Capability.SLOTS if SLOTS in case.parameters else Capability.FRACTIONAL_CPUS}
        )

    @override
    def opening(self, case: Case, workers: int) -> Opening:
        # A session of its own: an engine that sets aside threads or processes for small shares
        # would have them in the way of everything else.
        return Opening(workers=workers, smallest_share=min(SHARES), label="fractional")

    @override
    def expected_s(self, plan: Plan, case: Case, pace: Pace) -> float:
        """A cold wave, which starts processes, one at least that starts the rest, a warm one."""
        return 2 * (float(case.parameters["seconds"]) + _PROBE_SECONDS) + _FILL_SECONDS

    @override
    def measure(self, bench: Bench, case: Case) -> Iterator[Record]:
        """The first wave at this share, one when the engine has started all that it starts, and
        whole cores again; or the engine's words of refusal.
        """
        _, share = resource_of(case)
        fitting = slots(bench.plan.workers, share)
        cold, warm, after = (refine(case, phase=phase) for phase in (COLD, WARM, AFTER))
        try:
            yield _wave(bench, cold, fitting)
        except CpusRejectedError as refusal:
            for phase in (cold, warm, after):
                yield Rejected(**bench.head(), case=phase, words=str(refusal))
            return
        _fill(bench, case, fitting)
        yield _wave(bench, warm, fitting)
        # As many whole cores as there are must be free again.
        nap = sleep.task(bench.label(), _PROBE_SECONDS)
        yield bench.run(after, [nap] * bench.plan.workers)


class Matrix(Fractional):
    """The shares that are left, and all of them of a resource that is no core."""

    name = "matrix"

    @override
    def cases(self, preset: Preset, workload: Workload | None, workers: int) -> tuple[Case, ...]:
        everything = sorted((*SHARES, *MORE_SHARES), reverse=True)
        return (
            *(self.case(CPUS, share, preset.nap_s / 2) for share in MORE_SHARES),
            *(self.case(SLOTS, share, preset.nap_s / 2) for share in everything),
        )


def resource_of(case: Case) -> tuple[str, float]:
    """What is shared, and how much of it a task asks for."""
    resource = SLOTS if SLOTS in case.parameters else CPUS
    return resource, float(case.parameters[resource])


def slots(capacity: int, share: float) -> int:
    """floor(C / f) of the decimal that was written, not of its binary neighbour."""
    return int(Fraction(capacity) / Fraction(str(share)))


def _wave(bench: Bench, case: Case, fitting: int) -> TaskRun:
    label = bench.label()
    tasks = [sleep.task(label, float(case.parameters["seconds"]))] * fitting
    tasks += [sleep.task(label, _PROBE_SECONDS)] * max(1, fitting // 4)
    return bench.run(case, tasks, memory=True, **_asked(case))


def _fill(bench: Bench, case: Case, fitting: int) -> None:
    """Unmeasured waves until as many tasks as fit have run in workers of their own.

    Ray and Spark run a task in a process, which they start when there is demand and no idle one:
    the cold wave ends before all have been started.
    """
    for _ in range(_FILL_WAVES):
        tasks = [sleep.task(bench.label(), _FILL_SECONDS)] * fitting
        if bench.run(case, tasks, **_asked(case)).workers_seen >= fitting:
            return


class _Asked(TypedDict, total=False):
    cpus: float
    slots: float


def _asked(case: Case) -> _Asked:
    resource, share = resource_of(case)
    return {"cpus": share} if resource == CPUS else {"slots": share}
