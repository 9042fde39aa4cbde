from dataclasses import replace

import pytest

from compare.observations.series import Row
from compare.records.measurements import Failure, Run, TaskRun
from compare.records.plan import CEILING, LAST_TURN, SERIAL
from tests.compare import fakes
from tests.compare.analysed import rows, throughput_ratio

THROUGHPUT = {"throughput", "speedup", "engine_efficiency", "cpu_time"}


def row(run: Run, engine: str, metric: str, **case: object) -> Row:
    (found,) = [
        one
        for one in rows(run)
        if one.engine == engine
        and one.metric == metric
        and all(one.case[name] == value for name, value in case.items())
    ]
    return found


def number(run: Run, engine: str, metric: str, **case: object) -> float:
    value = row(run, engine, metric, **case).value
    assert isinstance(value, float)
    return value


def verdict(run: Run, engine: str, metric: str, **case: object) -> str:
    text = row(run, engine, metric, **case).verdict
    assert text is not None
    return text


def missing_dask() -> Run:
    return fakes.run(fakes.plan(missing={"dask": "it needs 'distributed'"}))


def test_rows_are_in_the_order_of_the_plan_with_the_ceiling_first() -> None:
    run = fakes.run()
    found = [one.engine for one in rows(run) if one.metric == "throughput"]
    assert found == [CEILING, *run.plan.engines]


def test_one_block_has_no_interval_anywhere() -> None:
    for one in rows(fakes.run(fakes.plan(blocks=1))):
        assert (one.low, one.high) == (None, None)


def test_the_parts_of_a_makespan_add_up_and_have_the_range_of_their_blocks() -> None:
    run = fakes.run(noise=0.1)
    parts = [row(run, "ray", name) for name in ("submit", "run", "between", "tail", "return")]
    makespans = [
        record.makespan_s
        for record in run.records
        if isinstance(record, TaskRun)
        and record.engine == "ray"
        and record.case.experiment == "throughput"
    ]
    values = [part.value for part in parts if isinstance(part.value, float)]
    assert sum(values) == pytest.approx(sum(makespans) / len(makespans))
    for part in parts:
        assert part.low is not None
        assert part.low >= 0
        assert part.n == len(makespans)


def test_throughput_is_images_over_makespan() -> None:
    run = fakes.run(noise=0.0)
    makespan_s = 6 * (0.82 + 0.0003) + 0.0003
    assert number(run, "ray", "throughput") == pytest.approx(48 / makespan_s)


def test_speedup_and_efficiency_are_paired_within_blocks() -> None:
    run = fakes.run(noise=0.0)
    # The machine is half as fast in block 2, for everybody.
    slow = run
    for session in run.plan.sessions:
        if session.block == 2 and session.label in ("", LAST_TURN):
            before = next(r for r in run.records if r.session == session.id)
            assert isinstance(before, TaskRun)
            slow = fakes.changed(slow, session.id, makespan_s=2 * before.makespan_s)
    assert number(slow, "ray", "speedup") == pytest.approx(number(run, "ray", "speedup"))
    found = row(slow, "ray", "engine_efficiency")
    assert found.low == pytest.approx(found.high)
    assert row(slow, "ray", "throughput").low != pytest.approx(row(slow, "ray", "throughput").high)


def test_the_serial_speedup_and_the_ceilings_efficiency_are_one_by_definition() -> None:
    run = fakes.run()
    for engine, metric in ((SERIAL, "speedup"), (CEILING, "engine_efficiency")):
        found = row(run, engine, metric)
        assert (found.value, found.low, found.verdict) == (1.0, None, "by definition")


def test_the_costs_of_a_task_are_recovered() -> None:
    run = fakes.run()
    for engine in ("ray", "dask", "spark"):
        fake = fakes.ENGINES[engine]
        assert number(run, engine, "per_task_cost") == pytest.approx(fake.per_task_s, rel=0.05)
    assert number(run, "spark", "fixed_cost") == pytest.approx(0.1, rel=0.05)


def test_a_percentile_without_enough_samples_has_no_number() -> None:
    run = fakes.run()
    assert row(run, "ray", "round_trip_p95").value is not None
    assert verdict(run, "ray", "round_trip_p99") == "not given: needs 1000 samples a block"


def test_one_broken_block_makes_the_engine_invalid_and_leaves_the_others_alone() -> None:
    run = fakes.changed(fakes.run(), "2-ray", kernel_calls=13)
    for metric in THROUGHPUT:
        found = row(run, "ray", metric)
        assert (found.value, found.n) == (None, 0)
        assert (
            found.verdict == "INVALID in 1 of 3 blocks: 13 kernel calls were counted for 12 tasks"
        )
    assert row(run, "dask", "throughput").n == 3
    assert row(run, "ray", "noop_throughput").n == 3
    assert throughput_ratio(run, "ray", "dask") is None


def test_without_a_valid_serial_run_nothing_is_valid() -> None:
    run = fakes.run()
    for block in (1, 2, 3):
        run = fakes.changed(run, f"{block}-serial", kernel_calls=13)
    assert "no valid run of the serial engine" in verdict(run, "ray", "throughput")


