"""The gain from keeping the model: loaded for each image, for each task, once in each worker."""

import random
import statistics
from collections.abc import Iterator
from functools import partial

from typing_extensions import override

from compare.experiments.experiment import Estimable, Experiment, Pace, Scope
from compare.experiments.section import Column, Columns, Section
from compare.experiments.shared_metrics import images_per_s
from compare.measure.bench import Bench
from compare.measure.image_tasks import image_tasks, settings
from compare.observations.metric import Better, Metric, metric
from compare.observations.reader import Observations, Runs, cases_of
from compare.observations.series import planned_case, series_of
from compare.presets import Sizes
from compare.records.measurements import TaskRun
from compare.records.plan import Case, Plan, refine
from workload.interface import Task
from workload.kernels import vit_reloading

_WORKER = "worker"
PER = (vit_reloading.PER_IMAGE, vit_reloading.PER_TASK, _WORKER)
"""The kinds of batches: what the model is loaded for."""
_CHUNK = 2
_REPEATS = 3
"""Measured batches of each kind."""
_LOAD_S = 0.5
"""Measured for ViT-B/16 on a 2-core server; used for the estimate only."""
RELOADED_IMAGES = Sizes(quick=4, standard=4, full=20)
"""Number of images for which the model is loaded."""

_SECTION = Section(
    title="Where the model lives",
    explanation="""The same images, two per task.  The model is loaded for each image, which is then
classified alone (as in the talk's own program), for each task, or once in each worker before the
clock starts.  One batch of each kind is not measured: what only the first batch costs, such as
reading the files, belongs to no kind.  Then follow three of each kind in random order; a block's
value is their median.  Higher is better.""",
    table=Columns(
        columns=(
            Column(metric="per_image", heading="per image (images/s)"),
            Column(metric="per_task", heading="per task (images/s)"),
            Column(metric="per_worker", heading="per worker (images/s)"),
            Column(metric="residency_gain", heading="per worker against per image (×)"),
        )
    ),
)


class Residency(Experiment):
    """One case with batches of three kinds over the same images."""

    name = "residency"
    classifies = True
    needs_images = True
    sections = (_SECTION,)

    @override
    def cases(self, scope: Scope) -> tuple[Case, ...]:
        # At least one task for each worker.
        count = min(
            max(RELOADED_IMAGES.of(scope.preset), _CHUNK * scope.workers),
            len(scope.need_workload().images),
        )
        parameters = {"images": count, "chunk": _CHUNK, "repeats": _REPEATS}
        return (Case(experiment=self.name, parameters=parameters),)

    @override
    def expected_s(self, plan: Plan, case: Case, pace: Pace) -> float:
        count = int(case.parameters["images"])
        loads = count + count / _CHUNK
        rounds = 1 + int(case.parameters["repeats"])
        return rounds * (len(PER) * count * pace.image_s + loads * _LOAD_S) / pace.workers

    @override
    def measure(self, bench: Bench, case: Case) -> Iterator[TaskRun]:
        count = int(case.parameters["images"])
        for per in PER:
            bench.run(case, _tasks(bench, case, per), items=count)
        order = [(per, part) for per in PER for part in _parts(case, per)]
        # In a fixed order, a drift would look like a gain of the later kinds.
        random.Random(f"{bench.plan.options.seed}/{bench.session.id}").shuffle(order)  # noqa: S311
        for per, part in order:
            yield bench.run(refine(case, part=part), _tasks(bench, case, per), items=count)

    @override
    def rows(self, observations: Observations, engine: str) -> Iterator[Estimable]:
        plan = observations.plan
        for planned in cases_of(plan, engine, self.name):
            parts = tuple(part for per in PER for part in _parts(planned, per))
            observed = observations.runs(engine, planned, parts)
            for each in self.metrics(plan, planned):
                yield series_of(self.name, engine, planned_case(plan, planned), each, observed)

    @override
    def metrics(self, plan: Plan, case: Case) -> tuple[Metric[Runs], ...]:
        def speed(runs: Runs, per: str) -> float:
            return statistics.median(images_per_s(runs[part]) for part in _parts(case, per))

        def gain(runs: Runs) -> float:
            return speed(runs, _WORKER) / speed(runs, vit_reloading.PER_IMAGE)

        return (
            *(
                metric(f"per_{per}", "images/s", Better.HIGHER, partial(speed, per=per))
                for per in PER
            ),
            metric("residency_gain", "× loaded per image", Better.HIGHER, gain),
        )


def _parts(case: Case, per: str) -> tuple[str, ...]:
    """Names of the measured batches of a kind.  Earlier runs have one, and no ``repeats``."""
    if "repeats" not in case.parameters:
        return (per,)
    return tuple(f"{per} {number}" for number in range(1, int(case.parameters["repeats"]) + 1))


def _tasks(bench: Bench, case: Case, per: str) -> list[Task]:
    count, chunk = int(case.parameters["images"]), int(case.parameters["chunk"])
    if per == _WORKER:
        return image_tasks(bench.plan, bench.label(), count=count, chunk=chunk)
    workload = bench.plan.workload
    images = () if workload is None else workload.images[:count]
    return vit_reloading.tasks(bench.label(), settings(bench.plan), per, images, chunk)
