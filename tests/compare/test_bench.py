"""What the harness itself costs: measured with an engine that costs nothing."""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import ClassVar, Self

from typing_extensions import override

from compare.bench import Bench
from compare.records import Case
from engines.interface import Capability, Engine, Input, Output, Resources, Setting
from tests.compare import fakes
from workload import noop
from workload.task import run_packed

TASKS = 5000
MOST_S = 50e-6


class FreeEngine(Engine):
    """Has every result from the start."""

    name: ClassVar[str] = "free"
    summary: ClassVar[str] = "gives back what it was made with"
    capabilities: ClassVar[frozenset[Capability]] = frozenset()

    def __init__(self) -> None:
        self._reports = [run_packed(tuple(noop.task("free"))) for _ in range(TASKS)]

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
