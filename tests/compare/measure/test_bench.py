"""What the harness itself costs: measured with an engine that costs nothing."""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import ClassVar, Self

import pytest
from typing_extensions import override

from compare.measure.bench import Bench
from compare.records.plan import Case
from engines.interface import Capability, Engine, Input, Output, OwnSpan, Resources, Setting
from tests.compare import fakes
from workload.kernels import noop, sleep
from workload.task import run_packed

pytestmark = pytest.mark.alone

TASKS = 5000
FEW = 1000
"""Their batch lasts 0.2 ms: of many batches, some are disturbed by nothing."""
MOST_S = 50e-6
MOST_INSIDE_S = 1e-6
"""Of a task, while the clock runs: seen are 0.15 µs, 0.01 of them for timing itself."""


class FreeEngine(Engine):
    """Has every result from the start."""

    name: ClassVar[str] = "free"
    summary: ClassVar[str] = "gives back what it was made with"
    capabilities: ClassVar[frozenset[Capability]] = frozenset()

    def __init__(self, tasks: int = TASKS) -> None:
        self._reports = [run_packed(tuple(noop.task("free"))) for _ in range(tasks)]

    @override
    @classmethod
    @contextmanager
    def open(cls, resources: Resources) -> Iterator[Self]:
        yield cls()

    @override
    def run(
        self,
        function: Callable[[Input], Output],
        inputs: Sequence[Input],
        *,
        cpus: float = 1.0,
        slots: float | None = None,
    ) -> Iterator[tuple[int, Output]]:
        yield from enumerate(self._reports)

    @override
    def workers(self) -> int:
        return 1

    @override
    def settings(self) -> tuple[Setting, ...]:
        return ()


def test_the_harness_takes_less_than_50_microseconds_a_task() -> None:
    plan = fakes.plan()
    bench = Bench(FreeEngine(), plan, plan.sessions[0])
    case = Case(experiment="overhead", parameters={})
    seconds = []
    for _ in range(5):
        started_s = time.perf_counter()
        run = bench.run(case, [noop.task("free")] * TASKS)
        seconds.append((time.perf_counter() - started_s) / TASKS)
        assert run.received == (1,) * TASKS
    # The quickest: whatever else runs on the machine can only add to it.
    assert min(seconds) < MOST_S


def test_of_an_engine_that_costs_nothing_all_the_makespan_is_the_harness() -> None:
    plan = fakes.plan()
    bench = Bench(FreeEngine(FEW), plan, plan.sessions[0])
    case = Case(experiment="overhead", parameters={})
    runs = [bench.run(case, [noop.task("free")] * FEW) for _ in range(100)]
    # The quickest of each: whatever else runs on the machine can only add to it.
    makespan_s = min(run.makespan_s for run in runs)
    assert makespan_s / FEW < MOST_INSIDE_S
    # The rest is the engine's: its generator goes on to the next result.
    assert 0.3 < min(run.harness_s for run in runs) / makespan_s < 1.2


class SlowEngine(FreeEngine):
    """Needs a moment before each result."""

    @override
    def run(
        self,
        function: Callable[[Input], Output],
        inputs: Sequence[Input],
        *,
        cpus: float = 1.0,
        slots: float | None = None,
    ) -> Iterator[tuple[int, Output]]:
        for index, value in enumerate(inputs):
            time.sleep(0.001)
            yield index, function(value)


def test_what_an_engine_takes_is_not_counted_as_the_harness() -> None:
    plan = fakes.plan()
    bench = Bench(SlowEngine(), plan, plan.sessions[0])
    run = bench.run(Case(experiment="overhead", parameters={}), [noop.task("slow")] * 200)
    assert run.makespan_s > 0.2
    assert run.harness_s < 0.01 * run.makespan_s


class RecordingEngine(FreeEngine):
    """Keeps a record of its own, with the time of day."""

    @override
    def run(
        self,
        function: Callable[[Input], Output],
        inputs: Sequence[Input],
        *,
        cpus: float = 1.0,
        slots: float | None = None,
    ) -> Iterator[tuple[int, Output]]:
        self.began_s = time.time()
        yield from ((index, function(value)) for index, value in enumerate(inputs))
        self.ended_s = time.time()

    @override
    def own_trace(self) -> tuple[OwnSpan, ...]:
        return (OwnSpan(name="all", worker="me", start_s=self.began_s, end_s=self.ended_s),)


def test_an_engines_own_record_is_put_on_the_axis_of_the_runs() -> None:
    plan = fakes.plan()
    bench = Bench(RecordingEngine(), plan, plan.sessions[0])
    time.sleep(0.2)
    run = bench.run(Case(experiment="timeline", parameters={}), [sleep.task("rest", 0.1)] * 3)
    (own,) = bench.own_trace().spans
    assert (own.name, own.worker) == ("all", "me")
    assert own.start_s == pytest.approx(run.submitted_s, abs=0.02)
    assert own.end_s == pytest.approx(run.submitted_s + run.makespan_s, abs=0.02)
    assert run.submitted_s > 0.2
