"""Every planned row is published: for each engine, experiment, case and metric there is one."""

from collections.abc import Callable, Collection, Iterator, Mapping

import pytest

from compare.measure.adapters import capabilities, lacking
from compare.observations.series import Row
from compare.records.measurements import Run
from compare.records.plan import CEILING, Case, Plan, Scalar, is_contender
from engines.interface import Capability
from tests.compare import fakes
from tests.compare.analysed import EXPERIMENTS, rows, scope

SHARES = {
    *("admitted", "peak_concurrency", "admission_accuracy", "ramp", "makespan", "cpu_use"),
    *("processes", "native_threads", "memory"),
}
METG = {"metg50", "metg90"}
METRICS = {
    "job": {
        *("throughput", "speedup", "engine_efficiency", "makespan", "task_length", "peak_memory"),
        *("cpu_time", "submit", "run", "between", "tail", "return"),
        *("task_wait_p50", "task_return_p50"),
    },
    "throughput": {
        *("throughput", "speedup", "engine_efficiency", "cpu_time"),
        *("submit", "run", "between", "tail", "return", "task_wait_p50", "task_return_p50"),
    },
    "overhead": {
        *("noop_throughput", "per_task_cost", "cold_task", "fixed_cost", "fit_residual"),
        *("round_trip_p50", "round_trip_p95", "round_trip_p99"),
        *METG,
        "metg50_idle",
    },
    "submission": METG,
    "fractional": SHARES,
    "matrix": SHARES,
    "lying": {
        *("neighbour_alone", "slowdown_honest", "slowdown_lying"),
        *("workers_honest", "workers_lying"),
    },
    "hybrid": {"images_alone", "naps_alone", "together", "hybrid_gain"},
    "granularity": {"throughput"},
    "residency": {"per_image", "per_task", "per_worker", "residency_gain"},
    "scaling": {"throughput", "scaling_efficiency"},
    "imbalance": {"over_ceiling", "imbalance", "makespan"},
    "payload": {"payload_per_task", "payload_rate"},
    "timeline": {"makespan", "waits_at_once", "over_one_wait"},
    "dependencies": METG,
    "faults": {"verdict", "correct", "ran_twice", "time_lost", "recovery", "words"},
    "elasticity": {
        *("verdict", "makespan", "worker_time", "ran_twice"),
    },
    "environments": {"first_task", "second_task"},
}
"""By the experiment that they belong to."""
ON_DEMAND = {
    *("release", "jitter", "decision", "process_start", "reaction_again", "full_supply"),
    *("accuracy_under", "accuracy_over", "timeshare_under", "timeshare_over", "reaction"),
}
SHORT_ON_DEMAND = {"most_workers", "reaction"}
SOME_CASES: Mapping[str, Callable[[Mapping[str, Scalar]], Collection[str]]] = {
    "elasticity": lambda case: (
        () if case["idle_s"] == "never" else ON_DEMAND if "long_s" in case else SHORT_ON_DEMAND
    ),
    "environments": lambda case: () if case["what"] == "installed" else ("first_task_again",),
}
"""Metrics of some cases of an experiment alone."""
STARTUP = {"open", "first_result", "warm_up", "close"}
WITHOUT_CEILING = {"submission", "fractional", "matrix", "lying", "hybrid", "payload"} | {
    "dependencies",
    "faults",
    "elasticity",
    "environments",
}

Place = tuple[str, str, str, frozenset[tuple[str, Scalar]]]
"""Experiment, engine, metric and case of a row."""


def everything(**changes: object) -> Plan:
    return fakes.plan(**{"experiments": tuple(EXPERIMENTS), "workers": 4, "blocks": 2, **changes})


def missing_dask() -> Run:
    return fakes.run(everything(missing={"dask": "it needs 'distributed'"}))


def expected(plan: Plan) -> Iterator[Place]:
    budget: dict[str, Scalar] = {
        "workers": plan.workers,
        "threads": plan.options.threads_per_worker,
        "config": plan.options.config.value,
    }
    assert plan.workload is not None
    workload = plan.workload
    batch = {
        **budget,
        "chunk": workload.chunk,
        "model": workload.model,
        "dtype": workload.dtype,
        "n_images": len(workload.images),
    }
    for engine in (CEILING, *plan.engines):
        for metric in STARTUP:
            yield place("startup", engine, metric, budget)
        yield place("memory", engine, "peak_memory", batch)
        for name, length_s in done_first(engine):
            yield place(name, engine, "from_tasks", {**budget, "work_s": length_s})
        for name, metrics in METRICS.items():
            if engine == CEILING and name in WITHOUT_CEILING:
                continue
            for metric in metrics:
                for case in cases(plan, name):
                    if name == "job":
                        yield place(name, engine, metric, {**budget, "label": "letters", **case})
                        continue
                    whole = batch if name == "throughput" else {**budget, **case}
                    yield place(name, engine, metric, whole)
            for metric, case in more_rows(plan, name):
                yield place(name, engine, metric, {**budget, **case})


