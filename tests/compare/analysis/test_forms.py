"""Other forms of engines stand beside the plain ones, in a table and in rows of their own."""

import pytest

from compare.analysis.analysis import analyse
from compare.options import Options
from compare.plan.resolve import canonical
from compare.records.measurements import Run
from compare.records.plan import SERIAL
from engines.registry import forms
from tests.compare import fakes
from tests.compare.analysed import markdown, rows

ENGINES = (SERIAL, "multiprocessing", "ray", "ray-actors", "dask")
TITLE = "## Each engine's other forms"


def run_of(forms: dict[str, str], missing: dict[str, str] | None = None) -> Run:
    plan = fakes.plan(
        engines=ENGINES,
        experiments=("throughput",),
        blocks=4,
        forms=forms,
        missing=missing or {},
    )
    twice_as_fast = fakes.FakeEngine(
        chunk_s=fakes.ENGINES["ray"].chunk_s / 2, per_task_s=fakes.ENGINES["ray"].per_task_s / 2
    )
    return fakes.run(plan, engines={**fakes.ENGINES, "ray-actors": twice_as_fast}, noise=0.01)


def test_all_engines_are_those_of_the_closed_track_and_open_adds_their_forms() -> None:
    closed = canonical(Options(engines="all")).engines.split(",")
    opened = canonical(Options(engines="open")).engines.split(",")
    assert not forms().keys() & set(closed)
    assert {*forms(), *forms().values()} <= set(opened)


def in_pairs(run: Run) -> set[str]:
    """The engines that are compared with each other."""
    pairs = analyse(run).comparisons["throughput", "throughput"].pairs
    return {name for pair in pairs for name in (pair.engine, pair.other)}


def test_a_form_has_its_speed_and_its_ratio_to_the_plain_form_of_the_same_blocks() -> None:
    of_run = rows(run_of({"ray-actors": "ray"}))
    speed, ratio = (row for row in of_run if row.experiment == "forms")
    assert (ratio.engine, ratio.metric, ratio.case["plain"]) == (
        "ray-actors",
        "against_plain",
        "ray",
    )
    assert isinstance(ratio.value, float)
    assert ratio.low is not None
    assert ratio.high is not None
    assert ratio.low < ratio.value < ratio.high
    assert ratio.value == pytest.approx(2, rel=0.1)
    assert (ratio.n, len(ratio.values)) == (4, 4)
    (same,) = (
        row
        for row in of_run
        if (row.experiment, row.engine, row.metric) == ("throughput", "ray-actors", "throughput")
    )
    assert speed.values == same.values


def test_a_form_beside_its_plain_form_is_compared_with_that_one_alone() -> None:
    run = run_of({"ray-actors": "ray"})
    assert "ray-actors" not in in_pairs(run)
    assert "ray-actors" not in markdown(run).split("## ")[0]
    alone = run_of({})
    assert "ray-actors" in in_pairs(alone)
    assert "`ray-actors` had the highest throughput" in markdown(alone).split("## ")[0]


def test_the_report_has_the_table_of_forms_exactly_if_one_was_measured_beside_its_engine() -> None:
    text = markdown(run_of({"ray-actors": "ray"}))
    _, _, line, *_ = (line for line in text.split(TITLE)[1].splitlines() if line.startswith("|"))
    assert line.split(" | ")[:2] == ["| ray-actors", "ray"]
    assert TITLE not in markdown(run_of({}))
    assert TITLE not in markdown(run_of({"ray-actors": "ray"}, missing={"ray": "gone"}))
