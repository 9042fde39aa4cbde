"""METG with one framework call per task, on engines that also accept all tasks in one call."""

from collections.abc import Iterator

from typing_extensions import override

from compare.experiments.experiment import Estimable, Experiment, Pace, Scope
from compare.experiments.overhead import POINT_S
from compare.experiments.section import Column, Columns, Section
from compare.experiments.shared_metrics import metg_rows
from compare.measure.bench import Bench, Way
from compare.measure.sweep import expected_sweep_s, spin_sweep
from compare.observations.reader import Observations
from compare.records.measurements import TaskRun
from compare.records.plan import Case, Plan
from engines.interface import Capability

_SECTION = Section(
    title="One by one",
    explanation="""METG as under Overhead, but with one framework call per task.  No call waits for
a result (multiprocessing: `apply_async`; Dask: `submit`; Spark: one job per task, from a few
threads).  If an engine has only one way to submit tasks, its METG is the one under Overhead.  Lower
is better.""",
    table=Columns(
        columns=(
            Column(metric="metg50", heading="METG(50%) one by one"),
            Column(metric="metg90", heading="METG(90%) one by one"),
        )
    ),
)


class Submission(Experiment):
    """The sweep of ``overhead`` once more, with one call per task."""

    name = "submission"
    with_ceiling = False
    sections = (_SECTION,)

    @override
    def cases(self, scope: Scope) -> tuple[Case, ...]:
        return (Case(experiment=self.name, parameters={"point_s": POINT_S.of(scope.preset)}),)

    @override
    def needs(self, case: Case) -> frozenset[Capability]:
        return frozenset({Capability.BULK})

    @override
    def sweeps(self, case: Case) -> bool:
        return True

    @override
    def expected_s(self, plan: Plan, case: Case, pace: Pace) -> float:
        return expected_sweep_s(case, pace.fixed_s)

    @override
    def measure(self, bench: Bench, case: Case) -> Iterator[TaskRun]:
        return spin_sweep(bench, case, way=Way.ONE_BY_ONE).run()

    @override
    def rows(self, observations: Observations, engine: str) -> Iterator[Estimable]:
        return metg_rows(observations, engine, self.name)
