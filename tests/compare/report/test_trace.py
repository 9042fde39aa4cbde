"""``trace.json`` keeps to its format, and holds what the pictures show and nothing else."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from compare.observations.absence import Absence
from compare.observations.reader import Observations, engines, planned_cases
from compare.records.measurements import Lifecycle, OwnTrace, Record, Run, TaskRun
from compare.records.store import RunFolder
from compare.report.trace import trace_json
from tests.compare import fakes
from tests.compare.analysed import cautions, groups, rows, write_plots
from tests.compare.command_line import run_folder, small_run
from tests.compare.trace_format import Complete, Trace, checked

ALL = ("throughput", "overhead", "fractional", "timeline")
TRACED = ("ray", "dask", "spark")

pytestmark = [pytest.mark.compares, pytest.mark.timeout(600)]

Box = tuple[float, float]
"""Start and end, in seconds since the submission."""


def traced_run() -> Run:
    return fakes.run(fakes.plan(experiments=ALL, native_trace=True))


@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a run on all engines, with their own records."""
    out = tmp_path_factory.mktemp("results")
    asked = ("--experiments", "timeline", "--engines", "ray,dask,spark", "--native-trace")
    done = small_run(out, *asked, limit_s=580)
    assert done.returncode == 0, done.stdout + done.stderr
    (out / "said").write_text(done.stdout)
    return run_folder(out)


def by_name(trace: Trace, process: str) -> dict[str, list[Complete]]:
    """The events of a process by the names of its threads."""
    (pid,) = [pid for pid, name in trace.processes().items() if name == process]
    return {
        name: [event for event in trace.complete() if (event.pid, event.tid) == thread]
        for thread, name in trace.threads().items()
        if thread[0] == pid
    }


def traced_timeline(trace: Trace, process: str) -> dict[str, list[list[Box]]]:
    """What the trace says of both kinds of sleep: boxes for each lane, from the submission on."""
    threads = by_name(trace, process)
    found: dict[str, list[list[Box]]] = {}
    for batch in threads["driver"]:
        if batch.cat == "timeline":
            lanes = [
                [((e.ts - batch.ts) / 1e6, (e.end - batch.ts) / 1e6) for e in events]
                for name, on_thread in threads.items()
                if name.startswith("worker ")
                if (events := [e for e in on_thread if e.name == batch.name])
            ]
            found[batch.name.removeprefix("timeline ")] = lanes
    return found


def drawn_timeline(svg: Path) -> list[list[Box]]:
    """What the picture shows: boxes for each lane from top to bottom, read off its time axis."""
    text = svg.read_text()
    tick = r'id="xtick_\d+">.*?<use [^>]*? x="([\d.]+)".*?<!-- ([\d.]+) -->'
    (x0, at_x0), *_, (x1, at_x1) = [
        (float(x), float(label)) for x, label in re.findall(tick, text, re.DOTALL)
    ]
    scale = (at_x1 - at_x0) / (x1 - x0)
    lanes = []
    for lane in text.split('<g id="PolyCollection_')[1:]:
        paths = re.findall(r'<path [^>]*?\bd="M ([^"]*?)z', lane.split("</g>")[0])
        corners = [[float(x) for x in re.findall(r"([\d.]+) -?[\d.]+ ", path)] for path in paths]
        lanes.append([((min(x) - x0) * scale, (max(x) - x0) * scale) for x in corners])
    return lanes


def assert_alike(one: list[list[Box]], other: list[list[Box]]) -> None:
    assert [len(lane) for lane in one] == [len(lane) for lane in other]
    for lane, other_lane in zip(one, other, strict=True):
        for box, other_box in zip(sorted(lane), sorted(other_lane), strict=True):
            assert box == pytest.approx(other_box, abs=2e-5)


def assert_picture_and_trace_agree(run: Run, trace: Trace, svg: Path) -> None:
    shown: list[list[Box]] = []
    for group in groups(run, "timeline"):
        if isinstance(group.run, Absence):
            continue
        boxes = [[(span.start_s, span.end_s) for span in lane.spans] for lane in group.lanes]
        how = str(group.case.parameters["how"])
        traced = traced_timeline(trace, f"{group.engine}, block {group.run.block}")
        assert_alike(traced[how], boxes)
        shown += boxes
    assert shown
    assert_alike(drawn_timeline(svg), shown)


