"""Real runs of all experiments, from the command line to the summary.

Those in which engines differ in what they can do, on every engine; those that are the same for
each, on one beside the baselines.
"""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.compare.analysed import EXPERIMENTS
from tests.compare.command_line import run_folder, small_run
from workload import example_job

ENGINES = ("ceiling", "serial", "multiprocessing", "ray", "dask", "spark", "process-executor")
FRACTIONAL = ("ray", "dask", "spark")
_IMAGES = 360  # all held-out digits: enough for an accuracy of 0.97 to mean something

ON_ALL = ("throughput", "overhead", "fractional", "lying", "timeline")
ON_ONE = tuple(name for name in EXPERIMENTS if name not in (*ON_ALL, "faults", "elasticity"))
"""Those two need sessions of their own, and have tests of their own."""
ONE = "dask"
DISTURBED = "disturbed: "
FIRST = {"throughput", "overhead", "fractional", "startup", "memory"}

_LIMIT_S = 1500
pytestmark = [pytest.mark.compares, pytest.mark.timeout(_LIMIT_S)]


def measured(folder: Path, engines: str, experiments: Sequence[str], *flags: object) -> Path:
    asked = ("--engines", engines, "--experiments", ",".join(experiments))
    done = small_run(folder, *asked, *flags, limit_s=_LIMIT_S - 20)
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    sizes = ("--n-images", _IMAGES, "--chunk", 15)
    return measured(tmp_path_factory.mktemp("all"), "all", ON_ALL, *sizes)


