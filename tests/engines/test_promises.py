"""What every engine promises, seen from outside.  One contract; see ``scenarios`` for what runs."""

import contextlib
import socket
import statistics
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
LOOPBACK = {"127.0.0.1", "::1", "::ffff:127.0.0.1"}


def claims(engine_name: str, capability: Capability) -> bool:
    return capability in load_engine(placed(engine_name).engine).capabilities


def workers(engine_name: str) -> int:
    return WORKERS if claims(engine_name, Capability.PARALLEL) else 1


def promised(engine_name: str) -> dict[str, Any]:
    return outcome("promises", engine_name).seen


def test_yields_the_result_of_each_input_once_under_its_index(engine_name: str) -> None:
    assert sorted(promised(engine_name)["doubled"]) == [[i, double(i)] for i in range(100)]


def test_runs_equal_inputs_each_on_its_own(engine_name: str) -> None:
    assert len({tuple(identity) for identity in promised(engine_name)["identities"]}) == 30


def test_runs_a_built_in_function(engine_name: str) -> None:
    assert sorted(promised(engine_name)["built_in"]) == [[0, 1], [1, 2]]


def test_yields_nothing_for_no_inputs(engine_name: str) -> None:
    assert promised(engine_name)["nothing"] == []


def test_runs_on_after_a_run_was_given_up(engine_name: str) -> None:
    assert sorted(promised(engine_name)["after_giving_up"]) == [[0, 0], [1, 2], [2, 4]]


def test_hands_back_the_traceback_of_a_failed_task_and_finishes_the_others(
    engine_name: str,
) -> None:
    reports = promised(engine_name)["reports"]
    failed = [report for report in reports if report["error"] is not None]
    assert [report["index"] for report in failed] == [5]
    assert "TypeError" in failed[0]["error"]
    assert sorted(report["index"] for report in reports) == list(range(12))


def test_sets_the_kernel_up_once_in_each_worker(engine_name: str) -> None:
    reports = promised(engine_name)["reports"]
    set_ups = Counter(report["worker"] for report in reports if report["set_up_s"] > 0)
    assert set_ups == dict.fromkeys({report["worker"] for report in reports}, 1)


def test_says_that_it_has_the_workers_asked_for(engine_name: str) -> None:
    assert promised(engine_name)["workers"] == workers(engine_name)


def test_runs_tasks_in_as_many_processes_as_it_says(engine_name: str) -> None:
    processes = {place["process"] for place in promised(engine_name)["places"]}
    assert len(processes) == workers(engine_name)


def test_gives_workers_the_threads_and_the_allocator_asked_for(engine_name: str) -> None:
    resources = Resources(workers=WORKERS, threads_per_worker=THREADS)
    for place in promised(engine_name)["places"]:
        assert place["torch_threads"] == THREADS
        assert place["environment"].items() >= thread_environment(resources).items()


def test_gives_workers_the_priority_of_the_program(engine_name: str) -> None:
    assert {place["niceness"] for place in promised(engine_name)["places"]} == {0}


def test_streams_exactly_when_it_says_so(engine_name: str) -> None:
    first_s, *_, last_s = promised(engine_name)["arrivals_s"]
    assert (last_s - first_s > 1) == claims(engine_name, Capability.STREAMS)


def test_runs_tasks_at_the_same_time_exactly_when_it_says_so(engine_name: str) -> None:
    assert peak(promised(engine_name)["naps"]) == workers(engine_name)


def test_refuses_half_a_core_when_it_does_not_claim_shares(engine_name: str) -> None:
    if not claims(engine_name, Capability.FRACTIONAL_CPUS):
        assert promised(engine_name)["half_a_core"]


def test_gives_a_reason_for_every_setting(engine_name: str) -> None:
    settings = promised(engine_name)["settings"]
    assert settings
    assert all(name and value and reason for name, value, reason in settings)


# A node of a Ray cluster listens on all interfaces and asks for its token.
@pytest.mark.placed(HERE)
def test_listens_on_loopback_only(engine_name: str) -> None:
    assert set(promised(engine_name)["listens_on"]) <= LOOPBACK


