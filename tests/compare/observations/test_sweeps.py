"""The granularities of a sweep whose cores were slowed down, by others or by the engine itself."""

from dataclasses import replace

import pytest

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
