"""A plan is decided by its request and seed, and its blocks are complete."""

from collections import Counter
from collections.abc import Mapping, Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from compare.experiments.experiment import Opening, Scope
from compare.experiments.faults import FAULTS
from compare.measure.adapters import capabilities
from compare.options import COMPOSE, Options, PresetName
from compare.plan.schedule import Request, make_plan, request_of
from compare.records.plan import CEILING, FIRST_TURN, LAST_TURN, SERIAL, Case, Plan, Site, Workload
from tests.compare import fakes
from tests.compare.analysed import EXPERIMENTS

ENGINES = ("serial", "multiprocessing", "ray", "dask", "spark")


def planned(  # noqa: PLR0913 - one for each part of the request that a test changes
    seed: int = 0,
    blocks: int | None = None,
    preset: str = "quick",
    missing: dict[str, str] | None = None,
    *,
    experiments: Sequence[str] = ("overhead", "fractional"),
    workload: Workload | None = None,
    native_trace: bool = False,
    clusters: Mapping[str, str] | None = None,
    on: str | None = None,
) -> Plan:
    options = Options(
        preset=PresetName(preset), blocks=blocks, seed=seed, native_trace=native_trace, on=on
    )
    return make_plan(
        Request(
            run_id="run",
            options=options,
            engines=ENGINES,
            experiments=experiments,
            workers=2,
            workload=workload,
            missing=missing or {},
            clusters=clusters or {},
        )
    )


@given(seed=st.integers(), blocks=st.integers(1, 6), preset=st.sampled_from(list(PresetName)))
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


@settings(max_examples=20)
@given(
    seed=st.integers(),
    blocks=st.none() | st.integers(1, 6),
    preset=st.sampled_from(list(PresetName)),
)
def test_every_block_that_the_preset_says_holds_every_case_of_every_experiment(
    seed: int, blocks: int | None, preset: str
) -> None:
    workload = fakes.workload()
    plan = planned(seed, blocks, preset, experiments=tuple(EXPERIMENTS), workload=workload)
    for block in range(1, plan.blocks + 1):
        for engine in (CEILING, *ENGINES):
            asked = [
                repr(case)
                for experiment in EXPERIMENTS.values()
                if engine != CEILING or experiment.with_ceiling
                if block <= (blocks or experiment.blocks(PresetName(preset)))
                for case in experiment.cases(
                    Scope(preset=PresetName(preset), workload=workload, workers=plan.workers)
                )
                if block <= 3 or engine not in {CEILING, SERIAL} or not experiment.sweeps(case)
                if block == 1 or engine != CEILING or not experiment.ceiling_once
            ]
            held = [
                repr(_without_turn(case))
                for session in plan.sessions
                if (session.block, session.engine) == (block, engine)
                if session.label != LAST_TURN
                for case in session.cases
            ]
            assert Counter(held) == Counter(asked)


def test_the_engines_have_a_sweep_in_every_block_and_the_references_in_fewer() -> None:
    plan = planned(preset="standard", blocks=5, experiments=("overhead",))
    swept = {
        engine: sum("point_s" in case.parameters for case in session_cases)
        for engine in (CEILING, *ENGINES)
        for session_cases in [
            [case for one in plan.sessions if one.engine == engine for case in one.cases]
        ]
    }
    assert swept == {CEILING: 1, **dict.fromkeys(ENGINES, 5), SERIAL: 3}


def _without_turn(case: Case) -> Case:
    kept = {name: value for name, value in case.parameters.items() if name != "turn"}
    return Case(experiment=case.experiment, parameters=kept)


def test_the_ceiling_is_measured_at_both_ends_of_a_block() -> None:
    plan = planned(
        preset="standard", experiments=("throughput", "overhead"), workload=fakes.workload()
    )
    for block in range(1, plan.blocks + 1):
        in_block = [session for session in plan.sessions if session.block == block]
        first, last = in_block[0], in_block[-1]
        assert (first.engine, last.engine) == (CEILING, CEILING)
        turns = [case.parameters.get("turn") for case in (*first.cases, *last.cases)]
        assert turns.count(FIRST_TURN) == turns.count(LAST_TURN) == 1
        assert {case.experiment for case in last.cases} == {"throughput"}


def test_a_case_is_measured_in_a_session_that_is_opened_as_it_needs() -> None:
    plan = planned(experiments=tuple(EXPERIMENTS), workload=fakes.workload())
    for session in plan.sessions:
        for case in session.cases:
            experiment = EXPERIMENTS[case.experiment]
            # What the engine cannot do here is said in its main session.
            can = experiment.needs(case) <= capabilities(session.engine)
            can = can and experiment.inapplicable(case, Site.HERE) is None
            asked = experiment.opening(case, plan.workers) if can else Opening(workers=plan.workers)
            opened = (session.label, session.workers, session.smallest_share, session.traced)
            assert opened == (asked.label, asked.workers, asked.smallest_share, asked.traced)


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


@pytest.mark.parametrize("blocks", [2, 3, 5])
def test_the_mean_position_of_every_session_is_nearly_equal(blocks: int) -> None:
    for seed in range(10):
        plan = planned(seed, blocks)
        per_block = len(plan.sessions) // blocks
        places: dict[str, float] = {}
        for session in plan.sessions:
            kind = f"{session.engine} {session.label}"
            place = session.position % per_block / (per_block - 1)
            places[kind] = places.get(kind, 0.0) + place / blocks
        # In plain random orders of three blocks means lie up to 0.4 from the middle.
        assert max(abs(place - 0.5) for place in places.values()) <= 0.2


