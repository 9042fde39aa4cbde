"""Spans on lanes."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from compare.observations.absence import Absence
from compare.observations.lanes import lanes
from compare.observations.spans import most_at_once
from compare.records.measurements import Span
from tests.compare import fakes
from tests.compare.analysed import groups

_SPANS = st.lists(
    st.builds(
        lambda worker, start, length: Span(0, worker, start, start + length, start + length),
        st.integers(0, 2),
        st.integers(0, 20),
        st.integers(1, 9),
    )
)


@given(spans=_SPANS)
def test_every_span_is_on_one_lane_of_its_worker(spans: list[Span]) -> None:
    placed = [(lane.worker, span) for lane in lanes(spans) for span in lane.spans]
    assert sorted(placed) == sorted((span.worker, span) for span in spans)


@given(spans=_SPANS)
def test_no_two_spans_of_a_lane_overlap(spans: list[Span]) -> None:
    for lane in lanes(spans):
        assert all(before.end_s <= after.start_s for before, after in pairwise(lane.spans))


@given(spans=_SPANS)
def test_a_worker_has_as_many_lanes_as_it_ran_tasks_at_once(spans: list[Span]) -> None:
    found = lanes(spans)
    for worker in {span.worker for span in spans}:
        places = [lane.place for lane in found if lane.worker == worker]
        at_once = most_at_once(tuple(span for span in spans if span.worker == worker))
        assert places == list(range(at_once))
    assert [lane.worker for lane in found] == sorted(lane.worker for lane in found)


def test_the_first_valid_block_is_shown() -> None:
    run = fakes.run(fakes.plan(experiments=("throughput",)))
    broken = fakes.changed(run, "1-ray", kernel_calls=25)
    blocks = {
        group.engine: group.run.block
        for group in groups(broken, "throughput")
        if not isinstance(group.run, Absence)
    }
    assert blocks == dict.fromkeys(("ceiling", *run.plan.engines), 1) | {"ray": 2}


def test_an_engine_without_a_valid_block_says_why() -> None:
    run = fakes.run(fakes.plan(experiments=("timeline",), blocks=1, missing={"dask": "not there"}))
    run = fakes.failed(run, "1-ray", "it broke")
    told = {
        (one.engine, one.case.parameters["how"]): str(one.run) for one in groups(run, "timeline")
    }
    assert told["dask", "awaited"] == "not run: not there"
    assert told["ray", "blocking"] == "failed: it broke"
    assert told["spark", "awaited"].startswith("not applicable: spark has no way")


def test_an_experiment_that_was_not_asked_for_has_no_groups() -> None:
    assert groups(fakes.run(), "timeline") == ()
