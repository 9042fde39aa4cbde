"""The kernel on busy cores, with real processes."""

import psutil
import pytest

from compare.measure.speed import BusyCores
from compare.run.leftovers import command_line, descendants
from workload.kernels import spin

pytestmark = pytest.mark.alone


def spinning() -> list[psutil.Process]:
    return [process for process in descendants() if "spawn_main" in command_line(process)]


@pytest.mark.timeout(60)
def test_busy_cores_are_about_as_fast_as_an_idle_one_and_leave_no_process() -> None:
    with BusyCores(2, spin.iteration_s()) as cores:
        busy_s = min(cores.iteration_s() for _ in range(5))
        assert len(spinning()) == 2
    # Hardware threads of one core may halve each other's speed.
    assert 0.7 < busy_s / spin.iteration_s() < 3
    assert spinning() == []


@pytest.mark.timeout(60)
def test_more_workers_than_cores_share_the_cores() -> None:
    idle_s = spin.iteration_s()
    with BusyCores(1, idle_s) as one, BusyCores(64, idle_s) as many:
        assert many.iteration_s() > 10 * one.iteration_s() / psutil.cpu_count()
