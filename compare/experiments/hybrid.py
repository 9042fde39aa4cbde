"""Tasks that compute and tasks that only wait, together and one kind after the other.

A waiting task asks for a tenth of a core, so other tasks can use the rest of the core.  The talk
from which this project started claims this gain.
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
"""Minimum images per worker: with fewer, rounding to whole waves hides the cost of the naps."""
_NAPS = 4
_NAP_OF_IMAGES = 1.5
"""Duration of a nap, relative to the images alone.  While the naps hold a part of one core, images
have one core less; with this ratio and two cores, that costs less than half of the gain."""
_WARM_UP_WAVES = 20

_SECTION = Section(
    title="Hybrid runs",
    explanation="""Image tasks ask for one core each; four other tasks, the naps, ask for 0.1 of a
core each and sleep 1.5 times as long as the images take alone.  *Together* is the time from the
first submission until the last result of both kinds.  The *gain* is the time of one kind after the
other, divided by the time together.  An engine that schedules by shares runs images at the same
time as naps.  On two cores, the naps hold a part of one core and images use the other, so the
largest possible gain is (1 + 1.5) / 1.75 = 1.43.  Every process has loaded the model before.""",
    table=Columns(
        columns=(
            Column(metric="images_alone", heading="images alone"),
            Column(metric="naps_alone", heading="naps alone"),
            Column(metric="together", heading="together"),
            Column(metric="hybrid_gain", heading="gain (×)"),
        )
    ),
)


class Hybrid(Experiment):
    """One case with four batches: each kind alone, then both at once."""

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
        # The naps first, because a queue of images would occupy all cores until its end.
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
    """Classify an image in every process that the engine may use, including those for naps, because
    an engine gives a task to any idle process.
    """
    wanted = _NAPS + bench.plan.workers
    share = bench.plan.workers / wanted
    seen = -1
    for _ in range(_WARM_UP_WAVES):
        tasks = image_tasks(bench.plan, bench.label(), count=1, chunk=1) * wanted
        run = bench.run(case, tasks, items=wanted, cpus=round(share, 2))
        if run.errors:
            cause = run.errors[0].strip().splitlines()[-1]
            raise EngineError(f"the warm-up failed: {cause}\n{run.errors[0]}")
        loaded = run.set_ups
        if loaded == 0 and seen == 0:
            return
        seen = loaded
    raise EngineError(f"processes without the model still took tasks after {_WARM_UP_WAVES} waves")


def _together_s(runs: Runs) -> float:
    """Seconds from the first submission of both until the last result of both."""
    both = (runs[NAPS_TOGETHER], runs[IMAGES_TOGETHER])
    ended_s = max(run.submitted_s + run.makespan_s for run in both)
    return ended_s - min(run.submitted_s for run in both)


def _gain(runs: Runs) -> float:
    apart_s = runs[IMAGES].makespan_s + runs[NAPS].makespan_s
    return apart_s / _together_s(runs)
