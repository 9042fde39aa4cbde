"""Which engine is done first, with its start, on engines of known costs."""

import pytest

from compare.observations.series import Row
from compare.records.plan import SERIAL
from tests.compare import fakes
from tests.compare.analysed import rows
from tests.compare.fake_bench import FakeEngine

FIRST_S = 0.01
"""Of the first result, on every engine."""
COSTS = {
    SERIAL: FakeEngine(per_task_s=2e-6, fixed_s=1e-5, open_s=0.001),
    "multiprocessing": FakeEngine(per_task_s=2e-5, fixed_s=1e-4, open_s=0.3),
    "ray": FakeEngine(per_task_s=2e-4, fixed_s=1e-3, open_s=3.0),
    "dask": FakeEngine(per_task_s=2e-3, fixed_s=1e-3, open_s=0.8),
    "spark": FakeEngine(per_task_s=2e-3, fixed_s=1e-3, open_s=6.0),
}
WORKERS = 2


def found(
    experiment: str = "done_first", *, noise: float = 0.001, blocks: int = 4, seed: int = 0
) -> dict[tuple[str, float], Row]:
    of = fakes.plan(experiments=("overhead",), blocks=blocks, workload=None, engines=tuple(COSTS))
    run = fakes.run(of, engines=COSTS, noise=noise, block_noise=noise, seed=seed)
    return {
        (row.engine, float(row.case["work_s"])): row
        for row in rows(run)
        if row.experiment == experiment
    }


def takes_over(before: str, after: str, task_s: float, workers: tuple[int, int]) -> float:
    """The number of tasks at which the one is 5% later, by hand: a line against another."""
    ours, theirs = COSTS[before], COSTS[after]
    per_task_s = [
        task_s / own + engine.per_task_s
        for engine, own in zip((ours, theirs), workers, strict=True)
    ]
    starts_s = [FIRST_S + engine.open_s + engine.fixed_s for engine in (ours, theirs)]
    return (1.05 * starts_s[1] - starts_s[0]) / (per_task_s[0] - 1.05 * per_task_s[1])


@pytest.mark.parametrize("task_s", [0.001, 0.01, 0.1])
def test_the_pool_takes_over_where_its_start_is_paid_back(task_s: float) -> None:
    row = found()["multiprocessing", task_s]
    assert row.value is not None
    wanted = takes_over(SERIAL, "multiprocessing", task_s, (1, WORKERS))
    # One task more, because the last of them may be alone on two workers.
    assert wanted * 0.93 <= float(row.value) <= wanted * 1.07 + 1
    assert found()[SERIAL, task_s].value == 1
    assert row.unit == "tasks"


def test_of_the_engines_on_several_hosts_the_cheap_one_takes_over_from_the_quick_one() -> None:
    among = found("done_first_on_hosts")
    assert {engine for engine, _ in among} == {"ray", "dask", "spark"}
    wanted = takes_over("dask", "ray", 0.001, (WORKERS, WORKERS))
    assert float(among["ray", 0.001].value or 0) == pytest.approx(wanted, rel=0.07)
    assert among["dask", 0.001].value == 1


def test_an_engine_that_never_takes_over_says_so() -> None:
    row = found("done_first_on_hosts")["spark", 0.001]
    assert (row.value, row.n, row.verdict) == (None, 0, "never by 5%")
    # With long tasks none is 5% earlier than the one that was there first.
    assert found("done_first_on_hosts")["ray", 1.0].verdict == "never by 5%"


def test_the_interval_of_a_boundary_is_that_over_the_blocks() -> None:
    low, high = [], []
    wanted = takes_over(SERIAL, "multiprocessing", 0.01, (1, WORKERS))
    for seed in range(4):
        row = found(noise=0.05, seed=seed)["multiprocessing", 0.01]
        assert row.low is not None
        assert row.high is not None
        assert row.low < float(row.value or 0) < row.high
        assert len(row.values) == row.n == 3  # of four: the serial loop is swept in three
        low.append(row.low)
        high.append(row.high)
    assert (
        sum(a <= wanted * 1.05 and b >= wanted * 0.95 for a, b in zip(low, high, strict=True)) >= 3
    )


def test_two_blocks_give_no_interval() -> None:
    row = found(blocks=2)["multiprocessing", 0.01]
    assert row.value is not None
    assert (row.low, row.high, row.n) == (None, None, 2)


def test_a_run_without_overhead_has_no_such_rows() -> None:
    run = fakes.run(fakes.plan(experiments=("throughput",)))
    assert not [row for row in rows(run) if row.experiment.startswith("done_first")]


def test_an_engine_whose_costs_are_not_known_says_why() -> None:
    of = fakes.plan(experiments=("overhead",), blocks=2, workload=None, engines=tuple(COSTS))
    run = fakes.run(of, engines=COSTS)
    for block in (1, 2):
        run = fakes.failed(run, f"{block}-ray", "out of memory")
    told = {
        row.verdict for row in rows(run) if row.experiment == "done_first" and row.engine == "ray"
    }
    assert told == {"failed: out of memory"}
