"""The contract that every engine keeps, tested from outside.  ``scenarios`` runs the engines."""

import contextlib
import socket
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TypeAlias

import pytest

from engines.environment import thread_environment
from engines.interface import Capability, Config, Resources
from engines.registry import load_engine
from tests.engines.outcomes import THREADS, WORKERS, outcome
from tests.engines.placement import CONTAINERS, HERE, placed
from tests.engines.scenarios import SUMS, peak
from tests.engines.tasks import double

Hostile: TypeAlias = tuple[tuple[str, str], ...]

RECORD_DIFFERS_S = 0.15
RECORD_LONGER_S = 0.25
"""Spark's spans include work around the call, which takes longer beside other clusters."""
LOOPBACK = {"127.0.0.1", "::1", "::ffff:127.0.0.1"}


def claims(engine_name: str, capability: Capability) -> bool:
    return capability in load_engine(placed(engine_name).engine).capabilities


def workers(engine_name: str) -> int:
    return WORKERS if claims(engine_name, Capability.PARALLEL) else 1


def promised(engine_name: str) -> dict[str, Any]:
    return outcome("promises", engine_name).seen


def test_an_engine_yields_each_result_once_with_the_index_of_its_input(engine_name: str) -> None:
    assert sorted(promised(engine_name)["doubled"]) == [[i, double(i)] for i in range(100)]


def test_an_engine_runs_equal_inputs_as_separate_tasks(engine_name: str) -> None:
    assert len({tuple(identity) for identity in promised(engine_name)["identities"]}) == 30


def test_an_engine_passes_large_inputs_and_outputs_unchanged(engine_name: str) -> None:
    seen = promised(engine_name)
    assert [sorted(run) for run in seen["grown"]] == [seen["wanted"]] * 2


def test_an_engine_runs_a_built_in_function(engine_name: str) -> None:
    assert sorted(promised(engine_name)["built_in"]) == [[0, 1], [1, 2]]


def test_an_engine_yields_no_results_without_inputs(engine_name: str) -> None:
    assert promised(engine_name)["nothing"] == []


def test_an_engine_runs_tasks_after_a_run_was_abandoned(engine_name: str) -> None:
    assert sorted(promised(engine_name)["after_giving_up"]) == [[0, 0], [1, 2], [2, 4]]


def test_a_task_that_raises_is_reported_with_its_traceback_and_the_others_finish(
    engine_name: str,
) -> None:
    reports = promised(engine_name)["reports"]
    failed = [report for report in reports if report["error"] is not None]
    assert [report["index"] for report in failed] == [5]
    assert "TypeError" in failed[0]["error"]
    assert sorted(report["index"] for report in reports) == list(range(12))


def test_each_worker_sets_up_the_kernel_once(engine_name: str) -> None:
    reports = promised(engine_name)["reports"]
    set_ups = Counter(report["worker"] for report in reports if report["set_up_s"] > 0)
    assert set_ups == dict.fromkeys({report["worker"] for report in reports}, 1)


def test_an_engine_reports_the_requested_number_of_workers(engine_name: str) -> None:
    assert promised(engine_name)["workers"] == workers(engine_name)


def test_an_engine_runs_tasks_in_one_process_per_worker(engine_name: str) -> None:
    processes = {place["process"] for place in promised(engine_name)["places"]}
    assert len(processes) == workers(engine_name)


def test_workers_have_the_requested_threads_and_allocator_settings(engine_name: str) -> None:
    resources = Resources(workers=WORKERS, threads_per_worker=THREADS)
    for place in promised(engine_name)["places"]:
        assert place["torch_threads"] == THREADS
        assert place["environment"].items() >= thread_environment(resources).items()


def test_workers_run_at_the_priority_of_the_program(engine_name: str) -> None:
    assert {place["niceness"] for place in promised(engine_name)["places"]} == {0}


def test_an_engine_streams_results_exactly_when_it_claims_to(engine_name: str) -> None:
    first_s, *_, last_s = promised(engine_name)["arrivals_s"]
    assert (last_s - first_s > 1) == claims(engine_name, Capability.STREAMS)


def test_an_engine_runs_tasks_in_parallel_exactly_when_it_claims_to(engine_name: str) -> None:
    assert peak(promised(engine_name)["naps"]) == workers(engine_name)


def test_an_engine_without_fractional_cpus_rejects_half_a_core(engine_name: str) -> None:
    if not claims(engine_name, Capability.FRACTIONAL_CPUS):
        assert promised(engine_name)["half_a_core"]


def test_an_engine_gives_a_reason_for_every_setting(engine_name: str) -> None:
    settings = promised(engine_name)["settings"]
    assert settings
    assert all(name and value and reason for name, value, reason in settings)


# Clusters are excluded: a node of a Ray cluster listens on all interfaces and requires a token.
@pytest.mark.placed(HERE)
def test_an_engine_listens_on_loopback_only(engine_name: str) -> None:
    assert set(promised(engine_name)["listens_on"]) <= LOOPBACK


def test_an_engine_prints_nothing(engine_name: str) -> None:
    assert outcome("promises", engine_name).printed == ()


