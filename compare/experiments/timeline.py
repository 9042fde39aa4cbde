"""Who ran what when, with tasks that wait: blocking their worker, and not blocking it."""

from collections.abc import Iterator

from typing_extensions import override

from compare.bench import Bench
from compare.experiments.base import Experiment, Pace
from compare.presets import Preset
from compare.records import Case, Plan, TaskRun, Workload
from engines.interface import Capability
from workload.kernels import sleep
from workload.task import run_packed_async

BLOCKING, AWAITED = "blocking", "awaited"
_TASKS_PER_WORKER = 4


class Timeline(Experiment):
    """The same sleeping tasks twice."""

    name = "timeline"

    @override
    def cases(self, preset: Preset, workload: Workload | None, workers: int) -> tuple[Case, ...]:
        return tuple(
            Case(
                experiment=self.name,
                parameters={
                    "how": how,
                    "tasks": _TASKS_PER_WORKER * workers,
                    "seconds": preset.wait_s,
                },
            )
            for how in (BLOCKING, AWAITED)
        )

    @override
    def needs(self, case: Case) -> frozenset[Capability]:
        awaited = case.parameters["how"] == AWAITED
        return frozenset({Capability.AWAITS} if awaited else ())

    @override
    def expected_s(self, plan: Plan, case: Case, pace: Pace) -> float:
        seconds = float(case.parameters["seconds"])
        if case.parameters["how"] == AWAITED:
            return 2 * seconds
        return (1 + int(case.parameters["tasks"]) / pace.workers) * seconds

    @override
    def measure(self, bench: Bench, case: Case) -> Iterator[TaskRun]:
        count, seconds = int(case.parameters["tasks"]), float(case.parameters["seconds"])
        if case.parameters["how"] == BLOCKING:
            yield bench.run(case, [sleep.task(bench.label(), seconds)] * count)
            return
        # Twice: an engine may start what awaits (actors) in the first.
        for _ in range(2):
            tasks = [sleep.awaited_task(bench.label(), seconds)] * count
            run = bench.run(
                case, tasks, send=lambda packed: bench.engine.run_async(run_packed_async, packed)
            )
        yield run
