"""The advice finds known costs again, and says what it cannot know."""

import math
import random
from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import pairwise
from statistics import median

import pytest

from compare.analysis.advice import Advice, advise
from compare.analysis.analysis import Analysis, analyse
from compare.analysis.makespans import Job
from compare.experiments.payload import IN, SIZES
from compare.records.measurements import TaskRun
from compare.records.plan import SERIAL, Case, Plan
from engines.interface import Capability
from tests.compare import fakes
from tests.compare.fake_bench import ITERATION_S, FakeBench, FakeEngine
from workload.interface import Task
from workload.kernels import payload, spin

NOISE = 0.05
COSTS = {
    SERIAL: FakeEngine(per_task_s=2e-6, fixed_s=3e-5),
    "multiprocessing": FakeEngine(per_task_s=3e-5, fixed_s=6e-4),
    "ray": FakeEngine(per_task_s=6e-4, fixed_s=6e-3, one_dispatcher=True),
    "dask": FakeEngine(per_task_s=1.8e-3, fixed_s=9e-3),
    "spark": FakeEngine(per_task_s=2e-3, fixed_s=0.05, one_dispatcher=True),
}
LENGTHS_S = (0.0001, 0.0007, 0.003, 0.008, 0.05, 0.3)
COUNTS = (60, 600, 6000)


def measured(
    *experiments: str,
    seed: int = 0,
    noise: float = NOISE,
    blocks: int = 4,
    costs: dict[str, FakeEngine] | None = None,
) -> Analysis:
    of = fakes.plan(experiments=experiments or ("overhead",), blocks=blocks, workload=None)
    return analyse(fakes.run(of, engines=costs or COSTS, noise=noise, block_noise=noise, seed=seed))


@dataclass(frozen=True)
class Held:
    """A job that the fit has not seen, and what it took on each engine."""

    advice: Advice
    took_s: dict[str, float]
    quiet_s: dict[str, float]
    """Without noise."""

    def errors(self) -> list[float]:
        return [
            abs(one.makespan_s / self.took_s[one.engine] - 1) for one in self.advice.predictions
        ]

    def covered(self) -> list[bool]:
        return [
            one.low_s is not None
            and one.high_s is not None
            and one.low_s <= self.took_s[one.engine] <= one.high_s
            for one in self.advice.predictions
        ]

    def regret(self) -> float:
        """What the advice costs on a quiet machine, over the best engine."""
        return self.quiet_s[self.advice.predictions[0].engine] / min(self.quiet_s.values()) - 1


def took_s(
    of: Plan, engine: str, job: Job, tasks: list[Task], noisy: Callable[[float], float]
) -> float:
    """One batch on an engine of known costs, in a block of its own."""
    session = next(one for one in of.sessions if one.engine == engine)
    bench = FakeBench(of, replace(session, workers=job.workers), COSTS[engine], noisy)
    done: TaskRun = bench.run(Case(experiment="own", parameters={}), tasks, spans=False)
    return done.makespan_s


def held(analysis: Analysis, job: Job, tasks: list[Task], rng: random.Random) -> Held:
    slow = rng.lognormvariate(0, NOISE)
    advice = advise(analysis, job)

    def noisy(seconds: float) -> float:
        return seconds * slow * rng.lognormvariate(0, NOISE)

    took, quiet = (
        {
            one.engine: took_s(analysis.plan, one.engine, job, tasks, noise)
            for one in advice.predictions
        }
        for noise in (noisy, lambda seconds: seconds)
    )
    return Held(advice=advice, took_s=took, quiet_s=quiet)


def computing(analysis: Analysis, rng: random.Random, workers: int = 2) -> list[Held]:
    jobs = [
        Job(task_s=length_s, tasks=count, workers=workers)
        for length_s in LENGTHS_S
        for count in COUNTS
    ]
    return [
        held(
            analysis,
            job,
            [spin.task("own", round(job.task_s / ITERATION_S))] * job.tasks,
            rng,
        )
        for job in jobs
    ]


