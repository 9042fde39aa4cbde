"""Payload tasks detect damaged bytes and return the requested number of bytes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workload.kernels import payload
from workload.task import run_task


@pytest.mark.parametrize("size", [1, 63, 1000, 1_000_000])
def test_a_task_accepts_bytes_that_arrive_unchanged(size: int) -> None:
    task = payload.task_in("in", size, number=3)
    assert len(task.payload[0]) == size
    report = run_task(task)
    assert (report.error, report.output) == (None, None)


def test_a_task_reports_truncated_or_changed_bytes() -> None:
    task = payload.task_in("cut", 1000, number=3)
    content, fingerprint = task.payload
    for other in (content[:-1], bytes(1000)):
        report = run_task(task._replace(payload=(other, fingerprint)))
        assert report.error is not None
        assert "arrived instead of" in report.error


@given(size=st.integers(1, 5000))
def test_a_task_returns_the_requested_number_of_bytes(size: int) -> None:
    assert len(run_task(payload.task_out("out", size)).output) == size


def test_no_two_tasks_of_a_batch_carry_the_same_bytes() -> None:
    contents = {payload.task_in("in", 1000, number).payload[0] for number in range(50)}
    assert len(contents) == 50