@pytest.fixture(scope="module")
def rows_of_one(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    own_job = ("--job", example_job.__file__)
    folder = measured(tmp_path_factory.mktemp("one"), ONE, ON_ONE, *own_job)
    found: list[dict[str, Any]] = json.loads((folder / "summary.json").read_text())["rows"]
    return found


@pytest.fixture(scope="module")
def records(out: Path) -> list[dict[str, Any]]:
    lines = (run_folder(out) / "measurements.jsonl").read_text().splitlines()
    return [json.loads(line) for line in lines]


@pytest.fixture(scope="module")
def rows(out: Path) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads((out / "summary.json").read_text())["rows"]
    return found


def values(
    rows: Sequence[dict[str, Any]], metric: str, **case: object
) -> dict[str, float | str | None]:
    """The metric of each engine; of the last case that fits, where several do."""
    return {
        row["engine"]: row["value"]
        for row in rows
        if row["metric"] == metric
        and all(row["case"].get(name) == value for name, value in case.items())
    }


@pytest.mark.parametrize(
    "metric",
    [
        *("throughput", "speedup", "engine_efficiency", "cpu_time", "accuracy"),
        *("noop_throughput", "per_task_cost", "fixed_cost", "round_trip_p50"),
        *("open", "first_result", "warm_up", "close", "peak_memory"),
    ],
)
def test_every_engine_has_a_measured_row(rows: list[dict[str, Any]], metric: str) -> None:
    told = values([row for row in rows if row["experiment"] in FIRST], metric)
    engines = set(ENGINES)
    if metric == "engine_efficiency":
        engines.discard("ceiling")  # a share of itself
    assert engines <= told.keys()
    assert [engine for engine in engines if told[engine] is None] == []


@pytest.mark.parametrize("engine", ENGINES)
def test_metg_is_read_from_eight_task_sizes_or_more(
    records: list[dict[str, Any]], rows: list[dict[str, Any]], engine: str
) -> None:
    sizes = [
        record["case"]["parameters"]["iterations"]
        for record in records
        if record["kind"] == "tasks" and record["engine"] == engine
        if record["case"]["experiment"] == "overhead"
        and "iterations" in record["case"]["parameters"]
    ]
    assert len(set(sizes)) >= 8
    (row,) = [
        row
        for row in rows
        if row["experiment"] == "overhead" and row["engine"] == engine and row["metric"] == "metg50"
    ]
    # Work from elsewhere on the machine may spoil the calibration; nothing else may.
    assert row["value"] is not None or row["verdict"].startswith(DISTURBED)


def test_every_engine_classifies_every_image_once_with_the_labels_of_serial(
    records: list[dict[str, Any]],
) -> None:
    runs = {
        record["engine"]: record
        for record in records
        if record["kind"] == "tasks" and record["case"]["experiment"] == "throughput"
    }
    assert runs.keys() == set(ENGINES)
    for run in runs.values():
        assert run["received"] == [1] * (_IMAGES // 15)
        assert run["kernel_calls"] == _IMAGES // 15
        assert len(run["outputs"]) == _IMAGES
        assert run["outputs"] == runs["serial"]["outputs"]


def test_the_trained_model_is_right_on_held_out_digits_on_every_engine(
    rows: list[dict[str, Any]],
) -> None:
    accuracy = values(rows, "accuracy")
    assert len(set(accuracy.values())) == 1
    assert accuracy["serial"] is not None
    assert float(accuracy["serial"]) >= 0.97


@pytest.mark.parametrize("engine", FRACTIONAL)
@pytest.mark.parametrize(("cpus", "fitting"), [(1.0, 2), (0.5, 4), (0.25, 8), (0.1, 20)])
def test_exactly_as_many_tasks_run_at_once_as_fit(
    rows: list[dict[str, Any]], engine: str, cpus: float, fitting: int
) -> None:
    warm = {"cpus": cpus, "phase": "warm", "workers": 2}
    assert values(rows, "admitted", cpus=cpus)[engine] == "accepted"
    assert values(rows, "peak_concurrency", **warm)[engine] == fitting
    assert values(rows, "admission_accuracy", **warm)[engine] == 1.0
    cold = values(rows, "admission_accuracy", cpus=cpus, phase="cold")[engine]
    assert cold is not None
    assert float(cold) <= 1.0
    makespan = values(rows, "makespan", **warm)[engine]
    assert makespan is not None
    assert float(makespan) < 2.0  # naps of 1 s


@pytest.mark.parametrize("experiment", sorted(set(ON_ALL) - FIRST))
def test_every_engine_answers_every_question_or_says_what_it_cannot_do(
    rows: list[dict[str, Any]], experiment: str
) -> None:
    asked = [row for row in rows if row["experiment"] == experiment]
    assert {row["engine"] for row in asked} >= set(ENGINES) - {"ceiling"}
    assert unanswered(asked) == []


@pytest.mark.parametrize("experiment", ON_ONE)
def test_one_engine_answers_every_other_question_beside_the_baselines(
    rows_of_one: list[dict[str, Any]], experiment: str
) -> None:
    asked = [row for row in rows_of_one if row["experiment"] == experiment]
    assert {row["engine"] for row in asked} >= {"serial", "multiprocessing", ONE}
    own = [row for row in asked if row["engine"] == ONE]
    # Other tests run at the same time.
    assert [row for row in own if row["value"] is not None or row["verdict"].startswith(DISTURBED)]
    assert unanswered(asked) == []


def unanswered(asked: Sequence[dict[str, Any]]) -> list[tuple[object, ...]]:
    # On a machine that does other things as well a curve may lack a side, or its calibration.
    harmless = ("not applicable: ", "more than ", "less than ", DISTURBED)
    return [
        (row["engine"], row["metric"], row["case"], row["verdict"])
        for row in asked
        if row["value"] is None and not row["verdict"].startswith(harmless)
    ]


def test_every_engine_with_shares_is_seen_with_unlike_tasks_at_once(
    rows: list[dict[str, Any]],
) -> None:
    told = values([row for row in rows if row["experiment"] == "lying"], "slowdown_lying")
    assert {engine for engine, value in told.items() if value is not None} == set(FRACTIONAL)


def test_the_parts_of_a_makespan_add_up_to_what_the_driver_measured(
    records: list[dict[str, Any]], rows: list[dict[str, Any]]
) -> None:
    whole = [row for row in rows if row["experiment"] == "throughput"]
    for engine in ENGINES:
        parts = [
            values(whole, part)[engine] for part in ("submit", "run", "between", "tail", "return")
        ]
        (makespan_s,) = [
            record["makespan_s"]
            for record in records
            if record["kind"] == "tasks"
            and record["engine"] == engine
            and record["case"]["experiment"] == "throughput"
        ]
        assert sum(float(part or 0) for part in parts) == pytest.approx(makespan_s, rel=0.05)


@pytest.mark.parametrize("engine", ["serial", "multiprocessing", "process-executor"])
def test_an_engine_without_shares_says_so_instead_of_giving_a_number(
    rows: list[dict[str, Any]], engine: str
) -> None:
    told = [row for row in rows if row["engine"] == engine and row["experiment"] == "fractional"]
    assert told
    said = ("share of a core", "resources that a task can ask for")
    assert all(row["value"] is None and row["verdict"].endswith(said) for row in told)


def test_nothing_had_to_be_ended_by_force(records: list[dict[str, Any]]) -> None:
    left = [record["leftovers"] for record in records if record["kind"] == "lifecycle"]
    assert [named for named in left if named] == []


def test_the_summary_opens_with_numbers_and_names_every_engine(out: Path) -> None:
    text = (out / "summary.md").read_text()
    opening = text.split("\n## ")[0]
    assert any(character.isdigit() for character in opening)
    for engine in ENGINES:
        assert engine in text
    pictures = [line for line in text.splitlines() if line.startswith("![")]
    assert pictures
    for picture in pictures:
        assert (out / picture.rpartition("(")[2].rstrip(")")).is_file(), picture
