"""The granularities of a sweep whose cores were slowed down, by others or by the engine itself."""

import math
import random
from dataclasses import replace
from statistics import fmean

import pytest
from hypothesis import given
from hypothesis import strategies as st

from compare.observations import sweeps
from compare.observations.sweeps import (
    around,
    lasting_share,
    on_average,
    points_so_far,
    swept_of,
)
from compare.records.measurements import Calibration, Record, Run, TaskRun
from tests.compare import fakes
from tests.compare.analysed import rows

SLOWER, SLOWER_AT_THE_END = 1.6, 1.5
"""The second so little that the sweep still counts."""


def metg50(run: Run) -> tuple[float, ...]:
    (row,) = (
        row for row in rows(run) if (row.engine, row.metric) == ("ray", "metg50") and row.values
    )
    return row.values


def slowed(run: Run, session: str) -> Run:
    """The run on cores that are slower during a session, in all that is measured of a sweep."""

    def slow(record: Record) -> Record:
        if record.session != session:
            return record
        if isinstance(record, Calibration):
            return replace(record, busy_s=tuple(SLOWER * one for one in record.busy_s))
        if isinstance(record, TaskRun) and "iterations" in record.case.parameters:
            return replace(record, makespan_s=SLOWER * record.makespan_s)
        return record

    return replace(run, records=tuple(map(slow, run.records)))


def test_a_sweep_beside_another_program_is_given_at_the_usual_speed() -> None:
    quiet = fakes.run()
    busy = fakes.changed(slowed(quiet, "2-ray"), "2-ray", host_cpu_s=30.0)
    assert metg50(busy) == pytest.approx(metg50(quiet), rel=0.01)


def test_a_sweep_that_nobody_disturbed_is_given_as_it_was_measured() -> None:
    """What an engine does to the cores while it should rest must not make it look better."""
    quiet = fakes.run()
    first, second, third = metg50(quiet)
    assert metg50(slowed(quiet, "2-ray")) == pytest.approx((first, SLOWER * second, third))


def test_a_sweep_beside_another_program_that_is_not_slower_is_left_as_it_is() -> None:
    quiet = fakes.run()
    busy = fakes.changed(quiet, "2-ray", host_cpu_s=30.0)
    assert metg50(busy) == pytest.approx(metg50(quiet), rel=0.01)


def slower_at_the_end(run: Run, session: str) -> Run:
    """The run with a sweep whose cores are slower in its last third."""
    sized = [
        id(one)
        for one in run.records
        if isinstance(one, TaskRun) and one.session == session
        if one.case.parameters.get("iterations")
    ]
    late = set(sized[2 * (len(sized) // 3) :])

    def slow(record: Record) -> Record:
        if isinstance(record, TaskRun) and id(record) in late:
            return replace(record, makespan_s=SLOWER_AT_THE_END * record.makespan_s)
        if isinstance(record, Calibration) and record.session == session:
            begin = 1 + len(record.busy_s) - len(late) // 2 - 1
            kept, slower = record.busy_s[:begin], record.busy_s[begin:]
            return replace(record, busy_s=(*kept, *(SLOWER_AT_THE_END * one for one in slower)))
        return record

    return replace(run, records=tuple(map(slow, run.records)))


def busy_s(run: Run, session: str) -> float:
    (found,) = (
        one
        for one in run.records
        if isinstance(one, Calibration) and one.busy_s and one.session == session
    )
    return fmean(found.busy_s)


def test_a_sweep_on_cores_that_change_their_speed_is_given_at_their_mean_speed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    quiet = fakes.run()
    uneven = slower_at_the_end(quiet, "2-ray")
    assert len(metg50(uneven)) == len(metg50(quiet))
    slower = busy_s(uneven, "2-ray") / busy_s(quiet, "2-ray")
    assert 1.1 < slower < 1.4
    expected_s = slower * metg50(quiet)[1]
    found_s = metg50(uneven)[1]
    # The broken version: all batches against the mean of the sweep.
    monkeypatch.setattr(sweeps, "around", lambda busy_s, n: [sum(busy_s) / len(busy_s)] * n)
    broken_s = metg50(uneven)[1]
    assert abs(math.log(found_s / expected_s)) < abs(math.log(broken_s / expected_s)) * 2 / 3


def test_a_batch_has_the_calibrations_before_and_after_it_as_far_as_speeds_last() -> None:
    steady = (1.0, 1.0, 1.0, 1.0, 2.0, 2.0, 2.0, 2.0)
    found = around(steady, 14)
    assert lasting_share(steady) == pytest.approx(0.75)
    assert found[:8] == pytest.approx([1.5 * (1 / 1.5) ** 0.75] * 6 + [1.5] * 2)
    assert found[-2:] == pytest.approx([1.5 * (2 / 1.5) ** 0.75] * 2)
    # Between batches the speed goes up and down: it says nothing about any of them.
    assert around((1.0, 3.0, 1.0, 3.0, 1.0), 8) == [pytest.approx(1.8)] * 8
    assert around((2.0,), 3) == [2.0, 2.0, 2.0]


def test_of_noise_hardly_anything_lasts_and_of_a_drift_most() -> None:
    rng = random.Random(1)  # noqa: S311
    noise = [lasting_share([rng.gauss(1, 0.1) for _ in range(12)]) for _ in range(500)]
    drift = [
        lasting_share([1 + place / 12 + rng.gauss(0, 0.05) for place in range(12)])
        for _ in range(500)
    ]
    assert fmean(noise) < 0.15
    assert fmean(drift) > 0.8
    assert lasting_share([1.0] * 12) == 0


def test_a_sweep_that_is_measured_sees_the_efficiencies_of_the_analysis() -> None:
    run = slower_at_the_end(fakes.run(), "2-ray")
    mine = [record for record in run.records if record.session == "2-ray"]
    (calibration,) = (one for one in mine if isinstance(one, Calibration) and one.busy_s)
    batches = [
        one for one in mine if isinstance(one, TaskRun) and "iterations" in one.case.parameters
    ]
    analysed = swept_of(batches, calibration, 2, usual_s=None).busy
    measured = points_so_far(batches, calibration.busy_s, 2)
    assert len(measured) > 15
    assert [one.efficiency for one in measured] == pytest.approx(
        [one.efficiency for one in analysed]
    )
    # The broken version: the mean of the calibrations so far.
    pairs = zip(on_average(batches, calibration, 2), analysed, strict=True)
    assert max(abs(a.efficiency / b.efficiency - 1) for a, b in pairs) > 0.1


@given(st.lists(st.floats(1e-9, 1e-6), min_size=1, max_size=15), st.integers(0, 40))
def test_every_batch_has_calibrations_whatever_their_number(
    busy_s: list[float], batches: int
) -> None:
    found = around(busy_s, batches)
    assert len(found) == batches
    assert all(min(busy_s) <= one * (1 + 1e-9) for one in found)
    assert all(one <= max(busy_s) * (1 + 1e-9) for one in found)
