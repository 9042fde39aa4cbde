"""Images per second against images per task: where the cost of distribution is amortised."""

from collections.abc import Iterator

from typing_extensions import override

from compare.bench import Bench
from compare.experiments.base import Experiment, Pace
from compare.experiments.images import image_tasks
from compare.presets import Preset
from compare.records import Case, Plan, TaskRun, Workload
from engines.interface import Capability

_CHUNKS = (1, 2, 4, 8, 15, 30, 60)


class Granularity(Experiment):
    """A case for each size of task that the images suffice for: one task a worker at least."""

    name = "granularity"
    classifies = True
    needs_images = True

    @override
    def cases(self, preset: Preset, workload: Workload | None, workers: int) -> tuple[Case, ...]:
        if workload is None:
            raise ValueError("granularity needs a workload")
        most = len(workload.images)
        return tuple(
            Case(
                experiment=self.name,
                parameters={"chunk": chunk, "images": _images(chunk, workers, preset, most)},
            )
            for chunk in _CHUNKS
            if chunk * workers <= most or chunk == 1
        )

    @override
    def needs(self, case: Case) -> frozenset[Capability]:
        # What the size of a batch does to the model alone is seen on the ceiling, in half the time.
        return frozenset({Capability.PARALLEL})

    @override
    def expected_s(self, plan: Plan, case: Case, pace: Pace) -> float:
        return int(case.parameters["images"]) * pace.image_s / pace.workers

    @override
    def measure(self, bench: Bench, case: Case) -> Iterator[TaskRun]:
        chunk, count = int(case.parameters["chunk"]), int(case.parameters["images"])
        tasks = image_tasks(bench.plan, bench.label(), count=count, chunk=chunk)
        yield bench.run(case, tasks, items=count)


def _images(chunk: int, workers: int, preset: Preset, most: int) -> int:
    """As many full waves as the preset has images for, one at least."""
    wave = chunk * workers
    return min(max(preset.some_images // wave, 1) * wave, most)
