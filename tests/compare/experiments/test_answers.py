"""What each experiment says of an engine whose costs are known."""

import re
import time
from dataclasses import replace

import pytest

from compare.experiments.residency import PER
from compare.observations.series import Row
from compare.records.measurements import ElasticityRun, Run, TaskRun
from compare.records.plan import Case
from tests.compare import fakes
from tests.compare.analysed import EXPERIMENTS, headlines, rows, summary
from tests.compare.fake_bench import BYTES_PER_S, JOB_TASK_S, LOAD_S

LIMIT_S = 2.0
IMAGE_S, ADDED_S = 0.2, 0.0001
RAY = fakes.FakeEngine(chunk_s=4 * IMAGE_S, fixed_s=0.0, per_task_s=ADDED_S, slowdown=2.5)


@pytest.fixture(scope="module")
def run() -> Run:
    plan = fakes.plan(experiments=tuple(EXPERIMENTS), workers=4)
    return fakes.run(plan, engines={**fakes.ENGINES, "ray": RAY}, noise=0.0)


def told(run: Run, experiment: str, metric: str, **case: object) -> float:
    (value,) = {
        row.value
        for row in rows(run)
        if (row.experiment, row.engine, row.metric) == (experiment, "ray", metric)
        and all(row.case[name] == value for name, value in case.items())
    }
    assert isinstance(value, float)
    return value


@pytest.mark.parametrize("chunk", [1, 4, 8])
def test_images_per_second_of_each_size_of_task(run: Run, chunk: int) -> None:
    found = told(run, "granularity", "throughput", chunk=chunk)
    assert found == pytest.approx(4 / (IMAGE_S + ADDED_S / chunk), rel=0.01)


def test_a_model_that_is_loaded_again_costs_its_loading(run: Run) -> None:
    assert told(run, "residency", "per_image") == pytest.approx(4 / (IMAGE_S + LOAD_S), rel=0.01)
    assert told(run, "residency", "per_task") == pytest.approx(8 / (2 * IMAGE_S + LOAD_S), rel=0.01)
    gain = told(run, "residency", "residency_gain")
    assert gain == pytest.approx((IMAGE_S + LOAD_S) / IMAGE_S, rel=0.01)


def test_the_kinds_of_residency_are_measured_three_times_in_an_order_of_each_session() -> None:
    run = fakes.run(fakes.plan(experiments=("residency",)))
    orders = {
        session.id: tuple(
            str(record.case.parameters["part"])
            for record in run.records
            if isinstance(record, TaskRun)
            and record.session == session.id
            and record.case.experiment == "residency"
        )
        for session in run.plan.sessions
        if session.cases
    }
    wanted = sorted(f"{per} {number}" for per in PER for number in (1, 2, 3))
    assert all(sorted(order) == wanted for order in orders.values())
    assert len(set(orders.values())) == len(orders)


def test_one_slow_batch_does_not_decide_what_a_loaded_model_is_worth() -> None:
    run = fakes.run(fakes.plan(experiments=("residency",), blocks=1), noise=0.0)
    slow = [
        replace(record, makespan_s=9 * record.makespan_s)
        if isinstance(record, TaskRun) and record.case.parameters.get("part") == "image 2"
        else record
        for record in run.records
    ]
    gain = told(replace(run, records=tuple(slow)), "residency", "residency_gain")
    assert gain == told(run, "residency", "residency_gain")


def test_runs_with_one_batch_of_each_kind_can_still_be_read() -> None:
    run = fakes.run(fakes.plan(experiments=("residency",), blocks=1), noise=0.0)

    def as_before(case: Case) -> Case:
        names = {"images", "chunk", "part"} & case.parameters.keys()
        parameters = {name: case.parameters[name] for name in names}
        if "part" in parameters:
            parameters["part"] = str(parameters["part"]).removesuffix(" 1")
        return replace(case, parameters=parameters)

    sessions = [
        replace(session, cases=tuple(map(as_before, session.cases)))
        for session in run.plan.sessions
    ]
    records = [
        replace(record, case=as_before(record.case)) if isinstance(record, TaskRun) else record
        for record in run.records
    ]
    old = replace(run, plan=replace(run.plan, sessions=tuple(sessions)), records=tuple(records))
    gain = told(old, "residency", "residency_gain")
    assert gain == pytest.approx(told(run, "residency", "residency_gain"))


def test_a_job_of_the_user_is_as_fast_as_its_tasks_let_it(run: Run) -> None:
    assert told(run, "job", "throughput") == pytest.approx(4 / JOB_TASK_S, rel=0.01)
    assert told(run, "job", "makespan") == pytest.approx(6 * JOB_TASK_S, rel=0.01)
    assert told(run, "job", "task_length") == pytest.approx(JOB_TASK_S)
    assert told(run, "job", "speedup") == pytest.approx(4, rel=0.01)
    assert told(run, "job", "engine_efficiency") == pytest.approx(1, rel=0.01)


