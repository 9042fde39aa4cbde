"""The tasks of a graph receive the outputs that they need, and detect wrong ones."""

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workload.interface import PackedReport, TaskReport
from workload.kernels import noop, pattern, sleep
from workload.task import run_packed, run_packed_after, run_packed_async


def run_in_order(layers: pattern.Layers) -> list[TaskReport]:
    """Run the tasks in the order of an engine with one worker."""
    reports: list[TaskReport] = []
    previous: list[PackedReport] = []
    for layer in layers:
        current = [
            run_packed_after(tuple(task), tuple(previous[place] for place in places))
            for task, places in layer
        ]
        reports += [TaskReport(*report) for report in current]
        previous = current
    return reports


@given(width=st.integers(1, 6), steps=st.integers(1, 5))
def test_every_task_of_a_stencil_receives_the_outputs_that_it_needs(width: int, steps: int) -> None:
    reports = run_in_order(pattern.stencil("stencil", width, steps, 1))
    assert [report.error for report in reports] == [None] * (width * steps)
    assert [report.output for report in reports] == list(range(width * steps))


@given(exponent=st.integers(0, 6))
def test_a_tree_with_n_leaves_has_2n_minus_1_tasks_and_ends_in_one(exponent: int) -> None:
    layers = pattern.tree("tree", 2**exponent, 1)
    assert len(layers[-1]) == 1
    assert sum(map(len, layers)) == 2 ** (exponent + 1) - 1
    assert all(report.error is None for report in run_in_order(layers))


def test_edge_tasks_of_a_stencil_need_two_outputs_and_inner_tasks_need_three() -> None:
    _, second = pattern.stencil("edges", 4, 2, 1)
    assert [places for _, places in second] == [(0, 1), (0, 1, 2), (1, 2, 3), (2, 3)]


@pytest.mark.parametrize("swapped", [(1, 0), (0, 0), (0,), ()])
def test_a_task_that_receives_wrong_outputs_reports_an_error(swapped: tuple[int, ...]) -> None:
    first, (last,) = pattern.tree("swapped", 2, 1)
    reports = [run_packed_after(tuple(task), ()) for task, _ in first]
    report = TaskReport(*run_packed_after(tuple(last[0]), tuple(reports[x] for x in swapped)))
    assert report.error is not None
    assert "task 2 needs the results of (0, 1)" in report.error


def test_a_task_fails_if_a_task_that_it_needs_has_failed() -> None:
    first, (last,) = pattern.tree("failed", 2, 1)
    good = run_packed_after(tuple(first[0][0]), ())
    bad = run_packed(tuple(noop.task("failed")._replace(payload=1, workload="no_such_workload")))
    report = TaskReport(*run_packed_after(tuple(last[0]), (good, bad)))
    assert report.error is not None


def test_coroutines_wait_concurrently() -> None:
    async def all_at_once() -> list[TaskReport]:
        tasks = [run_packed_async(tuple(sleep.awaited_task("awaited", 0.2))) for _ in range(20)]
        return [TaskReport(*report) for report in await asyncio.gather(*tasks)]

    reports = asyncio.run(all_at_once())
    assert [report.error for report in reports] == [None] * 20
    assert max(r.ended_s for r in reports) - min(r.started_s for r in reports) < 1
    assert sorted(report.call for report in reports) == list(range(1, 21))


def test_a_coroutine_that_raises_is_reported_with_its_traceback() -> None:
    task = sleep.awaited_task("awaited and failed", 0.0)._replace(payload="soon")
    report = TaskReport(*asyncio.run(run_packed_async(tuple(task))))
    assert report.error is not None
    assert "TypeError" in report.error
