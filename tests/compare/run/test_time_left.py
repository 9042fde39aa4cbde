"""The time that is left is right within 30% once a third has run."""

import random
from dataclasses import replace

import pytest

from compare.plan.duration import expected_s
from compare.run.time_left import TimeLeft
from tests.compare import fakes


@pytest.mark.parametrize("seed", range(20))
def test_after_a_third_the_time_left_is_right_within_30_percent(seed: int) -> None:
    """Though every engine takes a multiple of its own of what was expected, and noise on top."""
    rng = random.Random(seed)  # noqa: S311
    plan = fakes.plan(blocks=3, seed=seed)
    expected = [(session, expected_s(plan, session, 0.2)) for session in plan.sessions]
    off = {(session.engine, session.label): rng.uniform(0.5, 3) for session in plan.sessions}
    took = {s.id: e * off[s.engine, s.label] * rng.uniform(0.9, 1.1) for s, e in expected}
    progress = TimeLeft(expected)
    spent_s, total_s = 0.0, sum(took.values())
    for session in plan.sessions:
        if spent_s > total_s / 3:
            assert progress.left_s() == pytest.approx(total_s - spent_s, rel=0.3)
        progress.finished(session, took[session.id])
        spent_s += took[session.id]
    assert progress.left_s() == 0


def test_before_anything_has_run_it_says_what_was_expected() -> None:
    plan = fakes.plan()
    expected = [(session, 10.0) for session in plan.sessions]
    assert TimeLeft(expected).left_s() == 10.0 * len(plan.sessions)


def test_moving_data_over_a_limited_link_is_expected_to_take_its_time() -> None:
    plan = fakes.plan(engines=("dask",), experiments=("payload",))
    session = next(session for session in plan.sessions if session.engine == "dask")

    def over(link_rate: str | None) -> float:
        return expected_s(
            fakes.plan(engines=("dask",), experiments=("payload",), link_rate=link_rate),
            session,
            0.2,
        )

    assert over(None) < over("1gbit") < over("100mbit")
    assert over("800kbit") == pytest.approx(10 * over("8mbit"), rel=0.05)
    assert over("100gbit") == over(None)


def test_a_session_that_was_slowed_down_does_not_tell_how_long_the_next_one_takes() -> None:
    """Otherwise a program beside the first blocks would cost the run a later one."""
    plan = fakes.plan(blocks=3)
    of_ray = [one for one in plan.sessions if one.engine == "ray" and not one.label]
    progress = TimeLeft((one, 10.0) for one in of_ray)
    progress.finished(of_ray[0], 40.0)
    progress.finished(of_ray[1], 20.0)
    assert progress.left_s() == 20.0


def test_an_engine_that_starts_slowly_makes_only_its_own_sessions_longer() -> None:
    plan = fakes.plan(engines=("ray", "dask"), experiments=("throughput", "overhead"), blocks=1)
    ray, dask = (one for one in plan.sessions if one.engine in ("ray", "dask"))
    progress = TimeLeft([(ray, 40.0), (dask, 40.0)])
    progress.finished(ray, 80.0)
    progress.finished(dask, 40.0)
    # Sessions of another kind.
    of_ray, of_dask = (progress.of([(replace(one, cases=()), 10.0)]) for one in (ray, dask))
    assert of_ray > 1.5 * of_dask
    assert of_dask < 12.0
