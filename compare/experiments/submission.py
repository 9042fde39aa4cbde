"""METG with a call of the framework for each task, on engines that have another way, too."""

from collections.abc import Iterator

from typing_extensions import override

from compare.bench import Bench
from compare.experiments.base import Experiment, Pace
from compare.experiments.sweep import expected_sweep_s, spin_sweep
from compare.presets import Preset
from compare.records import Case, Plan, TaskRun, Workload
from engines.interface import Capability
from workload.task import run_packed


class Submission(Experiment):
    """The sweep of the overhead experiment once more."""

    name = "submission"
    with_ceiling = False

    @override
    def cases(self, preset: Preset, workload: Workload | None, workers: int) -> tuple[Case, ...]:
        return (Case(experiment=self.name, parameters={"point_s": preset.point_s}),)

    @override
    def needs(self, case: Case) -> frozenset[Capability]:
        return frozenset({Capability.BULK})

    @override
    def calibrated(self, case: Case) -> bool:
        return True

    @override
    def expected_s(self, plan: Plan, case: Case, pace: Pace) -> float:
        return expected_sweep_s(case, pace.fixed_s)

    @override
    def measure(self, bench: Bench, case: Case) -> Iterator[TaskRun]:
        return spin_sweep(
            bench, case, lambda packed: bench.engine.run_one_by_one(run_packed, packed)
        ).run()
