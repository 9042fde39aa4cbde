"""Which sessions are measured again, and what then counts."""

from dataclasses import replace

import pytest

from compare.observations.disturbance import disturbances, repetition, settled, undisturbed_s
from compare.records.measurements import (
    Calibration,
    Lifecycle,
    Record,
    RoundTrips,
    Run,
    TaskRun,
)
from compare.records.plan import Case
from tests.compare import fakes
from tests.compare.analysed import cautions, rows

CORES = 2


def disturbed(run: Run) -> set[str]:
    return set(disturbances(run.records, CORES))


def test_a_quiet_machine_disturbs_no_session() -> None:
    assert disturbed(fakes.run()) == set()


@pytest.mark.parametrize(
    "changes",
    [{"host_cpu_s": 24.0}, {"steal_s": 0.5}],
    ids=["other programs", "the hypervisor"],
)
def test_a_session_from_which_somebody_took_the_cores_is_disturbed(
    changes: dict[str, float],
) -> None:
    assert disturbed(fakes.changed(fakes.run(), "2-ray", **changes)) == {"2-ray"}


@pytest.mark.parametrize("factors", [(1.5, 1.5), (1.0, 1.6)], ids=["slow", "became slow"])
def test_a_session_on_a_slow_core_is_disturbed(factors: tuple[float, float]) -> None:
    run = fakes.run()
    slow = tuple(
        replace(one, busy_s=tuple(one.busy_s[0] * factors[n // 5] for n in range(10)))
        if isinstance(one, Calibration) and one.session == "2-ray"
        else one
        for one in run.records
    )
    assert disturbed(replace(run, records=slow)) == {"2-ray"}


@pytest.mark.parametrize(
    ("own_s", "others_s", "stolen_s", "took_s"),
    [
        (10.0, 10.0, 0.0, 5.0),  # all cores were busy, and half of them for others
        (2.0, 10.0, 0.0, 10.0),  # cores were idle, so that nobody had to wait
        (20.0, 0.0, 0.0, 10.0),
        (16.0, 0.0, 2.0, 9.0),
    ],
)
def test_a_session_takes_longer_only_when_others_take_cores_and_none_is_idle(
    own_s: float, others_s: float, stolen_s: float, took_s: float
) -> None:
    life = next(one for one in fakes.run().records if isinstance(one, Lifecycle))
    seen = replace(
        life, wall_s=10.0, own_cpu_s=own_s, host_cpu_s=own_s + others_s, steal_s=stolen_s
    )
    assert undisturbed_s(seen, CORES, 10.0) == pytest.approx(took_s)


def test_a_slow_engine_is_no_disturbance() -> None:
    slow = fakes.FakeEngine(chunk_s=5.0, fixed_s=0.5, per_task_s=0.05)
    assert disturbed(fakes.run(engines={**fakes.ENGINES, "ray": slow})) == set()


def test_a_session_whose_workers_are_killed_is_not_measured_again() -> None:
    run = fakes.run(fakes.plan(experiments=("faults",)))
    busy = fakes.changed(run, "2-ray-worker-killed", host_cpu_s=24.0)
    assert disturbed(busy) == set()
    assert not any("Other programs" in str(caution) for caution in cautions(busy))
    assert disturbed(fakes.changed(run, "2-ray", host_cpu_s=24.0)) == {"2-ray"}


def measured_again(run: Run, factor: float, *, end: bool = True, only: str | None = None) -> Run:
    """The run with a second measurement of 2-ray, or of one experiment there, ``factor`` times as
    long.
    """
    first = next(session for session in run.plan.sessions if session.id == "2-ray")
    second = repetition(first, only)
    records = [
        replace(one, session=second.id, makespan_s=factor * one.makespan_s)
        if isinstance(one, TaskRun)
        else replace(one, session=second.id, host_cpu_s=20.5)
        if isinstance(one, Lifecycle)
        else replace(one, session=second.id)
        for one in run.records
        if one.session == "2-ray"
        if only is None
        or isinstance(one, Lifecycle)
        or any(case.experiment == only for case in _cases(one))
    ]
    return replace(
        run,
        plan=run.plan.with_sessions((*run.plan.sessions, second)),
        records=(*run.records, *(records if end else records[:2])),
    )


def _cases(record: Record) -> tuple[Case, ...]:
    return (record.case,) if isinstance(record, TaskRun | RoundTrips | Calibration) else ()


def test_the_second_measurement_counts_even_if_it_is_slower() -> None:
    run = fakes.changed(fakes.run(), "2-ray", host_cpu_s=24.0)
    once, twice = (
        next(row for row in rows(one) if (row.engine, row.metric) == ("ray", "throughput"))
        for one in (run, measured_again(run, 1.5))
    )
    assert once.n == twice.n == 3
    assert isinstance(once.value, float)
    assert isinstance(twice.value, float)
    assert twice.value < 0.95 * once.value


def test_the_report_names_what_was_measured_again_and_why() -> None:
    run = measured_again(fakes.changed(fakes.run(), "2-ray", host_cpu_s=24.0), 1.0)
    said = [str(caution) for caution in cautions(run)]
    assert any("1 session ran on a disturbed machine" in one and "2-ray" in one for one in said)
    assert not any("Rerun without them" in one for one in said)


def test_a_second_measurement_that_did_not_end_does_not_count() -> None:
    run = fakes.changed(fakes.run(), "2-ray", host_cpu_s=24.0)
    kept, repeated = settled(measured_again(run, 1.5, end=False))
    assert repeated == ()
    assert kept.plan.sessions == run.plan.sessions


def test_what_was_not_measured_again_stays_as_it_was_measured_first() -> None:
    run = fakes.changed(fakes.run(), "2-ray", host_cpu_s=24.0)
    before, after = (
        {(row.experiment, row.engine, row.metric, *row.case.values()): row for row in rows(one)}
        for one in (run, measured_again(run, 1.5, only="throughput"))
    )
    changed = {key[0] for key, row in after.items() if row != before[key]}
    assert changed == {"throughput"}
    assert before.keys() == after.keys()
    said = [str(caution) for caution in cautions(measured_again(run, 1.5, only="throughput"))]
    assert any("2-ray (other programs" in one and "only throughput)" in one for one in said)
