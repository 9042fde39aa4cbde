"""Work for the cores and tasks that only wait, together and one after the other.

A task that waits asks for a tenth of a core, so others can use what it leaves: the claim of the
talk that this project grew from.
"""

from collections.abc import Iterator

from typing_extensions import override

from compare.experiments.experiment import Experiment, Opening, Pace, Scope
from compare.experiments.scaling import SOME_IMAGES
from compare.experiments.section import Column, Columns, Section
from compare.measure.bench import Bench
from compare.measure.image_tasks import image_tasks
from compare.observations.metric import Better, Metric, metric
from compare.observations.reader import Runs
from compare.records.measurements import TaskRun
from compare.records.plan import Case, Plan, refine
from engines.errors import EngineError
from engines.interface import Capability
from workload.kernels import sleep

IMAGES, NAPS = "images", "naps"
IMAGES_TOGETHER, NAPS_TOGETHER = "images together", "naps together"
PARTS = (IMAGES, NAPS, IMAGES_TOGETHER, NAPS_TOGETHER)
_SHARE = 0.1
_WAVES = 4
"""Images for each worker, at least: with fewer, whole waves hide what the naps take."""
_NAPS = 4
_NAP_OF_IMAGES = 1.5
"""A nap lasts so much longer than the images alone.  While the naps hold a part of one core, one
core fewer is free for images; with this ratio and two cores that costs less than half the gain."""
_WARM_UP_WAVES = 20

_SECTION = Section(
    title="Hybrid runs",
    explanation="""Image tasks that ask for one core each, and four tasks that ask for 0.1 of a
core each and sleep half as long again as the images take alone.  *Together* is from the first
submission until the last result of both; the *gain* is the time of one after the other over it.
An engine that plans with shares runs images beside the naps: on two cores the naps hold a part of
one, so the other is left for images, and at best the gain is (1 + 1.5) / 1.75 = 1.43.  Every
process has the model loaded before.""",
    table=Columns(
        columns=(
            Column(metric="images_alone", heading="images alone (s)"),
            Column(metric="naps_alone", heading="naps alone (s)"),
            Column(metric="together", heading="together (s)"),
            Column(metric="hybrid_gain", heading="gain (×)"),
        )
    ),
)


class Hybrid(Experiment):
    """One case, four runs: each kind alone, and both at once."""

    name = "hybrid"
    needs_images = True
    with_ceiling = False
    parts = PARTS
    sections = (_SECTION,)

    @override
    def cases(self, scope: Scope) -> tuple[Case, ...]:
        wanted = max(SOME_IMAGES.of(scope.preset), _WAVES * scope.workers)
        count = min(wanted, len(scope.need_workload().images))
        parameters = {"images": count, "chunk": 1, "naps": _NAPS, "cpus": _SHARE}
        return (Case(experiment=self.name, parameters=parameters),)

    @override
    def needs(self, case: Case) -> frozenset[Capability]:
        return frozenset({Capability.FRACTIONAL_CPUS})

    @override
    def opening(self, case: Case, workers: int) -> Opening:
        return Opening(workers=workers, smallest_share=_SHARE, label=self.name)

    @override
    def expected_s(self, plan: Plan, case: Case, pace: Pace) -> float:
        alone_s = int(case.parameters["images"]) * pace.image_s / pace.workers
        loads_s = 5.0 * (_NAPS + pace.workers) / pace.workers
        return loads_s + alone_s * (1 + _NAP_OF_IMAGES + _NAP_OF_IMAGES + 0.5)

    @override
    def measure(self, bench: Bench, case: Case) -> Iterator[TaskRun]:
        count = int(case.parameters["images"])

        def images(part: str) -> TaskRun:
            tasks = image_tasks(bench.plan, bench.label(), count=count, chunk=1)
            return bench.run(refine(case, part=part), tasks, items=count)

        _load_everywhere(bench, case)
        alone = images(IMAGES)
        yield alone
        seconds = alone.makespan_s * _NAP_OF_IMAGES

        def naps(part: str) -> TaskRun:
            tasks = [sleep.task(bench.label(), seconds)] * _NAPS
            return bench.run(refine(case, part=part), tasks, cpus=_SHARE)

        yield naps(NAPS)
        # The naps first: a queue of images would have all cores until its end.
        yield from bench.together(lambda: naps(NAPS_TOGETHER), lambda: images(IMAGES_TOGETHER))

    @override
    def metrics(self, plan: Plan, case: Case) -> tuple[Metric[Runs], ...]:
        return (
            metric("images_alone", "s", Better.LOWER, lambda runs: runs[IMAGES].makespan_s),
            metric("naps_alone", "s", Better.LOWER, lambda runs: runs[NAPS].makespan_s),
            metric("together", "s", Better.LOWER, _together_s),
            metric("hybrid_gain", "× one after the other", Better.HIGHER, _gain),
        )


def _load_everywhere(bench: Bench, case: Case) -> None:
    """Classify an image in every process that the engine may use, naps included, since an engine
    gives a task to whatever process is idle.
    """
    wanted = _NAPS + bench.plan.workers
    share = bench.plan.workers / wanted
    seen = -1
    for _ in range(_WARM_UP_WAVES):
        tasks = image_tasks(bench.plan, bench.label(), count=1, chunk=1) * wanted
        run = bench.run(case, tasks, items=wanted, cpus=round(share, 2))
        if run.errors:
            raise EngineError(f"the warm-up failed:\n{run.errors[0]}")
        loaded = run.set_ups
        if loaded == 0 and seen == 0:
            return
        seen = loaded
    raise EngineError(f"processes without the model took tasks in {_WARM_UP_WAVES} waves")


def _together_s(runs: Runs) -> float:
    """Seconds from the first submission of both until the last result of both."""
    both = (runs[NAPS_TOGETHER], runs[IMAGES_TOGETHER])
    ended_s = max(run.submitted_s + run.makespan_s for run in both)
    return ended_s - min(run.submitted_s for run in both)


def _gain(runs: Runs) -> float:
    apart_s = runs[IMAGES].makespan_s + runs[NAPS].makespan_s
    return apart_s / _together_s(runs)
