"""``run_task`` and the simple kernels, on which every engine relies."""

import math
import os
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from workload import task
from workload.interface import Kernel, Task
from workload.kernels import noop, sleep, spin
from workload.task import run_task


def test_a_report_contains_the_output_the_worker_and_the_thread() -> None:
    report = run_task(sleep.task("who", 0.01))
    assert report.output is None
    assert report.error is None
    assert report.worker.endswith(f":{os.getpid()}")
    assert report.thread == threading.get_native_id()
    assert report.niceness == os.getpriority(os.PRIO_PROCESS, 0)
    assert report.ended_s - report.started_s >= 0.01


def test_a_kernel_that_raises_is_reported_with_its_error() -> None:
    report = run_task(sleep.task("negative", -1.0))
    assert report.output is None
    assert report.error is not None
    assert "ValueError: sleep length must be non-negative" in report.error


@pytest.mark.parametrize("broken", [Task("noop", (1,), "setting", None), Task("no", (), "no", 1)])
def test_a_set_up_that_raises_is_reported_with_its_traceback(broken: Task) -> None:
    report = run_task(broken)
    assert report.error is not None
    assert report.error.startswith("Traceback")


def test_every_call_of_a_case_is_counted_even_if_it_fails() -> None:
    calls = [run_task(sleep.task("count", seconds)).call for seconds in (0.0, -1.0, 0.0)]
    assert calls == [1, 2, 3]
    assert run_task(sleep.task("another count", 0.0)).call == 1


def test_concurrent_threads_set_up_the_kernel_once_and_count_every_call(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    loads = []

    def slow_load() -> Kernel:
        loads.append(threading.get_ident())
        time.sleep(0.1)
        return abs

    monkeypatch.setattr(noop, "load", slow_load)
    monkeypatch.setattr(task, "_kernels", {})
    with ThreadPoolExecutor(8) as threads:
        reports = list(threads.map(run_task, [Task("noop", (), "race", -3)] * 32))
    assert len(loads) == 1
    assert {report.output for report in reports} == {3}
    assert sorted(report.call for report in reports) == list(range(1, 33))
    assert sum(report.set_up_s >= 0.1 for report in reports) >= 1


def test_the_second_task_needs_no_set_up() -> None:
    run_task(noop.task("warm"))
    assert run_task(noop.task("warm")).set_up_s == 0.0


def test_a_noop_task_returns_none() -> None:
    assert run_task(noop.task("nothing")).output is None


@pytest.mark.parametrize(("expected_s", "measured_s"), [(math.inf, 16e-9), (10e-9, 10e-9)])
def test_a_calibration_waits_until_the_machine_is_as_fast_as_expected(
    monkeypatch: pytest.MonkeyPatch, expected_s: float, measured_s: float
) -> None:
    passed_s = 0.0

    def simulated_spin_s(iterations: int) -> float:
        nonlocal passed_s
        took_s = iterations * (16e-9 if passed_s < 2 else 10e-9)
        passed_s += took_s
        return took_s

    def sleep(seconds: float) -> None:
        nonlocal passed_s
        passed_s += seconds

    monkeypatch.setattr(spin, "_spin_s", simulated_spin_s)
    monkeypatch.setattr("time.sleep", sleep)
    assert spin.iteration_s(expected_s) == pytest.approx(measured_s)


def test_calibrated_work_takes_about_the_requested_time() -> None:
    iterations = round(0.05 / spin.iteration_s())
    fastest_s = min(
        report.ended_s - report.started_s
        for report in (run_task(spin.task("calibrated", iterations)) for _ in range(10))
    )
    # Wide limits, because a busy machine disturbs the calibration and the task differently.
    assert 0.025 < fastest_s < 0.2
