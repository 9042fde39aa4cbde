"""Batch inference with 1, 2, 4, … workers: fixed total work (strong), or per worker (weak)."""

from collections.abc import Iterator
from dataclasses import replace

from typing_extensions import override

from compare.experiments.experiment import Estimable, Experiment, Opening, Pace, Scope
from compare.experiments.section import PERCENT, Column, Columns, Section
from compare.experiments.shared_metrics import THROUGHPUT, of_part
from compare.measure.bench import Bench
from compare.measure.image_tasks import image_tasks
from compare.observations.metric import Better, Quantity
from compare.observations.reader import Observations, cases_of
from compare.observations.series import Series, paired, planned_case, series_of
from compare.presets import Sizes
from compare.records.measurements import TaskRun
from compare.records.plan import Case, Plan
from engines.interface import Capability

STRONG, WEAK = "strong", "weak"
SOME_IMAGES = Sizes(quick=8, standard=8, full=120)
"""Number of images in experiments that classify them several times."""

_EFFICIENCY = Quantity(
    name="scaling_efficiency", unit="share of p × one worker", better=Better.HIGHER
)
"""Throughput with p workers, divided by p times that with one worker in the same block: T1/(p·Tp)
for the same total work (strong), T1/Tp for the same work per worker (weak)."""

_SECTION = Section(
    title="Scaling",
    explanation="""The same images with more workers (*strong*: T1/(p·Tp)), and the same number of
images per worker (*weak*: T1/Tp).  For each number of workers the engine is opened separately, on
the same machine.  The efficiency is the throughput as a share of p times that of one worker in the
same block.  Higher is better.""",
    table=Columns(
        axes=(("kind", "kind"), ("workers", "workers")),
        columns=(
            Column(metric="throughput", heading="images/s"),
            Column(metric="scaling_efficiency", heading="efficiency (%)", scale=PERCENT),
        ),
    ),
)


class Scaling(Experiment):
    """Two cases, strong and weak, for each number of workers."""

    name = "scaling"
    classifies = True
    needs_images = True
    sections = (_SECTION,)

    @override
    def cases(self, scope: Scope) -> tuple[Case, ...]:
        workers = scope.workers
        count = min(SOME_IMAGES.of(scope.preset), len(scope.need_workload().images))
        share = count // workers
        return tuple(
            Case(
                experiment=self.name,
                parameters={"kind": kind, "workers": p, "images": max(share * times, 1)},
            )
            for p in counts(workers)
            for kind, times in ((STRONG, workers), (WEAK, p))
        )

    @override
    def needs(self, case: Case) -> frozenset[Capability]:
        return frozenset({Capability.PARALLEL})

    @override
    def opening(self, case: Case, workers: int) -> Opening:
        p = int(case.parameters["workers"])
        return Opening(workers=p, label="" if p == workers else f"{p}-of-{workers}-workers")

    @override
    def expected_s(self, plan: Plan, case: Case, pace: Pace) -> float:
        return int(case.parameters["images"]) * pace.image_s / int(case.parameters["workers"])

    @override
    def measure(self, bench: Bench, case: Case) -> Iterator[TaskRun]:
        count = int(case.parameters["images"])
        # The smallest tasks, so that a worker without a task at the end waits only briefly.
        tasks = image_tasks(bench.plan, bench.label(), count=count, chunk=1)
        yield bench.run(case, tasks, items=count)

    @override
    def rows(self, observations: Observations, engine: str) -> Iterator[Estimable]:
        """Yield images/s with p workers, and their share of p times the rate of one worker."""
        plan = observations.plan
        speeds: dict[tuple[str, int], Series] = {}
        for planned in cases_of(plan, engine, self.name):
            observed = observations.runs(engine, planned, self.parts)
            case = planned_case(plan, planned)
            kind, p = str(planned.parameters["kind"]), int(planned.parameters["workers"])
            speeds[kind, p] = series_of(self.name, engine, case, of_part(THROUGHPUT), observed)
        for (kind, p), speed in sorted(speeds.items()):
            yield speed
            efficiency = paired(speed, speeds[kind, 1], _EFFICIENCY)
            values = {block: value / p for block, value in efficiency.values.items()}
            yield efficiency if p == 1 else replace(efficiency, values=values)


def counts(workers: int) -> tuple[int, ...]:
    """The powers of two below ``workers``, and ``workers`` itself."""
    return (*(2**n for n in range(workers.bit_length()) if 2**n < workers), workers)
