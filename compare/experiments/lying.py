"""The lying task: asks for a tenth of a core and burns a whole one.

Shows whether a share is enforced or only counted, by what becomes of a neighbour that asked for
the core that it uses.
"""

from collections.abc import Iterator
from functools import partial

from typing_extensions import override

from compare.bench import Bench, refine
from compare.experiments.base import Experiment, Opening, Pace
from compare.experiments.together import together
from compare.presets import Preset
from compare.records import Case, Plan, TaskRun, Workload
from engines.interface import Capability
from workload.kernels import sleep, spin

ALONE, HONEST, LYING = "alone", "honest", "lying"
"""The neighbour alone, beside tasks that sleep as they should, and beside liars."""
_SHARE = 0.1
_LIARS_PER_CORE = 10
_LONGER = 2.0
"""A liar's work in units of the neighbour's: it must not end before."""


class Lying(Experiment):
    """One case in three parts; the neighbour's own task is what is read."""

    name = "lying"
    with_ceiling = False

    @override
    def cases(self, preset: Preset, workload: Workload | None, workers: int) -> tuple[Case, ...]:
        parameters = {"cpus": _SHARE, "work_s": preset.neighbour_s}
        return (Case(experiment=self.name, parameters=parameters),)

    @override
    def needs(self, case: Case) -> frozenset[Capability]:
        return frozenset({Capability.FRACTIONAL_CPUS})

    @override
    def opening(self, case: Case, workers: int) -> Opening:
        return Opening(workers=workers, smallest_share=_SHARE, label="fractional")

    @override
    def calibrated(self, case: Case) -> bool:
        return True

    @override
    def expected_s(self, plan: Plan, case: Case, pace: Pace) -> float:
        work_s = float(case.parameters["work_s"])
        liars = _LIARS_PER_CORE * max(pace.workers - 1, 1)
        return 3 + 2 * work_s + 2 * liars * _LONGER * work_s / pace.workers

    @override
    def measure(self, bench: Bench, case: Case) -> Iterator[TaskRun]:
        work_s = float(case.parameters["work_s"])
        iterations = round(work_s / bench.calibrated_s())
        cores = max(bench.plan.workers - 1, 1)
        others = {
            HONEST: sleep.task("", work_s * _LONGER),
            LYING: spin.task("", round(iterations * _LONGER)),
        }

        def neighbour(part: str) -> TaskRun:
            return bench.run(refine(case, part=part), [spin.task(bench.label(), iterations)])

        yield neighbour(ALONE)
        for part, other in others.items():
            # Unmeasured: starts the processes that the engine needs for so many tasks.
            nap = sleep.task(bench.label(), 0.5)
            bench.run(case, [nap] * (_LIARS_PER_CORE * cores), cpus=_SHARE)
            tasks = [other._replace(case=bench.label())] * (_LIARS_PER_CORE * cores)
            # The neighbour first: it has its core before anybody else comes.
            beside = refine(case, part=f"{part} others")
            yield from together(
                partial(neighbour, part), partial(bench.run, beside, tasks, cpus=_SHARE)
            )
