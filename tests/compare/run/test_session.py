"""What a session does when the machine changes under it."""

from collections.abc import Sequence
from dataclasses import replace

import pytest

from compare.measure.bench import Bench
from compare.records.measurements import Calibration, Record
from compare.records.plan import SERIAL, Case
from compare.run.session import measure
from tests.compare import fakes
from workload.kernels import spin

pytestmark = pytest.mark.alone

FAST, SLOW = 1.0, 4.0
QUIET_BATCHES = 4
"""Calibrations on busy cores before the speed changes."""


@pytest.mark.timeout(60)
@pytest.mark.parametrize(
    ("speeds", "kept"),
    [
        ((FAST, FAST), [(FAST, FAST)]),
        ((SLOW, SLOW), [(SLOW, SLOW)]),
        ((SLOW, FAST, FAST, FAST), [(SLOW, FAST), (FAST, FAST)]),
        ((FAST, SLOW, FAST, SLOW), [(FAST, SLOW), (FAST, SLOW)]),
        ((FAST, SLOW, SLOW, SLOW), [(FAST, SLOW), (SLOW, SLOW)]),
    ],
    ids=["steady", "steadily slow", "faster", "slower each time", "slow for good"],
)
def test_a_sweep_in_which_the_speed_changed_is_measured_once_again(
    monkeypatch: pytest.MonkeyPatch,
    speeds: Sequence[float],
    kept: Sequence[tuple[float, float]],
) -> None:
    unit_s = spin.iteration_s()
    told = 0

    def calibrated(bench: Bench, *, patient: bool) -> float:
        nonlocal told
        assert not patient  # busy cores decide
        found_s = unit_s * speeds[told]
        told += 1
        bench.fastest_s = min(found_s, bench.fastest_s)
        return found_s

    def calibrated_busy(bench: Bench) -> None:
        changed = len(bench.busy_s) >= QUIET_BATCHES
        bench.busy_s.append(unit_s * speeds[told if changed else told - 1])

    monkeypatch.setattr(Bench, "calibrate", calibrated)
    monkeypatch.setattr(Bench, "calibrate_busy", calibrated_busy)
    plan = fakes.plan(engines=(SERIAL,))
    case = Case(experiment="overhead", parameters={"point_s": 0.01})
    session = replace(
        next(one for one in plan.sessions if one.engine == SERIAL), label="", cases=(case,)
    )
    records: list[Record] = []
    measure(session, replace(plan, sessions=(session,)), records.append)
    found = [
        (one.before_s / unit_s, one.after_s / unit_s)
        for one in records
        if isinstance(one, Calibration)
    ]
    assert found == [pytest.approx(pair) for pair in kept]
    assert told == len(speeds)