def test_prints_nothing(engine_name: str) -> None:
    assert outcome("promises", engine_name).printed == ()


@pytest.mark.placed(HERE)
def test_is_private_whatever_the_environment_says(engine_name: str, hostile: Hostile) -> None:
    seen = outcome("private", engine_name, config=Config.SHIPPED, environment=hostile).seen
    assert sorted(seen["doubled"]) == [[i, double(i)] for i in range(20)]
    assert seen["workers"] == workers(engine_name)
    assert set(seen["listens_on"]) <= LOOPBACK
    assert {place["torch_threads"] for place in seen["places"]} == {THREADS}


@pytest.fixture
def hostile(tmp_path: Path) -> Iterator[Hostile]:
    """Other clusters' settings, a home folder that is one, and usual ports that are taken."""
    (tmp_path / "spark-defaults.conf").write_text("spark.master spark://127.0.0.1:1\n")
    (tmp_path / "dask.yaml").write_text("distributed: {nanny: {preload: [no_such_module]}}\n")
    (tmp_path / ".config").mkdir()
    (tmp_path / ".config" / "dask").symlink_to(tmp_path)
    # Ray keeps its token in a folder of this name.
    (tmp_path / ".ray").touch()
    taken = []
    for port in (4040, 6379, 8265, 8787):
        listener = socket.socket()
        with contextlib.suppress(OSError):
            listener.bind(("127.0.0.1", port))
            listener.listen()
        taken.append(listener)
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
    for listener in taken:
        listener.close()


def forms(engine_name: str) -> dict[str, Any]:
    return outcome("forms", engine_name, traced=True).seen


def test_runs_tasks_one_by_one_exactly_when_it_has_another_way(engine_name: str) -> None:
    seen = forms(engine_name)
    if not claims(engine_name, Capability.BULK):
        assert seen["one_by_one"] is None
        return
    assert sorted(seen["one_by_one"]) == [[i, 50 - i] for i in range(50)]
    assert peak(seen["naps_one_by_one"]) == WORKERS


