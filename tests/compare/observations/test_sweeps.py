"""The granularities of a sweep whose cores were slowed down, by others or by the engine itself."""

from dataclasses import replace
from statistics import fmean

import pytest
from hypothesis import given
from hypothesis import strategies as st

from compare.observations import sweeps
from compare.observations.sweeps import around
from compare.records.measurements import Calibration, Record, Run, TaskRun
from tests.compare import fakes
from tests.compare.analysed import rows

SLOWER = 1.6


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
            return replace(record, makespan_s=SLOWER * record.makespan_s)
        if isinstance(record, Calibration) and record.session == session:
            begin = 1 + len(record.busy_s) - len(late) // 2 - 1
            kept, slower = record.busy_s[:begin], record.busy_s[begin:]
            return replace(record, busy_s=(*kept, *(SLOWER * one for one in slower)))
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
    slower = busy_s(uneven, "2-ray") / busy_s(quiet, "2-ray")
    assert 1.1 < slower < 1.4
    expected_s = slower * metg50(quiet)[1]
    assert metg50(uneven)[1] == pytest.approx(expected_s, rel=0.05)
    # The broken version: all batches against the mean of the sweep.
    monkeypatch.setattr(sweeps, "around", lambda busy_s, n: [sum(busy_s) / len(busy_s)] * n)
    assert metg50(uneven)[1] != pytest.approx(expected_s, rel=0.1)


def test_a_batch_has_the_calibrations_before_and_after_it() -> None:
    assert around((1.0, 2.0, 3.0), 4) == [1.5, 1.5, 2.5, 2.5]
    assert around((1.0, 2.0, 3.0), 5) == [1.5, 1.5, 2.5, 2.5, 3.0]
    assert around((1.0, 2.0), 1) == [1.5]
    assert around((2.0,), 3) == [2.0, 2.0, 2.0]


@given(st.lists(st.floats(1e-9, 1e-6), min_size=1, max_size=15), st.integers(0, 40))
def test_every_batch_has_calibrations_whatever_their_number(
    busy_s: list[float], batches: int
) -> None:
    found = around(busy_s, batches)
    assert len(found) == batches
    assert all(min(busy_s) <= one * (1 + 1e-9) for one in found)
    assert all(one <= max(busy_s) * (1 + 1e-9) for one in found)