def test_the_length_of_the_tasks_of_a_job_is_placed_on_the_curves_of_the_same_run(
    run: Run,
) -> None:
    (sentence,) = [line for line in headlines(run) if "your job" in line]
    assert "24 tasks of your job *letters*" in sentence
    assert re.search(r"A task takes 300 ms; .* reach .*at least 9\d% on `ray`", sentence)
    alone = fakes.run(fakes.plan(experiments=("job",), workload=None, blocks=1))
    assert "A task takes" not in " ".join(headlines(alone))


def test_a_job_that_asks_for_shares_says_which_engines_know_none() -> None:
    plan = fakes.plan(experiments=("job",), job=fakes.job(cpus=0.25), blocks=1)
    found = {
        row.engine: row
        for row in rows(fakes.run(plan, noise=0.0))
        if (row.experiment, row.metric) == ("job", "throughput")
    }
    assert "a whole worker" in (found["multiprocessing"].verdict or "")
    assert found["ray"].verdict is None
    ray, pool = found["ray"].value, found["multiprocessing"].value
    assert isinstance(ray, float)
    assert isinstance(pool, float)
    assert ray / pool > 3
    # The fake Spark refuses some shares; this one it rounds.
    assert found["spark"].verdict is None


@pytest.mark.parametrize("kind", ["strong", "weak"])
@pytest.mark.parametrize("workers", [1, 2, 4])
def test_an_engine_that_costs_nothing_scales(run: Run, kind: str, workers: int) -> None:
    case = {"kind": kind, "workers": workers}
    assert told(run, "scaling", "throughput", **case) == pytest.approx(workers / IMAGE_S, rel=0.01)
    assert told(run, "scaling", "scaling_efficiency", **case) == pytest.approx(1.0, rel=0.01)


def test_a_neighbour_that_is_slowed_down_is_seen_to_be(run: Run) -> None:
    assert told(run, "lying", "slowdown_honest") == pytest.approx(1.0)
    assert told(run, "lying", "slowdown_lying") == pytest.approx(2.5)


def lying_row(run: Run, metric: str) -> Row:
    return next(
        row
        for row in rows(run)
        if (row.experiment, row.engine, row.metric) == ("lying", "ray", metric)
    )


def test_the_tasks_beside_a_neighbour_say_in_how_many_workers_they_ran() -> None:
    run = fakes.run(fakes.plan(experiments=("lying",), blocks=2))
    assert told(run, "lying", "workers_honest") == told(run, "lying", "workers_lying") == 10
    assert lying_row(run, "slowdown_honest").verdict is None
    fewer = [
        replace(record, workers_seen=7)
        if isinstance(record, TaskRun) and record.case.parameters.get("part") == "honest others"
        else record
        for record in run.records
    ]
    changed = replace(run, records=tuple(fewer))
    assert lying_row(changed, "slowdown_honest").verdict == "7 workers ran the 10 other tasks"
    assert lying_row(changed, "slowdown_lying").verdict is None


def test_naps_beside_images_take_no_time_of_their_own(run: Run) -> None:
    # 16 images on 4 workers, then on the 3 that the naps leave: 6 waves instead of 4, as long as
    # the naps; the second of both is submitted a tenth of a second after the first.
    alone_s = 4 * (IMAGE_S + ADDED_S)
    together_s = told(run, "hybrid", "together")
    assert together_s == pytest.approx(1.5 * alone_s + 0.1, rel=0.01)
    assert told(run, "hybrid", "hybrid_gain") == pytest.approx(2.5 * alone_s / together_s, rel=0.01)


def test_unequal_tasks_taken_in_order_end_soon_after_the_best_possible(run: Run) -> None:
    # List scheduling is at most 2 - 1/m longer (Graham 1966, Bell System Tech. J. 45:1563).
    assert 1.0 <= told(run, "imbalance", "imbalance") <= 2 - 1 / 4
    assert told(run, "imbalance", "over_ceiling") == pytest.approx(1.0, abs=0.01)


def imbalance(run: Run, metric: str) -> Row:
    (found,) = (
        row
        for row in rows(run)
        if (row.experiment, row.engine, row.metric) == ("imbalance", "ray", metric)
    )
    return found


def test_what_differs_between_blocks_because_the_tasks_do_cancels_in_the_ratio() -> None:
    run = fakes.run(fakes.plan(experiments=("imbalance",), blocks=3), noise=0.001)
    over_best, over_ceiling = imbalance(run, "imbalance"), imbalance(run, "over_ceiling")
    assert over_best.low is not None
    assert over_best.high is not None
    assert 1 <= over_best.low < over_best.high
    assert over_ceiling.low is not None
    assert over_ceiling.high is not None
    assert over_ceiling.high / over_ceiling.low < 1.05 < over_best.high / over_best.low