@pytest.mark.parametrize(
    "run",
    [
        traced_run(),
        fakes.run(fakes.plan(blocks=1)),
        fakes.interrupted(traced_run(), 4),
        fakes.failed(traced_run(), "3-ray-traced", "it broke"),
        fakes.interrupted(fakes.run(), 0),
    ],
    ids=["traced", "one block", "interrupted", "failed", "nothing"],
)
def test_a_trace_keeps_to_the_format_and_nothing_overlaps_on_a_thread(run: Run) -> None:
    trace = checked(trace_json(run))
    ran = {record.session for record in run.records if isinstance(record, TaskRun)}
    assert len(trace.processes()) == len(ran)


def test_the_same_records_give_the_same_bytes() -> None:
    assert trace_json(traced_run()) == trace_json(traced_run())


def test_the_trace_has_each_span_of_each_run_once() -> None:
    run = traced_run()
    trace = checked(trace_json(run))
    traced = [event for event in trace.complete() if "received_s" in event.args]
    spans = [
        (run.case.experiment, span.task, round(run.submitted_s + span.received_s, 6))
        for run in run.records
        if isinstance(run, TaskRun)
        for span in run.spans or ()
    ]
    assert sorted((e.cat, e.args["task"], e.args["received_s"]) for e in traced) == sorted(spans)


def test_a_process_is_a_session_and_a_thread_a_lane() -> None:
    trace = checked(trace_json(traced_run()))
    assert {"ray, block 1", "ray, block 1, fractional", "ray, block 3, traced"} < set(
        trace.processes().values()
    )
    assert list(by_name(trace, "spark, block 2")) == ["driver", "worker 0", "worker 1"]
    awaiting = list(by_name(trace, "ray, block 2"))
    assert [name for name in awaiting if "worker 1" in name] == [
        *("worker 1", "worker 1, lane 2", "worker 1, lane 3", "worker 1, lane 4")
    ]


def test_the_picture_and_the_trace_hold_the_same_spans(tmp_path: Path) -> None:
    run = fakes.run(fakes.plan(experiments=ALL))
    write_plots(run, tmp_path)
    trace = checked(trace_json(run))
    assert_picture_and_trace_agree(run, trace, tmp_path / "timeline.svg")


def without_traced(run: Run) -> Run:
    traced = {session.id for session in run.plan.sessions if session.traced}
    return fakes.dropped(run, traced)


def spoiled(run: Run) -> Run:
    """The same with impossible values in everything that was not timed."""
    traced = {session.id for session in run.plan.sessions if session.traced}

    def spoil(record: Record) -> Record:
        if record.session in traced and isinstance(record, TaskRun):
            return replace(record, makespan_s=1e6, cpu_s=1e6, kernel_calls=0, niceness=(19,))
        if record.session in traced and isinstance(record, Lifecycle):
            return replace(record, open_s=1e6, close_s=1e6, host_cpu_s=1e6, steal_s=1e6)
        return record

    return replace(run, records=tuple(map(spoil, run.records)))


@pytest.mark.parametrize("experiments", [ALL, ("overhead",)], ids=["all", "without its cases"])
def test_a_traced_session_is_part_of_no_estimate_and_of_no_caution(
    experiments: tuple[str, ...],
) -> None:
    run = fakes.run(fakes.plan(experiments=experiments, native_trace=True))
    alone = without_traced(run)
    assert len(alone.plan.sessions) == len(run.plan.sessions) - len(TRACED)
    for other in (run, spoiled(run)):
        assert rows(other) == rows(alone)
        assert cautions(other) == cautions(alone)
    for engine in engines(run.plan):
        assert planned_cases(run.plan, engine) == planned_cases(alone.plan, engine)


def test_a_traced_session_that_failed_is_told_and_spoils_no_row() -> None:
    run = traced_run()
    failed = fakes.failed(run, "3-ray-traced", "it broke")
    assert rows(failed) == rows(run)
    assert "it broke" in str(cautions(failed)[0])