@pytest.mark.parametrize("engine", ENGINES)
def test_a_missing_engine_has_no_session_but_stays_in_the_plan(engine: str) -> None:
    plan = planned(missing={engine: "not installed"})
    assert engine in plan.engines
    assert engine not in {session.engine for session in plan.sessions}


def test_a_plan_leads_back_to_its_request() -> None:
    request = Request(
        run_id="run",
        options=Options(preset=PresetName.QUICK, seed=7),
        engines=("serial", "multiprocessing", "dask", "dask-actors", "ray"),
        experiments=("throughput",),
        workers=2,
        workload=fakes.workload(),
        missing={"ray": "not installed"},
        clusters={"dask": "tcp://127.0.0.1:8786"},
        forms={"dask-actors": "dask"},
        niceness=5,
        job=fakes.job(),
    )
    assert request_of(make_plan(request)) == request


@pytest.mark.parametrize("workload", [None, fakes.workload()], ids=["no images", "images"])
def test_native_traces_are_taken_after_all_that_is_timed(workload: Workload | None) -> None:
    plain = planned(blocks=2, workload=workload)
    plan = planned(blocks=2, workload=workload, native_trace=True)
    assert plan.options.native_trace
    assert plan.sessions[: len(plain.sessions)] == plain.sessions
    traced = plan.sessions[len(plain.sessions) :]
    assert [session.id for session in traced] == ["2-ray-traced", "2-dask-traced", "2-spark-traced"]
    assert not any(session.traced for session in plain.sessions)
    assert all(session.traced and session.label and session.block == 2 for session in traced)
    ran = ["timeline"] if workload is None else ["throughput", "timeline"]
    for session in traced:
        assert [case.experiment for case in session.cases] == ran
        assert session.cases[-1].parameters["how"] == "blocking"


def test_a_missing_engine_is_not_asked_for_a_trace() -> None:
    plan = planned(missing={"ray": "not installed"}, native_trace=True)
    assert [s.engine for s in plan.sessions if s.traced] == ["dask", "spark"]


def test_every_fault_has_a_session_of_its_own_on_engines_with_workers_on_this_host() -> None:
    plan = planned(experiments=("faults",), clusters={"spark": "spark://head:7077"})
    faulty = Counter(session.engine for session in plan.sessions if session.faults)
    here = [name for name, fault in FAULTS.items() if not fault.container]
    of_one_host = [name for name in here if not FAULTS[name].node]
    assert faulty == {
        "multiprocessing": len(of_one_host),
        "ray": len(here),
        "dask": len(here),
    }
    for session in plan.sessions:
        assert bool(session.label) == session.faults == (not session.is_usual)
        assert not session.faults or len(session.cases) == 1
    main = {session.engine: session for session in plan.sessions if not session.label}
    assert len(main["spark"].cases) == len(main["serial"].cases) == len(FAULTS)
    assert len(main["ray"].cases) == len(FAULTS) - len(here)


def test_faults_of_containers_have_sessions_on_clusters_of_containers_alone() -> None:
    plan = planned(
        experiments=("faults",), clusters=dict.fromkeys(("ray", "spark"), ""), on=COMPOSE
    )
    of_containers = {name for name, fault in FAULTS.items() if fault.container}
    assert of_containers == {"container-killed", "network-cut"}
    for engine in ("ray", "spark"):
        own = [s for s in plan.sessions if s.engine == engine and s.label]
        assert {session.label for session in own} == of_containers
        assert all(session.faults and not session.nodes for session in own)
    elsewhere = [s for s in plan.sessions if s.engine not in {"ray", "spark"} and s.label]
    assert {session.engine for session in elsewhere} == {"multiprocessing", "dask"}
    assert not {session.label for session in elsewhere} & of_containers


def test_what_is_shipped_stays_in_a_session_of_its_own_on_engines_of_this_host() -> None:
    plan = planned(experiments=("environments",), clusters={"spark": "spark://head:7077"})
    shipped = {
        session.engine: [case.parameters["what"] for case in session.cases]
        for session in plan.sessions
        if session.label
    }
    everything = ["installed", "code", "wheel", "package"]
    assert {shipped[engine] == everything for engine in ("ray", "dask")} == {True}
    assert shipped["multiprocessing"] == ["installed"]
    assert "spark" not in shipped
    assert all(session.is_usual for session in plan.sessions)


def test_workers_that_come_and_go_have_a_session_of_their_own_on_engines_of_this_host() -> None:
    plan = planned(experiments=("elasticity",), clusters={"spark": "spark://head:7077"})
    own = [session for session in plan.sessions if session.label]
    elastic = {session.engine for session in own}
    assert elastic == {"ray", "dask"}
    for session in own:
        (case,) = session.cases
        assert session.workers == case.parameters["most"]
        assert session.is_usual == (session.idle_s is None)
        assert case.parameters["idle_s"] == (session.idle_s or "never")
    told = {s.engine for s in plan.sessions if s.cases and not s.label} - {"ceiling"}
    assert told == {*plan.engines} - elastic