def test_a_makespan_below_the_bound_of_every_schedule_is_no_number() -> None:
    run = fakes.run(fakes.plan(experiments=("imbalance",), blocks=1), noise=0.0)
    impossible = [
        replace(record, makespan_s=record.makespan_s / 2) if isinstance(record, TaskRun) else record
        for record in run.records
    ]
    found = imbalance(replace(run, records=tuple(impossible)), "imbalance")
    assert found.value is None
    assert "more tasks than workers ran at once" in (found.verdict or "")


@pytest.mark.parametrize("size", [1_000, 1_000_000, 64_000_000])
def test_the_time_and_the_rate_of_a_payload(run: Run, size: int) -> None:
    seconds = ADDED_S + size / BYTES_PER_S
    case = {"direction": "in", "bytes": size}
    assert told(run, "payload", "payload_per_task", **case) == pytest.approx(seconds)
    assert told(run, "payload", "payload_rate", **case) == pytest.approx(size / 1e6 / seconds)


def test_tasks_that_wait_together_take_as_long_as_one(run: Run) -> None:
    assert told(run, "timeline", "over_one_wait", how="blocking") == pytest.approx(4, rel=0.01)
    assert told(run, "timeline", "over_one_wait", how="awaited") == pytest.approx(1, rel=0.01)
    assert told(run, "timeline", "waits_at_once", how="awaited") == 16


@pytest.mark.parametrize(("pattern", "costs"), [("tree", 2), ("stencil", 3)])
def test_metg_of_a_pattern_is_twice_its_cost_in_each_worker(
    run: Run, pattern: str, costs: int
) -> None:
    found = told(run, "dependencies", "metg50", pattern=pattern)
    assert found == pytest.approx(2 * costs * ADDED_S * 4, rel=0.05)


@pytest.mark.parametrize("name", tuple(EXPERIMENTS))
def test_the_real_measuring_of_an_experiment_takes_milliseconds_on_a_fake_bench(name: str) -> None:
    plan = fakes.plan(experiments=(name,), engines=("serial", "dask"), blocks=1)
    started_s = time.process_time()
    measured = fakes.run(plan, noise=0.0)
    took_s = time.process_time() - started_s
    kinds = {
        type(record)
        for record in measured.records
        if isinstance(record, TaskRun | ElasticityRun) and record.case.experiment == name
    }
    assert kinds == {ElasticityRun if name == "elasticity" else TaskRun}
    assert took_s < LIMIT_S


def test_fixed_workers_take_their_number_times_the_makespan_of_the_same_demand(run: Run) -> None:
    found = {
        (row.metric, row.case["most"]): row.value
        for row in rows(run)
        if (row.experiment, row.engine) == ("elasticity", "ray") and row.case["idle_s"] == "never"
    }
    assert found["makespan", 4] == 6 + 12 + 6
    assert found["worker_time", 4] == 4 * 24
    assert found["makespan", 2] == 12 + 12 + 12
    assert found["worker_time", 2] == 2 * 36
    assert found["makespan", 1] == found["worker_time", 1] == 24 + 12 + 24


def test_many_short_tasks_have_a_table_of_their_own_with_the_most_workers(run: Run) -> None:
    text = summary(run)
    section = text.split("## Many very short tasks, and no worker yet")[1].split("\n## ")[0]
    (line,) = (line for line in section.splitlines() if line.startswith("| ray |"))
    assert (
        line
        == "| ray | finished | 4 (4.0–4.0) | 3.00 s (3.0–3.0) | 2.00 s (2.0–2.0) | 34.0 s (34–34) |"
    )


def test_workers_on_demand_are_short_while_they_start_and_spare_while_they_are_idle(
    run: Run,
) -> None:
    found = {
        row.metric: row.value
        for row in rows(run)
        if (row.experiment, row.engine) == ("elasticity", "ray")
        and row.case["idle_s"] != "never"
        and "long_s" in row.case
    }
    assert found["verdict"] == "finished"
    assert (found["decision"], found["process_start"], found["reaction"]) == (0.5, 1.5, 2.0)
    assert (found["reaction_again"], found["full_supply"], found["release"]) == (2.0, 2.0, 6.0)
    watched_s = 2 + 6 + 12 + 2 + 6 + 6
    assert found["makespan"] == watched_s - 6
    assert found["worker_time"] == (watched_s - 0.5) + 3 * (14 - 0.5) + 3 * (14 - 0.5)
    # Four are missing at first, and three after the second rise.
    assert found["accuracy_under"] == pytest.approx((4 * 2 + 3 * 2) / watched_s)
    # For the idle time three are too many, and in the end four; two tasks end in an empty wave.
    assert found["timeshare_under"] == pytest.approx((2 + 2) / watched_s)
    assert found["ran_twice"] == 0