def test_jobs_that_were_not_measured_take_as_long_as_predicted() -> None:
    rng = random.Random(1)  # noqa: S311
    found = [one for seed in range(4) for one in computing(measured(seed=seed), rng)]
    errors = [error for one in found for error in one.errors()]
    covered = [inside for one in found for inside in one.covered()]
    good = [one.regret() <= 0.10 for one in found]
    assert len(errors) >= 300
    assert median(errors) <= 0.15
    assert sum(covered) / len(covered) >= 0.90
    assert sum(good) / len(good) >= 0.95


def test_with_another_number_of_workers_the_interval_spans_the_models() -> None:
    rng = random.Random(2)  # noqa: S311
    found = [one for seed in range(2) for one in computing(measured(seed=seed), rng, workers=1)]
    parallel = [one for held in found for one in held.advice.predictions if one.engine != SERIAL]
    assert not any(one.measured for one in parallel)
    assert all("not measured with 1 worker" in one.basis for one in parallel)
    covered = [inside for one in found for inside in one.covered()]
    assert sum(covered) / len(covered) >= 0.90
    assert median(error for one in found for error in one.errors()) <= 0.15


def test_bytes_between_two_measured_sizes_cost_what_lies_between() -> None:
    rng = random.Random(3)  # noqa: S311
    analysis = measured("overhead", "payload")
    sizes = [round(math.sqrt(a * b)) for a, b in pairwise(SIZES)]
    found = [
        held(
            analysis,
            Job(task_s=1e-7, tasks=100, workers=2, bytes_in=size),
            [payload.task_out("own", size)] * 100,
            rng,
        )
        for size in sizes
    ]
    errors = [
        abs(one.makespan_s / each.took_s[one.engine] - 1)
        for each in found
        for one in each.advice.predictions
        if one.engine != SERIAL  # its tasks get no bytes
    ]
    assert median(errors) <= 0.15
    assert all(IN in one.basis for one in found[0].advice.predictions if one.engine != SERIAL)


def test_without_noise_the_known_makespan_is_predicted() -> None:
    analysis = measured(noise=0.0)
    advice = advise(analysis, Job(task_s=0.002, tasks=1000, workers=2))
    at = {one.engine: one for one in advice.predictions}
    # Paid one after the other and hidden behind the work; and paid in addition to it.
    assert at["ray"].makespan_s == pytest.approx(0.006 + 1000 / 2 * 0.002, rel=0.02)
    assert at["dask"].makespan_s == pytest.approx(0.009 + 1000 * (0.0018 + 0.001), rel=0.02)
    assert at[SERIAL].makespan_s == pytest.approx(1000 * 0.002, rel=0.05)
    assert at["ray"].measured
    assert at["dask"].measured


def test_tasks_shorter_than_the_dispatch_take_as_long_as_their_dispatch() -> None:
    advice = advise(measured(noise=0.0), Job(task_s=1e-5, tasks=5000, workers=2))
    at = {one.engine: one.makespan_s for one in advice.predictions}
    assert at["ray"] == pytest.approx(5000 * 6e-4, rel=0.02)
    assert at["dask"] == pytest.approx(5000 * (1.8e-3 + 5e-6), rel=0.02)


def test_the_last_wave_counts_whole() -> None:
    analysis = measured(noise=0.0)
    two, three, four = (
        advise(analysis, Job(task_s=1.0, tasks=tasks, workers=2)).predictions[0].makespan_s
        for tasks in (2, 3, 4)
    )
    assert three == pytest.approx(four, rel=0.02)
    assert three == pytest.approx(2 * two, rel=0.02)


def test_a_slower_machine_with_all_cores_busy_is_part_of_the_prediction() -> None:
    slow = {engine: replace(of, busy_slowdown=1.4) for engine, of in COSTS.items()}
    advice = advise(measured(costs=slow, noise=0.0), Job(task_s=0.01, tasks=1000, workers=2))
    at = {one.engine: one.makespan_s for one in advice.predictions}
    assert at["multiprocessing"] == pytest.approx(1000 / 2 * 0.014, rel=0.05)
    assert at[SERIAL] == pytest.approx(10.0, rel=0.05)


