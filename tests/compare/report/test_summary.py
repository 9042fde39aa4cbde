"""Writes golden/summary.md anew with ``UPDATE_GOLDEN=1``; read the change before committing it."""

import io
import json
import os
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console

from compare.experiments.throughput import FORMS
from compare.formatting import apart, estimate, interval
from compare.records.measurements import Run
from engines.interface import Setting
from tests.compare import fakes
from tests.compare.analysed import EXPERIMENTS, console_tables, json_text, markdown, rows, summary

GOLDEN = Path(__file__).parent / "golden"


def fake_run() -> Run:
    """With everything in it that a report must be able to say."""
    labels = tuple(f"label {index % 7}" for index in range(48))
    workload = fakes.workload(labels=labels, chunk=2, images_skipped=("notes.txt: no image",))
    plan = fakes.plan(workload=workload, missing={"dask": "it needs 'distributed'"})
    run = fakes.changed(fakes.run(plan), "1-multiprocessing", kernel_calls=25)
    return fakes.failed(run, "2-spark", "the JVM | ended\nOutOfMemoryError: <heap>")


def tables(markdown: str) -> list[list[str]]:
    """The tables of a report, each as its lines."""
    found: list[list[str]] = [[]]
    for line in markdown.splitlines():
        if line.startswith("|"):
            found[-1].append(line)
        elif found[-1]:
            found.append([])
    return [table for table in found if table]


@pytest.mark.parametrize(("name", "page"), [("summary.md", summary), ("details.md", markdown)])
def test_the_report_of_a_fake_run_is_as_it_was(name: str, page: Callable[[Run], str]) -> None:
    text = page(fake_run())
    if os.environ.get("UPDATE_GOLDEN"):
        (GOLDEN / name).write_text(text)
    assert text == (GOLDEN / name).read_text()


def test_the_summary_of_a_default_run_is_short_and_its_first_table_narrow() -> None:
    text = summary(fakes.run())
    assert len(text.splitlines()) <= 150
    (first, *_) = tables(text)
    assert first[0].count("|") - 1 <= 7
    assert "[details.md](details.md)" in text


def test_no_figure_has_zeros_that_a_reader_must_count() -> None:
    for page in (summary, markdown):
        assert not re.search(r"(?<![\d.])0\.00\d*[1-9]", page(fakes.run()))


@pytest.mark.parametrize(
    ("low", "high", "text"),
    [
        (5.53, 6.21, "5.5–6.3"),
        (298.0, 303.0, "290–310"),
        (0.0123, 0.0177, "0.012–0.018"),
        (1.0, 2.0, "1.0–2.0"),
        (0.99, 1.01, "0.99–1.01"),
        (87.3, 101.2, "87–102"),
        (9.5, 236.1, "9.5–240"),
        (-0.0123, 0.5, "-0.013 to 0.50"),
        (0.0, 0.05, "0.0–0.050"),
        (9.97, 99.6, "9.9–100"),
    ],
)
def test_bounds_have_two_digits_and_are_never_narrower_than_they_are(
    low: float, high: float, text: str
) -> None:
    assert interval(low, high) == text


@pytest.mark.parametrize(
    ("factor", "said"),
    [
        *((1.0, "0.0%"), (1.048, "4.8%"), (1.0961, "9.7%"), (1.104, "11%"), (1.13, "13%")),
        *((1.96, "96%"), (2.0, "a factor of 2.0"), (88.28, "a factor of 89")),
    ],
)
def test_how_far_values_lie_apart_is_never_less_than_it_is(factor: float, said: str) -> None:
    assert apart(factor) == said


def test_a_cell_says_its_n_only_where_it_differs_from_the_blocks() -> None:
    run = fakes.failed(fakes.run(fakes.plan(blocks=4)), "2-spark", "killed")
    lines = {line.split(" | ")[0].strip("| "): line for line in tables(summary(run))[0]}
    assert "n=" not in lines["ray"]
    assert "n=3" in lines["spark"]


def test_two_blocks_give_two_values_and_no_interval() -> None:
    run = fakes.failed(fakes.run(), "2-spark", "killed")
    lines = {line.split(" | ")[0].strip("| "): line for line in tables(summary(run))[0]}
    assert re.match(r"\| spark \| \d\.\d\d and \d\.\d\d; failed in 1 of 3 blocks", lines["spark"])


@pytest.mark.parametrize(
    ("low_s", "high_s", "text"),
    [
        (12e-6, 160e-6, "62.5 µs (12–160)"),
        (0.024e-6, 9e-3, "62.5 µs (0.024–9,000)"),
        (0.024e-6, 0.153, "62.5 µs (0.024 µs to 160 ms)"),
        (0.0052e-6, 2.41, "62.5 µs (0.0052 µs to 2.5 s)"),
        (0.0, 0.153, "62.5 µs (0.0 µs to 160 ms)"),
    ],
)
def test_bounds_of_a_duration_that_lie_far_apart_have_a_unit_each(
    low_s: float, high_s: float, text: str
) -> None:
    row = replace(rows(fakes.run())[0], unit="s", value=62.5e-6, low=low_s, high=high_s, n=3)
    assert estimate(row, usual_n=3) == text


