"""What is said of faults on an engine whose costs are known, on this host and on containers."""

import pytest

from compare.experiments.faults import FAULTS
from compare.observations.series import Row
from compare.options import COMPOSE
from compare.records.measurements import Run
from tests.compare import fakes
from tests.compare.analysed import headlines, rows, summary

ADDED_S = 0.0001
ENGINES = {**fakes.ENGINES, "ray": fakes.FakeEngine(fixed_s=0.0, per_task_s=ADDED_S)}


@pytest.fixture(scope="module")
def run() -> Run:
    """On this host."""
    plan = fakes.plan(experiments=("faults",), workers=4)
    return fakes.run(plan, engines=ENGINES, noise=0.0)


def row_of(run: Run, metric: str, fault: str) -> Row:
    (row,) = (
        row
        for row in rows(run)
        if (row.experiment, row.engine, row.metric) == ("faults", "ray", metric)
        and row.case["fault"] == fault
    )
    return row


@pytest.fixture(scope="module")
def composed() -> Run:
    """On clusters of containers."""
    plan = fakes.plan(
        experiments=("faults",), workers=4, clusters={"ray": "ray-head:6379"}, on=COMPOSE
    )
    return fakes.run(plan, engines=ENGINES, noise=0.0)


@pytest.mark.parametrize("fault", tuple(FAULTS))
def test_a_fault_costs_the_time_in_which_nothing_runs(run: Run, composed: Run, fault: str) -> None:
    run = composed if FAULTS[fault].container else run
    assert row_of(run, "correct", fault).value == 1
    assert row_of(run, "ran_twice", fault).value == 1
    assert row_of(run, "time_lost", fault).value == pytest.approx(1.0, abs=0.01)
    # The next tasks to end are those that were half done.
    recovery_s = row_of(run, "recovery", fault).value
    assert recovery_s == pytest.approx(1.0 + 0.15 / 2 + ADDED_S, abs=0.001)


@pytest.mark.parametrize("fault", tuple(FAULTS))
def test_a_fault_that_cannot_be_made_where_the_workers_are_says_why(
    run: Run, composed: Run, fault: str
) -> None:
    run = run if FAULTS[fault].container else composed
    reason = row_of(run, "correct", fault).verdict
    assert reason is not None
    assert reason.startswith("not applicable: its victim is a ")
    assert ("(--on compose)" in reason) == FAULTS[fault].container


def test_faults_that_cannot_be_made_for_one_reason_share_a_line(run: Run, composed: Run) -> None:
    of_containers = [name for name, fault in FAULTS.items() if fault.container]
    here = [name for name in FAULTS if name not in of_containers]
    assert faults_with_a_line(composed, "ray") == [*of_containers, "all others"]
    assert faults_with_a_line(run, "ray") == [*here, "all others"]
    assert faults_with_a_line(run, "serial") == ["all"]


def faults_with_a_line(run: Run, engine: str) -> list[str]:
    lines = summary(run).partition("| engine | fault |")[2].splitlines()
    return [line.split(" | ")[1] for line in lines if line.startswith(f"| {engine} |")]


def test_the_headline_tells_what_became_of_batches_whose_container_was_killed(
    composed: Run,
) -> None:
    (sentence,) = headlines(composed)
    assert sentence == (
        "When a worker was killed in the middle of a batch, `multiprocessing`, `dask` and `spark` "
        "finished. When the container of a worker was killed in the middle of a batch, `ray` "
        "finished."
    )


def test_an_engine_that_waits_for_a_lost_task_hangs_and_has_no_time_lost() -> None:
    engines = {**fakes.ENGINES, "ray": fakes.FakeEngine(restart_s=None)}
    run = fakes.run(fakes.plan(experiments=("faults",), blocks=1), engines=engines)
    found = {
        row.metric: row
        for row in rows(run)
        if (row.engine, row.case.get("fault")) == ("ray", "worker-killed")
    }
    assert (found["verdict"].value, found["verdict"].verdict) == ("hung", "hung")
    assert found["correct"].value == 0
    assert found["time_lost"].value is None
    assert found["time_lost"].verdict == "not given: the batch did not finish"
    (sentence,) = headlines(run)
    assert sentence == (
        "When a worker was killed in the middle of a batch, `multiprocessing`, `dask` and `spark` "
        "finished and `ray` hung."
    )
    (line,) = (line for line in summary(run).splitlines() if line.startswith("| ray | worker-k"))
    assert line == "| ray | worker-killed | hung | 0 | 0 | – | 75.2 ms | nothing |"