@pytest.mark.plain
@pytest.mark.placed(HERE)
def test_an_engine_stays_private_in_a_hostile_environment(
    engine_name: str, hostile: Hostile
) -> None:
    seen = outcome("private", engine_name, config=Config.SHIPPED, environment=hostile).seen
    assert sorted(seen["doubled"]) == [[i, double(i)] for i in range(20)]
    assert seen["workers"] == workers(engine_name)
    assert set(seen["listens_on"]) <= LOOPBACK
    assert {place["torch_threads"] for place in seen["places"]} == {THREADS}


@pytest.fixture
def hostile(tmp_path: Path) -> Iterator[Hostile]:
    """An environment with settings of other clusters in variables and in the home folder.

    The default ports of the frameworks are occupied.
    """
    (tmp_path / "spark-defaults.conf").write_text("spark.master spark://127.0.0.1:1\n")
    (tmp_path / "dask.yaml").write_text("distributed: {nanny: {preload: [no_such_module]}}\n")
    (tmp_path / ".config").mkdir()
    (tmp_path / ".config" / "dask").symlink_to(tmp_path)
    # Ray keeps its token in a folder of this name; a file prevents that.
    (tmp_path / ".ray").touch()
    listeners = []
    for port in (4040, 6379, 8265, 8787):
        listener = socket.socket()
        with contextlib.suppress(OSError):
            listener.bind(("127.0.0.1", port))
            listener.listen()
        listeners.append(listener)
    yield (
        ("HOME", str(tmp_path)),
        ("RAY_ADDRESS", "127.0.0.1:1"),
        ("RAY_TMPDIR", "/nonexistent"),
        ("RAY_worker_niceness", "19"),
        ("SPARK_HOME", "/nonexistent"),
        ("SPARK_CONF_DIR", str(tmp_path)),
        ("SPARK_LOCAL_IP", "192.0.2.1"),
        ("PYSPARK_PYTHON", "/nonexistent"),
        ("PYSPARK_SUBMIT_ARGS", "--master spark://127.0.0.1:1 pyspark-shell"),
        ("JAVA_TOOL_OPTIONS", "-Dspark.master=spark://127.0.0.1:1"),
        ("DASK_CONFIG", str(tmp_path)),
        ("DASK_SCHEDULER_ADDRESS", "tcp://127.0.0.1:1"),
        ("DASK_DISTRIBUTED__NANNY__PRE_SPAWN_ENVIRON__OMP_NUM_THREADS", "64"),
    )
    for listener in listeners:
        listener.close()


def forms(engine_name: str) -> dict[str, Any]:
    return outcome("forms", engine_name, traced=True).seen


@pytest.mark.plain
def test_an_engine_runs_tasks_one_by_one_exactly_when_it_claims_bulk_calls(
    engine_name: str,
) -> None:
    seen = forms(engine_name)
    if not claims(engine_name, Capability.BULK):
        assert seen["one_by_one"] is None
        return
    assert sorted(seen["one_by_one"]) == [[i, 50 - i] for i in range(50)]
    assert peak(seen["naps_one_by_one"]) == WORKERS


