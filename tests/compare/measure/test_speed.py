"""The kernel on busy cores, with real processes."""

import psutil
import pytest

from compare.measure.speed import BusyCores
from workload.kernels import spin

pytestmark = pytest.mark.alone


@pytest.mark.timeout(60)
def test_busy_cores_are_about_as_fast_as_an_idle_one_and_leave_no_process() -> None:
    before = psutil.Process().children(recursive=True)
    with BusyCores(2) as cores:
        busy_s = min(cores.iteration_s() for _ in range(5))
        assert len(psutil.Process().children(recursive=True)) == len(before) + 2
    # Hardware threads of one core may halve each other's speed.
    assert 0.7 < busy_s / spin.iteration_s() < 3
    assert psutil.Process().children(recursive=True) == before


@pytest.mark.timeout(60)
def test_more_workers_than_cores_share_the_cores() -> None:
    with BusyCores(1) as one, BusyCores(64) as many:
        assert many.iteration_s() > 10 * one.iteration_s() / psutil.cpu_count()
