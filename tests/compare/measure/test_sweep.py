"""The sweep over task sizes, on an engine of known cost."""

from dataclasses import replace

import pytest

from compare.measure.bench import Bench
from compare.measure.sweep import Sweep
from compare.observations.metg import Point, metg, point
from compare.records.measurements import TaskRun
from compare.records.plan import Case
from engines._stdlib.pool import ProcessEngine
from tests.compare import fakes

pytestmark = pytest.mark.alone

COST_S = 0.001
"""Paid in each worker."""
LONGER = 3.0
"""What a batch takes in a slow moment of the machine."""


class Swept:
    """Sizes that were asked for, and what came out, with one slow moment."""

    def __init__(self, slow: int | None) -> None:
        plan = fakes.plan()
        session = next(one for one in plan.sessions if one.engine == "multiprocessing")
        bench = Bench(ProcessEngine.__new__(ProcessEngine), plan, session)
        bench.iteration_s = fakes.ITERATION_S
        self.workers = bench.workers
        self.sizes: list[int] = []
        self._slow = slow
        case = Case(experiment="overhead", parameters={"point_s": 0.1})
        found: dict[int, Point] = {}
        for run in Sweep(bench, case, self._batch).run():
            iterations = int(run.case.parameters["iterations"])
            self.sizes.append(iterations)
            one = point(
                makespan_s=run.makespan_s,
                workers=self.workers,
                tasks=run.tasks,
                work_s=iterations * fakes.ITERATION_S,
            )
            found[iterations] = max(found.get(iterations, one), one, key=lambda o: o.efficiency)
        self.points = list(found.values())

    def _batch(self, iterations: int, count: int) -> TaskRun:
        makespan_s = count / self.workers * (COST_S + iterations * fakes.ITERATION_S)
        if iterations and len(self.sizes) == self._slow:
            makespan_s *= LONGER
        case = Case(experiment="overhead", parameters={"iterations": iterations})
        return replace(fakes.task_run(), case=case, tasks=count, makespan_s=makespan_s)


def test_the_size_that_an_engine_fails_at_is_measured_once_more() -> None:
    swept = Swept(slow=None)
    repeated = {size for size in swept.sizes if swept.sizes.count(size) > 1}
    assert 1 <= len(repeated) <= 2  # one for 50%, one for 90%
    assert max(map(swept.sizes.count, repeated)) == 2
    assert metg(swept.points, 0.5) == pytest.approx(2 * COST_S, rel=0.05)


@pytest.mark.parametrize("slow", range(8))
def test_a_slow_moment_of_the_machine_does_not_change_metg(slow: int) -> None:
    assert metg(Swept(slow).points, 0.5) == pytest.approx(2 * COST_S, rel=0.1)