def test_a_failed_session_is_told_beside_the_number_of_the_others() -> None:
    run = fakes.failed(fakes.run(), "2-ray", "the raylet died")
    found = row(run, "ray", "throughput")
    assert (found.n, found.verdict) == (2, "failed in 1 of 3 blocks: the raylet died")
    assert row(run, "ray", "speedup").n == 2


def test_a_failed_baseline_leaves_the_ratio_of_its_block_out() -> None:
    run = fakes.failed(fakes.run(), "2-serial", "killed")
    assert row(run, "ray", "throughput").n == 3
    found = row(run, "ray", "speedup")
    assert found.n == 2
    assert found.verdict is not None
    assert "serial has no valid throughput in the same block" in found.verdict


def test_a_failed_case_is_told_for_both_phases() -> None:
    run = fakes.run()
    session = next(s for s in run.plan.sessions if s.id == "1-ray-fractional")
    case = session.cases[0]
    kept = [r for r in run.records if r.session != session.id]
    failure = Failure(
        session=session.id,
        block=1,
        position=session.position,
        engine="ray",
        case=case,
        reason="hung",
    )
    run = replace(run, records=(*kept, failure))
    for phase in ("cold", "warm"):
        found = row(run, "ray", "makespan", cpus=1.0, phase=phase)
        assert (found.n, found.verdict) == (2, "failed in 1 of 3 blocks: hung")


def test_a_missing_engine_has_its_reason_in_every_row() -> None:
    found = [one for one in rows(missing_dask()) if one.engine == "dask"]
    assert {one.verdict for one in found} == {"not run: it needs 'distributed'"}


def test_blocks_not_reached_yet_are_no_blemish() -> None:
    run = fakes.run()
    first_block = sum(session.block == 1 for session in run.plan.sessions)
    part = fakes.interrupted(run, first_block)
    found = row(part, "ray", "throughput")
    assert (found.n, found.verdict) == (1, None)
    nothing = fakes.interrupted(run, 0)
    assert verdict(nothing, "ray", "throughput").startswith("not measured")


def test_accuracy_needs_labels_and_says_when_the_weights_are_random() -> None:
    labels = tuple(f"label {index % 5}" for index in range(48))
    plan = fakes.plan(workload=fakes.workload(labels=labels, random_weights=False))
    found = row(fakes.run(plan), "ray", "accuracy")
    assert (found.value, found.low, found.verdict) == (1.0, None, None)
    random = fakes.plan(workload=fakes.workload(labels=labels))
    assert "random" in verdict(fakes.run(random), "ray", "accuracy")


@pytest.mark.parametrize(
    ("engine", "cpus", "expected"),
    [
        ("ray", 0.1, ("accepted", 20, 1.0)),
        ("ray", 1.0, ("accepted", 2, 1.0)),
        ("dask", 0.5, ("accepted", 5, 1.25)),
        ("spark", 0.1, ("rounded", 2, 0.1)),
        ("spark", 0.5, ("rejected", None, None)),
    ],
)
def test_what_becomes_of_a_share(
    engine: str, cpus: float, expected: tuple[str, int | None, float | None]
) -> None:
    run = fakes.run()
    metrics = ("admitted", "peak_concurrency", "admission_accuracy")
    for phase in ("cold", "warm"):
        found = [row(run, engine, metric, cpus=cpus, phase=phase).value for metric in metrics]
        assert tuple(found) == expected


def test_over_admission_is_flagged() -> None:
    told = verdict(fakes.run(), "dask", "admission_accuracy", cpus=0.5, phase="warm")
    assert told == "over-admission: 5 tasks ran at once, room is for 4"
    assert row(fakes.run(), "ray", "admission_accuracy", cpus=0.5, phase="warm").verdict is None


def test_a_refusal_is_told_in_the_engines_words() -> None:
    case = {"cpus": 0.5, "phase": "warm"}
    words = "a task must ask for 1 core or more"
    assert verdict(fakes.run(), "spark", "admitted", **case) == words
    assert verdict(fakes.run(), "spark", "makespan", **case) == f"rejected: {words}"


def test_an_engine_without_shares_is_not_applicable_and_never_zero() -> None:
    found = row(fakes.run(), "multiprocessing", "peak_concurrency", cpus=0.1, phase="warm")
    assert found.value is None
    assert found.verdict is not None
    assert found.verdict.startswith("not applicable: multiprocessing has no way")


def test_startup_is_that_of_the_sessions_with_whole_cores() -> None:
    assert row(fakes.run(), "ray", "open").n == 3


def test_the_ratio_of_two_engines_is_paired() -> None:
    run = fakes.run(noise=0.0)
    found = throughput_ratio(run, "ray", "spark")
    assert found is not None
    assert found.value == pytest.approx(
        number(run, "ray", "throughput") / number(run, "spark", "throughput")
    )
    assert found.n == 3