def done_first(engine: str) -> Iterator[tuple[str, float]]:
    if is_contender(engine):
        spans = Capability.SPANS_HOSTS in capabilities(engine)
        for name in ("done_first", "done_first_on_hosts")[: 1 + spans]:
            for length_s in (0.001, 0.01, 0.1, 1.0):
                yield name, length_s


def more_rows(plan: Plan, name: str) -> Iterator[tuple[str, Mapping[str, Scalar]]]:
    """Metrics of an experiment that have cases of their own."""
    if name == "overhead":
        for length_s in (0.0001, 0.001, 0.01, 0.1):
            yield "useful_share", {"work_s": length_s}
    if METRICS[name] is SHARES:
        for case in cases(plan, name, phases=("after",)):
            yield "capacity_after", case
    for case in cases(plan, name) if name in SOME_CASES else ():
        for metric in SOME_CASES[name](case):
            yield metric, case


def cases(
    plan: Plan, name: str, phases: tuple[str, ...] = ("cold", "warm")
) -> Iterator[Mapping[str, Scalar]]:
    """What tells the rows of an experiment apart."""
    if name in ("throughput", "overhead"):
        yield {}
        return
    for case in EXPERIMENTS[name].cases(scope(plan)):
        if METRICS[name] is not SHARES:
            yield case.parameters
            continue
        asked = {key: case.parameters[key] for key in ("cpus", "slots") if key in case.parameters}
        for phase in phases:
            yield {**asked, "phase": phase}


def place(experiment: str, engine: str, metric: str, case: Mapping[str, Scalar]) -> Place:
    return experiment, engine, metric, frozenset(case.items())


def place_of(row: Row) -> Place:
    return place(row.experiment, row.engine, row.metric, row.case)


@pytest.mark.parametrize(
    "run",
    [
        fakes.run(everything()),
        missing_dask(),
        fakes.interrupted(fakes.run(everything()), 0),
        fakes.interrupted(fakes.run(everything()), 7),
        fakes.failed(fakes.run(everything()), "2-ray", "out of memory"),
        fakes.run(everything(blocks=1)),
        fakes.run(everything(engines=("serial", "multiprocessing", "ray", "ray-control"))),
    ],
    ids=["whole", "missing", "not begun", "interrupted", "failed", "one block", "control"],
)
def test_every_planned_row_is_present_once(run: Run) -> None:
    assert METRICS.keys() == EXPERIMENTS.keys()
    found = [place_of(row) for row in rows(run)]
    assert len(found) == len(set(found))
    assert set(found) == set(expected(run.plan))


@pytest.mark.parametrize(
    "run",
    [
        fakes.run(everything()),
        missing_dask(),
        fakes.interrupted(fakes.run(everything()), 7),
        fakes.failed(fakes.run(everything()), "2-ray", "out of memory"),
    ],
    ids=["whole", "missing", "interrupted", "failed"],
)
def test_a_row_has_a_number_or_says_why_not(run: Run) -> None:
    for row in rows(run):
        assert (row.value is None) == (row.n == 0)
        assert row.value is not None or row.verdict


def test_a_run_in_which_all_went_well_lacks_no_number_without_a_good_reason() -> None:
    good = ("not applicable: ", "rejected: ", "not given: needs 1000 samples", "never by 5%")
    limits = ("more than ", "less than ")
    for row in rows(fakes.run(everything())):
        known = (*good, *limits) if row.metric == "useful_share" else good
        assert row.value is not None or (row.verdict or "").startswith(known), row


def test_exactly_what_an_engine_cannot_do_is_not_applicable_with_the_reason() -> None:
    run = fakes.run(everything())
    found = rows(run)
    for engine in run.plan.engines:
        for name, experiment in EXPERIMENTS.items():
            for case in experiment.cases(scope(run.plan)):
                told = {row.verdict or "" for row in found if about(row, engine, case)}
                reason = lacking(engine, capabilities(engine), experiment.needs(case))
                reason = reason or experiment.inapplicable(case, run.plan.site_of(engine))
                assert told, (name, engine)
                if reason is None:
                    assert not any(verdict.startswith("not applicable") for verdict in told)
                else:
                    assert told == {f"not applicable: {reason}"}


def about(row: Row, engine: str, case: Case) -> bool:
    """Of the engine and the case; those of overhead are of both its cases."""
    if (row.engine, row.experiment) != (engine, case.experiment):
        return False
    shares = ("cpus", "slots")
    telling = shares if METRICS[row.experiment] is SHARES else row.case.keys()
    return all(row.case.get(k) == v for k, v in case.parameters.items() if k in telling)