def test_an_interrupted_run_is_partial_until_its_traces_are_taken() -> None:
    run = traced_run()
    left = Observations(fakes.interrupted(run, len(run.plan.sessions) - 1)).unfinished()
    assert [session.id for session in left] == ["3-spark-traced"]


def test_no_picture_shows_a_traced_session(tmp_path: Path) -> None:
    run = traced_run()
    of_both: list[Mapping[str, bytes]] = []
    for one in (spoiled(run), without_traced(run)):
        paths: Iterable[Path] = write_plots(one, tmp_path)
        of_both.append({path.name: path.read_bytes() for path in paths})
    assert of_both[0] == of_both[1]


def test_an_engines_own_record_stands_beside_ours() -> None:
    run = traced_run()
    trace = checked(trace_json(run))
    for engine in TRACED:
        own = [
            event
            for name, events in by_name(trace, f"{engine}, block 3, traced").items()
            if name.startswith(f"{engine}'s own: pid ")
            for event in events
        ]
        (record,) = [r for r in run.records if isinstance(r, OwnTrace) and r.engine == engine]
        assert sorted((e.name, e.ts, e.dur) for e in own) == sorted(
            (s.name, round(s.start_s * 1e6), round((s.end_s - s.start_s) * 1e6))
            for s in record.spans
        )


def test_the_trace_of_a_real_run_keeps_to_the_format(real: Path) -> None:
    trace = checked((real / "trace.json").read_text())
    engines = ("ceiling", "serial", "multiprocessing", *TRACED)
    assert set(trace.processes().values()) == {
        *(f"{engine}, block 1" for engine in engines),
        *(f"{engine}, block 1, traced" for engine in TRACED),
    }


def test_picture_and_trace_of_a_real_run_hold_the_same_spans(real: Path) -> None:
    trace = checked((real / "trace.json").read_text())
    run = RunFolder(real).read()
    assert_picture_and_trace_agree(run, trace, real / "plots" / "timeline.svg")


@pytest.mark.parametrize("engine", TRACED)
def test_an_engines_own_record_tells_the_same_as_ours(real: Path, engine: str) -> None:
    """Two programs with two clocks: at the time of each task there is a span of theirs."""
    threads = by_name(checked((real / "trace.json").read_text()), f"{engine}, block 1, traced")
    ours = [e for name, events in threads.items() if "worker " in name for e in events]
    ours = [event for event in ours if event.cat == "timeline"]
    own = [event for name, events in threads.items() if "'s own: " in name for event in events]
    assert len(ours) == 8
    for event in ours:
        shared = [min(one.end, event.end) - max(one.ts, event.ts) for one in own]
        assert max(shared) > 0.8 * event.dur, event


def test_no_row_of_a_real_run_is_of_a_traced_session(real: Path) -> None:
    run = RunFolder(real).read()
    traced = {session.id for session in run.plan.sessions if session.traced}
    lives = {r.session for r in run.records if isinstance(r, Lifecycle)}
    assert {f"1-{engine}-traced" for engine in TRACED} == traced <= lives
    assert rows(run) == rows(without_traced(run))


def test_the_copied_report_links_to_the_details_and_these_to_the_trace(real: Path) -> None:
    copied = (real.parent / "summary.md").read_text()
    links = re.findall(r"\]\(([^)]*(?:details\.md|timeline\.svg))\)", copied)
    assert len(links) == 2
    assert all((real.parent / link).is_file() for link in links)
    details = (real / "details.md").read_text()
    links = re.findall(r"\]\(([^)]*(?:trace\.json|timeline\.svg))\)", details)
    assert len(links) == 2
    assert all((real / link).is_file() for link in links)
    assert "None is recorded by serial, multiprocessing." in details


def test_the_console_says_that_it_is_not_timed(real: Path) -> None:
    said = (real.parent / "said").read_text()
    assert said.count("traced and not timed") == len(TRACED)
    assert len(re.findall(r"\d+ spans in the engine's own trace", said)) == len(TRACED)