def test_two_counts_are_whole_numbers() -> None:
    found = replace(rows(fakes.run())[0], unit="tasks", n=2, values=(9.0, 1248.0), low=None)
    assert estimate(found) == "9 and 1,248"


def test_a_cell_says_that_a_block_was_disturbed_and_a_caution_says_why() -> None:
    page = summary(fakes.disturbed(fakes.run(), "2-ray"))
    assert re.search(r"\| ray \|.*; disturbed in 1 of 3 blocks \|", page)
    assert re.search(r"- 1 measurement .*: overhead \(sweep\) of ray in block 2 \(the kernel", page)


def test_the_same_records_give_the_same_bytes() -> None:
    assert markdown(fake_run()) == markdown(fake_run())
    assert json_text(fake_run()) == json_text(fake_run())


def test_the_summary_for_programs_has_every_row() -> None:
    run = fake_run()
    content = json.loads(json_text(run))
    assert (content["schema"], content["run_id"]) == (2, run.plan.run_id)
    assert len(content["rows"]) == len(rows(run))
    assert set(content["rows"][0]) == {
        *("experiment", "engine", "metric", "unit", "value"),
        *("low", "high", "n", "values", "case", "verdict"),
    }


def test_the_answer_comes_first_in_three_sentences() -> None:
    lines = [line for line in markdown(fake_run()).splitlines() if line]
    assert lines[0].startswith("# ")
    assert "highest throughput" in lines[1]
    assert "An empty task costs" in lines[2]
    assert "ask for 0.1 CPU" in lines[3]


def test_a_tie_is_no_difference_shown() -> None:
    same = {name: fakes.FakeEngine() for name in ("ceiling", *fakes.plan().engines)}
    text = markdown(fakes.run(engines=same))
    assert "; no difference is shown to `" in text


def test_a_partial_run_says_so_in_the_first_line() -> None:
    text = markdown(fakes.interrupted(fakes.run(), 7))
    assert text.startswith("**Partial: 7 of 30 sessions were run.**")
    assert not markdown(fakes.run()).startswith("**Partial")


def test_a_run_that_measured_nothing_has_a_report() -> None:
    text = markdown(fakes.interrupted(fakes.run(), 0))
    assert "No engine gave a valid throughput." in text
    assert "![" not in text


def test_one_block_prints_no_interval() -> None:
    run = fakes.run(fakes.plan(blocks=1))
    short = summary(run)
    assert "There are no intervals: they need 3 blocks" in short
    assert "95% intervals" not in short.split("## ")[0]
    text = markdown(run)
    assert "n=" not in "".join(map("".join, tables(text)))
    assert not re.search(r"[0-9]–[0-9]|[0-9] to -?[0-9]", text)


@pytest.mark.parametrize("nasty", ["a | b", "a\nb", "a\r\n\r\n| b |", "<script> & `x`"])
def test_nothing_in_a_reason_breaks_a_table(nasty: str) -> None:
    run = fakes.failed(fakes.failed(fakes.run(), "1-ray", nasty), "2-ray", nasty)
    run = fakes.failed(run, "3-ray", nasty)
    setting = Setting(name=nasty, value=nasty, reason=nasty)
    run = fakes.changed(run, "1-dask", settings=(setting,))
    run = replace(run, environment={**run.environment, "note": nasty})
    text = markdown(run)
    assert "<script>" not in text
    for table in tables(text):
        widths = {line.replace("\\|", "").count("|") for line in table}
        assert len(widths) == 1, table


def test_losing_and_failing_engines_have_a_line_of_their_own() -> None:
    text = markdown(fake_run())
    throughput = tables(text)[0]
    assert [line.split(" | ")[0].strip("| ") for line in throughput[2:]] == [
        *("ceiling", "serial", "multiprocessing", "ray", "dask", "spark")
    ]
    assert "INVALID in 1 of 3 blocks: 25 kernel calls" in "".join(throughput)
    assert "not run: it needs 'distributed'" in "".join(throughput)


def test_a_plan_without_images_has_a_report() -> None:
    plan = fakes.plan(workload=None, experiments=("overhead",))
    text = markdown(fakes.run(plan))
    assert "## Overhead" in text
    assert "## Throughput" not in text
    assert "## Shares of a core" not in text


