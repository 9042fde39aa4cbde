"""Images per second against images per task: where distribution is amortised."""

from collections.abc import Iterator

from typing_extensions import override

from compare.experiments.experiment import Experiment, Pace, Scope
from compare.experiments.scaling import SOME_IMAGES
from compare.experiments.section import Column, Columns, Curve, Section
from compare.experiments.shared_metrics import THROUGHPUT, of_part
from compare.measure.bench import Bench
from compare.measure.image_tasks import image_tasks
from compare.observations.metric import Metric
from compare.observations.reader import Runs
from compare.options import PresetName
from compare.records.measurements import TaskRun
from compare.records.plan import Case, Plan
from engines.interface import Capability

_CHUNKS = (1, 2, 4, 8, 15, 30, 60)

_SECTION = Section(
    title="Images per task",
    explanation="""The same images in tasks of different sizes.  A task is one batch of the model,
so the engine-free ceiling also depends on the size: the cost of an engine is its distance from the
ceiling at the same size.  Higher is better.""",
    table=Columns(
        axes=(("chunk", "images per task"),),
        columns=(Column(metric="throughput", heading="images/s"),),
    ),
    pictures=(
        Curve(
            name="granularity",
            x="chunk",
            metric="throughput",
            x_label="images per task (log)",
            y_label="images/s, higher is better",
        ),
    ),
)


class Granularity(Experiment):
    """One case for each task size that gives every worker a task, and one for size 1."""

    name = "granularity"
    classifies = True
    needs_images = True
    sections = (_SECTION,)

    @override
    def cases(self, scope: Scope) -> tuple[Case, ...]:
        most = len(scope.need_workload().images)
        return tuple(
            Case(
                experiment=self.name,
                parameters={
                    "chunk": chunk,
                    "images": _images(chunk, scope.workers, scope.preset, most),
                },
            )
            for chunk in _CHUNKS
            if chunk * scope.workers <= most or chunk == 1
        )

    @override
    def needs(self, case: Case) -> frozenset[Capability]:
        # Without serial: the ceiling shows how the size affects the model alone, in half the time.
        return frozenset({Capability.PARALLEL})

    @override
    def expected_s(self, plan: Plan, case: Case, pace: Pace) -> float:
        return int(case.parameters["images"]) * pace.image_s / pace.workers

    @override
    def measure(self, bench: Bench, case: Case) -> Iterator[TaskRun]:
        chunk, count = int(case.parameters["chunk"]), int(case.parameters["images"])
        tasks = image_tasks(bench.plan, bench.label(), count=count, chunk=chunk)
        yield bench.run(case, tasks, items=count)

    @override
    def metrics(self, plan: Plan, case: Case) -> tuple[Metric[Runs], ...]:
        return (of_part(THROUGHPUT),)


def _images(chunk: int, workers: int, preset: PresetName, most: int) -> int:
    """Images for as many full waves as the preset allows, at least for one."""
    wave = chunk * workers
    return min(max(SOME_IMAGES.of(preset) // wave, 1) * wave, most)
