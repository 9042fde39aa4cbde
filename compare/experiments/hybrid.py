"""Work for the cores and tasks that only wait, together and one after the other.

A task that waits asks for a tenth of a core, so others can use what it leaves: the claim of the
talk that this project grew from.
"""

from collections.abc import Iterator

from typing_extensions import override

from compare.bench import Bench, refine
from compare.experiments.base import Experiment, Opening, Pace
from compare.experiments.images import image_tasks
from compare.experiments.together import together
from compare.presets import Preset
from compare.records import Case, Plan, TaskRun, Workload
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


class Hybrid(Experiment):
    """One case, four runs: each kind alone, and both at once."""

    name = "hybrid"
    needs_images = True
    with_ceiling = False

    @override
    def cases(self, preset: Preset, workload: Workload | None, workers: int) -> tuple[Case, ...]:
        if workload is None:
            raise ValueError("hybrid needs a workload")
        count = min(max(preset.some_images, _WAVES * workers), len(workload.images))
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
        yield from together(lambda: naps(NAPS_TOGETHER), lambda: images(IMAGES_TOGETHER))


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