def test_awaits_coroutines_exactly_when_it_says_so(engine_name: str) -> None:
    awaited = forms(engine_name)["awaited"]
    if not claims(engine_name, Capability.AWAITS):
        assert awaited is None
        return
    assert sorted(index for index, _ in awaited) == list(range(20))
    naps = [nap for _, nap in awaited]
    assert peak(naps) == 20
    threads = Counter(tuple(thread) for *_, thread in naps)
    assert sorted(threads.values()) == [20 // workers(engine_name)] * workers(engine_name)


def test_runs_graphs_exactly_when_it_says_so(engine_name: str) -> None:
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
            one, needed = done[first + place], [done[before + need] for need in node.needs]
            assert one["total"] == node.value + sum(other["total"] for other in needed)
            assert all(other["ended_s"] <= one["started_s"] for other in needed)
            calls[one["process"]] = max(one["call"], calls.get(one["process"], 0))
        first, before = first + len(layer), first
    assert sum(calls.values()) == len(done)


def test_keeps_a_record_of_its_own_exactly_when_it_says_so(engine_name: str) -> None:
    seen = forms(engine_name)
    if not claims(engine_name, Capability.TRACES):
        assert seen["own_trace"] is None
        return
    assert len(seen["own_trace"]) == 10  # four were no naps
    late_s, longer_s = [], []
    for start_s, end_s in seen["naps_s"]:
        # Spark counts what it does around a call; Dask's clocks differ a little, so the order of
        # the spans may, too.
        name, worker, from_s, until_s = min(
            seen["own_trace"], key=lambda span: abs(span[2] - start_s) + abs(span[3] - end_s)
        )
        assert name
        assert worker
        late_s.append(abs(from_s - start_s))
        longer_s.append((until_s - from_s) - (end_s - start_s))
    assert min(longer_s) > -0.01
    # The median: a busy machine may stop any of them between a call and what is around it.
    assert statistics.median(late_s) < RECORD_DIFFERS_S
    assert statistics.median(longer_s) < RECORD_DIFFERS_S


def test_runs_on_after_every_form(engine_name: str) -> None:
    assert sorted(forms(engine_name)["after"]) == [[0, 0], [1, 2], [2, 4]]


@pytest.mark.placed(HERE, CONTAINERS)
@pytest.mark.timeout(120)
def test_reports_the_loss_of_a_worker_that_it_cannot_replace(engine_name: str) -> None:
    if not claims(engine_name, Capability.PARALLEL):
        pytest.skip("its only worker is the program itself")
    seen = outcome("loses", engine_name).seen
    assert seen["error"]
    assert seen["after_s"] < 60


# From here on tasks ask for shares, which takes another cluster of containers.
@pytest.mark.placed(HERE, CONTAINERS)
@pytest.mark.timeout(300)
def test_keeps_its_claim_on_shares_of_a_core(engine_name: str) -> None:
    if not claims(engine_name, Capability.FRACTIONAL_CPUS):
        pytest.skip("claims none; that it refuses them is a test of its own")
    seen = outcome("shares", engine_name, smallest_share=0.1).seen
    best = max(seen["waves"], key=lambda wave: (wave["peak"], -wave["makespan_s"]))
    assert best["peak"] == 20
    # Twenty naps of 2 s at once; in two waves they would take 4.
    assert best["makespan_s"] < 4
    assert max(wave["peak"] for wave in seen["waves"]) == 20
    assert {cpus: running for cpus, running in seen["peaks"] if running > WORKERS / cpus} == {}
    assert seen["refused"]


@pytest.mark.placed(HERE, CONTAINERS)
@pytest.mark.timeout(300)
def test_admits_no_more_than_fit_for_unusual_shares_or_says_why_not(engine_name: str) -> None:
    if not claims(engine_name, Capability.FRACTIONAL_CPUS):
        pytest.skip("claims none; that it refuses them is a test of its own")
    seen = outcome("mixes", engine_name, smallest_share=0.1).seen
    for amount, told in seen["cpus"] + seen["slots"]:
        assert told if isinstance(told, str) else 1 <= told <= WORKERS / amount
    assert all(isinstance(told, str) for told in seen["too_much"])


@pytest.mark.placed(HERE, CONTAINERS)
@pytest.mark.timeout(300)
def test_keeps_its_claim_on_shares_of_a_slot(engine_name: str) -> None:
    if not claims(engine_name, Capability.SLOTS):
        assert forms(engine_name)["half_a_slot"]
        return
    assert outcome("mixes", engine_name, smallest_share=0.1).seen["tenths"] == 20


@pytest.mark.placed(HERE, CONTAINERS)
@pytest.mark.timeout(300)
def test_shares_its_workers_between_runs_of_two_threads(engine_name: str) -> None:
    if not claims(engine_name, Capability.FRACTIONAL_CPUS):
        pytest.skip("runs at once differ in their shares here")
    naps = outcome("mixes", engine_name, smallest_share=0.1).seen["together"]
    assert len(naps["short"]) == 4
    ((long_from_s, long_until_s, _),) = naps["long"]
    assert any(
        long_from_s < start_s and end_s < long_until_s for start_s, end_s, _ in naps["short"]
    )


@pytest.mark.placed(HERE)
def test_dask_admits_one_too_few_where_it_adds_floats(engine_name: str) -> None:
    if engine_name != "dask":
        pytest.skip("the others count shares in decimals or in whole numbers")
    shipped, tuned = (
        outcome("floats", engine_name, smallest_share=0.1, config=config).seen for config in Config
    )
    assert (shipped["workers"], shipped["peak"]) == (WORKERS, 19)
    assert (tuned["workers"], tuned["peak"]) == (WORKERS, 20)
    assert shipped["more_than_a_core"] == tuned["more_than_a_core"] == 1
    assert "no-worker" in tuned["more_than_all_cores"]


def test_leaves_no_file_of_its_own_in_the_repository(engine_name: str) -> None:
    promised(engine_name)
    here = Path.cwd()
    assert not [name for name in ("spark-warehouse", "metastore_db") if (here / name).exists()]