def test_fewer_than_three_blocks_give_no_interval() -> None:
    advice = advise(measured(blocks=2), Job(task_s=0.01, tasks=100, workers=2))
    assert advice.predictions
    assert all(one.low_s is None and one.high_s is None for one in advice.predictions)


def test_more_noise_gives_wider_intervals() -> None:
    job = Job(task_s=0.003, tasks=1000, workers=2)

    def width(noise: float) -> float:
        (one,) = (p for p in advise(measured(noise=noise), job).predictions if p.engine == "dask")
        assert one.low_s is not None
        assert one.high_s is not None
        return one.high_s / one.low_s

    assert 1 < width(0.02) < width(0.1)


def test_engines_that_cannot_do_the_job_are_left_out_with_the_reason() -> None:
    job = Job(task_s=0.01, tasks=100, workers=2)
    advice = advise(measured(), job, frozenset({Capability.SPANS_HOSTS}))
    assert {one.engine for one in advice.predictions} == {"ray", "dask", "spark"}
    assert advice.left_out["multiprocessing"] == "multiprocessing runs on one host only"
    streaming = advise(measured(), job, frozenset({Capability.STREAMS}))
    assert "spark" in streaming.left_out


def test_waiting_tasks_run_as_many_at_once_as_was_measured() -> None:
    analysis = measured("overhead", "fractional", noise=0.0)
    advice = advise(analysis, Job(task_s=1.0, tasks=200, workers=2, cpus=0.1))
    at = {one.engine: one for one in advice.predictions}
    assert {"serial", "multiprocessing"} == advice.left_out.keys()
    assert at["ray"].makespan_s == pytest.approx(10.0, rel=0.1)
    assert at["ray"].measured
    unusual = advise(analysis, Job(task_s=1.0, tasks=200, workers=2, cpus=0.2))
    assert not unusual.predictions[0].measured
    assert "not measured at 0.2 of a core" in unusual.predictions[0].basis


def test_a_refused_share_leaves_the_engine_out_with_its_words() -> None:
    costs = COSTS | {"spark": replace(COSTS["spark"], slots={0.5: "ask for 1 core or more"})}
    analysis = measured("overhead", "fractional", costs=costs)
    advice = advise(analysis, Job(task_s=1.0, tasks=200, workers=2, cpus=0.5))
    assert "ask for 1 core or more" in advice.left_out["spark"]


def test_bytes_that_were_not_measured_are_not_guessed() -> None:
    advice = advise(measured(), Job(task_s=0.01, tasks=100, workers=2, bytes_in=10**6))
    assert [one.engine for one in advice.predictions] == [SERIAL]
    assert "did not measure bytes in" in advice.left_out["ray"]


def test_another_task_length_that_changes_the_answer_is_found() -> None:
    analysis = measured(noise=0.0)
    advice = advise(analysis, Job(task_s=0.01, tasks=1000, workers=2))
    assert advice.predictions[0].engine in {"multiprocessing", "ray"}
    (shorter,) = (turn for turn in advice.turns if not turn.longer)
    assert shorter.task_s < 0.01
    at = advise(analysis, replace(advice.job, task_s=shorter.task_s / 3))
    assert at.predictions[0].engine != advice.predictions[0].engine
    short = advise(analysis, Job(task_s=1e-6, tasks=1000, workers=2))
    assert short.predictions[0].engine == SERIAL
    assert [turn.engine for turn in short.turns if turn.longer] == ["multiprocessing"]
    assert advice.alike_from_s is not None
    assert 0.02 < advice.alike_from_s < 2


def test_the_second_engine_costs_what_its_blocks_say() -> None:
    advice = advise(measured(), Job(task_s=0.001, tasks=2000, workers=2))
    best, second = advice.predictions[:2]
    assert advice.regret is not None
    assert advice.regret.value == pytest.approx(second.makespan_s / best.makespan_s)
