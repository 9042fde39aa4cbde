"""Bytes arrive whole, and as many come back as were asked for."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from workload.kernels import payload
from workload.task import run_task


@pytest.mark.parametrize("size", [1, 63, 1000, 1_000_000])
def test_bytes_that_arrive_whole_raise_nothing(size: int) -> None:
    task = payload.task_in("in", size, number=3)
    assert len(task.payload[0]) == size
    report = run_task(task)
    assert (report.error, report.output) == (None, None)


def test_bytes_that_were_cut_or_changed_are_noticed() -> None:
    task = payload.task_in("cut", 1000, number=3)
    content, fingerprint = task.payload
    for other in (content[:-1], bytes(1000)):
        report = run_task(task._replace(payload=(other, fingerprint)))
        assert report.error is not None
        assert "arrived instead of" in report.error


@settings(deadline=None)  # the first call imports
@given(size=st.integers(1, 5000))
def test_as_many_bytes_come_back_as_were_asked_for(size: int) -> None:
    assert len(run_task(payload.task_out("out", size)).output) == size


def test_no_two_tasks_of_a_batch_carry_the_same_bytes() -> None:
    contents = {payload.task_in("in", 1000, number).payload[0] for number in range(50)}
    assert len(contents) == 50
