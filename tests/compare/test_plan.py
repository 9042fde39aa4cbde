"""A plan is decided by its request and seed, and its blocks are complete."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from compare.plan import Request, make_plan
from compare.presets import PRESETS
from compare.records import CEILING, Plan, Workload
from engines.interface import Config
from tests.compare import fakes

ENGINES = ("serial", "multiprocessing", "ray", "dask", "spark")


def planned(  # noqa: PLR0913 - one for each part of the request that a test changes
    seed: int = 0,
    blocks: int | None = None,
    preset: str = "quick",
    missing: dict[str, str] | None = None,
    *,
    workload: Workload | None = None,
    native_trace: bool = False,
) -> Plan:
    request = Request(
        engines=ENGINES,
        experiments=("overhead", "fractional"),
        preset=preset,
        blocks=blocks,
        workers=2,
        threads_per_worker=1,
        config=Config.TUNED,
        seed=seed,
        native_trace=native_trace,
    )
    return make_plan(request, "run", workload, missing or {})


@given(seed=st.integers(), blocks=st.integers(1, 6), preset=st.sampled_from(list(PRESETS)))
def test_every_block_holds_every_engine_once_with_each_kind_of_session(
    seed: int, blocks: int, preset: str
) -> None:
    plan = planned(seed, blocks, preset)
    for block in range(1, blocks + 1):
        sessions = [session for session in plan.sessions if session.block == block]
        whole = Counter(s.engine for s in sessions if not s.label)
        shares = Counter(s.engine for s in sessions if s.label)
        assert whole == Counter((CEILING, *ENGINES))
        assert shares == Counter(("ray", "dask", "spark"))


@given(seed=st.integers(), blocks=st.integers(1, 6))
def test_blocks_follow_each_other_and_positions_count_the_sessions(seed: int, blocks: int) -> None:
    sessions = planned(seed, blocks).sessions
    assert [session.position for session in sessions] == list(range(len(sessions)))
    assert [session.block for session in sessions] == sorted(s.block for s in sessions)
    assert len({session.id for session in sessions}) == len(sessions)


@given(seed=st.integers())
def test_the_seed_decides_the_order(seed: int) -> None:
    assert planned(seed) == planned(seed)


def test_another_seed_gives_another_order() -> None:
    orders = {tuple(s.id for s in planned(seed).sessions) for seed in range(10)}
    assert len(orders) > 5


def test_the_position_of_an_engine_differs_between_blocks() -> None:
    plan = planned(blocks=6)
    per_block = len(plan.sessions) // 6
    places = {s.position % per_block for s in plan.sessions if s.id.endswith("-ray")}
    assert len(places) > 1


@pytest.mark.parametrize("engine", ENGINES)
def test_a_missing_engine_has_no_session_but_stays_in_the_plan(engine: str) -> None:
    plan = planned(missing={engine: "not installed"})
    assert engine in plan.engines
    assert engine not in {session.engine for session in plan.sessions}


@pytest.mark.parametrize("workload", [None, fakes.workload()], ids=["no images", "images"])
def test_native_traces_are_taken_after_all_that_is_timed(workload: Workload | None) -> None:
    plain = planned(blocks=2, workload=workload)
    plan = planned(blocks=2, workload=workload, native_trace=True)
    assert plan.native_trace
    assert plan.sessions[: len(plain.sessions)] == plain.sessions
    traced = plan.sessions[len(plain.sessions) :]
    assert [session.id for session in traced] == ["2-ray-traced", "2-dask-traced", "2-spark-traced"]
    assert not any(session.traced for session in plain.sessions)
    assert all(session.traced and session.label and session.block == 2 for session in traced)
    ran = ["timeline"] if workload is None else ["timeline", "throughput"]
    for session in traced:
        assert [case.experiment for case in session.cases] == ran
        assert session.cases[0].parameters["how"] == "blocking"


def test_a_missing_engine_is_not_asked_for_a_trace() -> None:
    plan = planned(missing={"ray": "not installed"}, native_trace=True)
    assert [s.engine for s in plan.sessions if s.traced] == ["dask", "spark"]