@pytest.mark.plain
def test_an_engine_awaits_coroutines_exactly_when_it_claims_to(engine_name: str) -> None:
    awaited = forms(engine_name)["awaited"]
    if not claims(engine_name, Capability.AWAITS):
        assert awaited is None
        return
    assert sorted(index for index, _ in awaited) == list(range(20))
    # All coroutines of a worker have waited for each other in one thread.
    in_worker = Counter(tuple(place) for _, place in awaited)
    assert list(in_worker.values()) == [20 // workers(engine_name)] * workers(engine_name)


@pytest.mark.plain
def test_an_engine_runs_graphs_exactly_when_it_claims_to(engine_name: str) -> None:
    sums = forms(engine_name)["sums"]
    if not claims(engine_name, Capability.GRAPHS):
        assert sums is None
        return
    done = dict(sums)
    assert len(sums) == len(done) == sum(len(layer) for layer in SUMS)
    calls: dict[str, int] = {}
    first, before = 0, 0
    for layer in SUMS:
        for place, node in enumerate(layer):
            output, needed = done[first + place], [done[before + need] for need in node.needs]
            assert output["total"] == node.value + sum(other["total"] for other in needed)
            assert all(other["ended_s"] <= output["started_s"] for other in needed)
            calls[output["process"]] = max(output["call"], calls.get(output["process"], 0))
        first, before = first + len(layer), first
    assert sum(calls.values()) == len(done)


@pytest.mark.plain
def test_an_engine_records_a_trace_exactly_when_it_claims_to(engine_name: str) -> None:
    seen = forms(engine_name)
    if not claims(engine_name, Capability.TRACES):
        assert seen["own_trace"] is None
        return
    assert len(seen["own_trace"]) == 10  # four of its tasks are no naps
    # In the order of their length: it does not depend on which nap belongs to which span.
    spans_s = sorted((until - since for _, _, since, until in seen["own_trace"]), reverse=True)
    naps_s = sorted((end - start for start, end in seen["naps_s"]), reverse=True)
    assert all(span > nap - 0.01 for span, nap in zip(spans_s, naps_s, strict=False))
    late_s, longer_s = [], []
    for start_s, end_s in seen["naps_s"]:
        # Match each nap with the closest span: Spark's spans include work around the call, and
        # Dask's clocks differ slightly, so the spans may be in another order.
        name, worker, from_s, until_s = min(
            seen["own_trace"], key=lambda span: abs(span[2] - start_s) + abs(span[3] - end_s)
        )
        assert name
        assert worker
        late_s.append(abs(from_s - start_s))
        longer_s.append((until_s - from_s) - (end_s - start_s))
    # The least, because a busy machine may delay any task between the span and the call.
    assert min(late_s) < RECORD_DIFFERS_S
    assert min(longer_s) < RECORD_LONGER_S


@pytest.mark.plain
def test_an_engine_runs_tasks_after_all_optional_ways_to_run_them(engine_name: str) -> None:
    assert sorted(forms(engine_name)["after"]) == [[0, 0], [1, 2], [2, 4]]


@pytest.mark.placed(HERE, CONTAINERS)
@pytest.mark.timeout(500)
@pytest.mark.parametrize("scenario", ["loses", "loses_with_large_input"])
def test_an_engine_reports_a_lost_worker_when_it_cannot_recover(
    engine_name: str, scenario: str
) -> None:
    if not claims(engine_name, Capability.PARALLEL):
        pytest.skip("the only worker is the program itself")
    seen = outcome(scenario, engine_name).seen
    assert seen["error"]
    assert seen["after_s"] < 60


# The tests below request shares, which requires another cluster of containers.
@pytest.mark.placed(HERE, CONTAINERS)
@pytest.mark.timeout(300)
def test_an_engine_with_fractional_cpus_fills_its_cores_and_admits_no_more(
    engine_name: str,
) -> None:
    if not claims(engine_name, Capability.FRACTIONAL_CPUS):
        pytest.skip("no fractional CPUs; another test checks that the engine rejects them")
    seen = outcome("shares", engine_name, smallest_share=0.1).seen
    best = max(seen["waves"], key=lambda wave: (wave["peak"], -wave["makespan_s"]))
    assert best["peak"] == 20
    # Twenty naps of 2 s run at once; in two waves they would take 4 s.
    assert best["makespan_s"] < 4
    assert max(wave["peak"] for wave in seen["waves"]) == 20
    assert {cpus: running for cpus, running in seen["peaks"] if running > WORKERS / cpus} == {}
    assert seen["refused"]


@pytest.mark.placed(HERE, CONTAINERS)
@pytest.mark.timeout(300)
def test_an_engine_admits_no_more_unusual_shares_than_fit_or_rejects_them(engine_name: str) -> None:
    if not claims(engine_name, Capability.FRACTIONAL_CPUS):
        pytest.skip("no fractional CPUs; another test checks that the engine rejects them")
    seen = outcome("mixes", engine_name, smallest_share=0.1).seen
    for amount, result in seen["cpus"] + seen["slots"]:
        assert result if isinstance(result, str) else 1 <= result <= WORKERS / amount
    assert all(isinstance(result, str) for result in seen["too_much"])


@pytest.mark.plain
@pytest.mark.placed(HERE, CONTAINERS)
@pytest.mark.timeout(300)
def test_an_engine_accepts_shares_of_a_slot_exactly_when_it_claims_to(engine_name: str) -> None:
    if not claims(engine_name, Capability.SLOTS):
        assert forms(engine_name)["half_a_slot"]
        return
    assert outcome("mixes", engine_name, smallest_share=0.1).seen["tenths"] == 20


@pytest.mark.placed(HERE, CONTAINERS)
@pytest.mark.timeout(300)
def test_an_engine_shares_its_workers_between_runs_of_two_threads(engine_name: str) -> None:
    if not claims(engine_name, Capability.FRACTIONAL_CPUS):
        pytest.skip("the two runs of this test need different shares of a core")
    naps = outcome("mixes", engine_name, smallest_share=0.1).seen["together"]
    assert len(naps["short"]) == 4
    ((long_from_s, long_until_s, _),) = naps["long"]
    assert any(
        long_from_s < start_s and end_s < long_until_s for start_s, end_s, _ in naps["short"]
    )


@pytest.mark.placed(HERE)
def test_dask_admits_one_task_too_few_when_it_adds_shares_as_floats(engine_name: str) -> None:
    if engine_name != "dask":
        pytest.skip("the other engines count shares as decimals or integers")
    shipped, tuned = (
        outcome("floats", engine_name, smallest_share=0.1, config=config).seen for config in Config
    )
    assert (shipped["workers"], shipped["peak"]) == (WORKERS, 19)
    assert (tuned["workers"], tuned["peak"]) == (WORKERS, 20)
    assert shipped["more_than_a_core"] == tuned["more_than_a_core"] == 1
    assert "no-worker" in tuned["more_than_all_cores"]


def test_an_engine_leaves_no_files_in_the_repository(engine_name: str) -> None:
    promised(engine_name)
    here = Path.cwd()
    assert not [name for name in ("spark-warehouse", "metastore_db") if (here / name).exists()]