@pytest.mark.parametrize(
    ("run", "caption"),
    [
        (fake_run(), "95% intervals over 3 blocks"),
        (fakes.run(fakes.plan(blocks=1)), "no intervals with 1 block"),
    ],
)
def test_the_console_table_fits_100_columns_with_a_line_an_engine(run: Run, caption: str) -> None:
    console = Console(width=100, record=True, file=io.StringIO())
    (table,) = console_tables(run)
    console.print(table)
    lines = console.export_text().splitlines()
    for engine in ("ceiling", *run.plan.engines):
        assert sum(line.strip().startswith(engine) for line in lines) == 1
    assert "…" not in "".join(lines)
    assert caption in " ".join(lines)


def test_the_console_table_says_how_many_blocks_most_engines_have() -> None:
    run = fakes.run(fakes.plan(blocks=4))
    for engine in ("ceiling", "multiprocessing", "ray", "dask", "spark"):
        run = fakes.failed(run, f"4-{engine}", "killed")
    console = Console(width=100, record=True, file=io.StringIO())
    console.print(console_tables(run)[0])
    text = console.export_text()
    assert "95% intervals over 3 blocks" in text
    assert re.search(r"serial .*n=4\)", text)


def test_where_other_questions_were_asked_the_report_and_the_console_answer_those() -> None:
    run = fakes.run(fakes.plan(experiments=("scaling", "payload")))
    console = Console(width=100, record=True, file=io.StringIO())
    console.print(*console_tables(run))
    said = console.export_text()
    assert "Scaling" in said
    assert "Moving data" in said
    assert "images/s" in said
    opening = markdown(run).split("\n## ")[0]
    assert "`scaling` and `payload` on `serial`, `multiprocessing`, `ray`, `dask` and `spark`" in (
        opening
    )


@pytest.mark.parametrize("experiment", ["faults", "elasticity"])
def test_what_does_not_apply_to_an_engine_is_one_line_below_the_console_table(
    experiment: str,
) -> None:
    run = fakes.run(fakes.plan(experiments=(experiment,)))
    console = Console(width=120, record=True, file=io.StringIO())
    console.print(*console_tables(run))
    lines = [line.strip() for line in console.export_text().splitlines()]
    serial = [line for line in lines if line.startswith("serial")]
    assert len(serial) == len(EXPERIMENTS[experiment].sections)
    assert all(line.startswith("serial: not applicable: serial ") for line in serial)
    assert any(line.startswith("ray ") for line in lines)


def test_the_report_says_where_the_trace_is_and_who_keeps_none() -> None:
    plan = fakes.plan(missing={"dask": "it needs 'distributed'"}, native_trace=True)
    text = markdown(fakes.run(plan))
    assert "[trace.json](trace.json)" in text
    assert "https://ui.perfetto.dev" in text
    assert "None is recorded by serial, multiprocessing." in text
    assert "own" not in markdown(fakes.run()).split("## Trace")[1].split("## ")[0]


def test_a_setting_of_traced_sessions_alone_is_told_as_such() -> None:
    run = fakes.run(fakes.plan(native_trace=True))
    record = Setting(name="eventLog", value="on", reason="its own record")
    other = Setting(name="workers", value="2", reason="the same for all")
    run = fakes.changed(run, "3-spark-traced", settings=(other, record))
    text = markdown(run)
    assert "| eventLog | on | spark (traced) | its own record |" in text
    assert text.count("(traced)") == 1


def test_a_setting_of_sessions_with_faults_alone_is_told_as_such() -> None:
    run = fakes.run(fakes.plan(experiments=("faults",), blocks=1))
    retries = Setting(name="retries", value="3", reason="it may pass")
    run = fakes.changed(run, "1-dask-worker-killed", settings=(retries,))
    assert "| retries | 3 | dask (with a fault) | it may pass |" in markdown(run)


def test_every_experiment_has_a_section_with_a_line_for_every_engine() -> None:
    plan = fakes.plan(experiments=tuple(EXPERIMENTS), blocks=2)
    text = markdown(fakes.run(plan))
    for experiment in EXPERIMENTS.values():
        for section in experiment.sections:
            if not section.title or section.rows_of == FORMS:
                continue
            part = text.split(f"## {section.title}\n")[1].split("\n## ")[0]
            engines = {line.split(" | ")[0].strip("| ") for line in tables(part)[0][2:]}
            assert engines - {"ceiling"} == set(plan.engines), section.title


def test_the_answer_speaks_of_no_control() -> None:
    engines = ("serial", "multiprocessing", "ray", "ray-control")
    quickest = {**fakes.ENGINES, "ray-control": fakes.FakeEngine(chunk_s=0.5, per_task_s=0.0001)}
    run = fakes.run(fakes.plan(engines=engines), engines=quickest)
    text = markdown(run)
    assert "ray-control" not in text.split("A number is")[0]
    assert "| ray-control |" in text
