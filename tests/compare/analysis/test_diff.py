import io
import re
from dataclasses import replace

import pytest
from rich.console import Console

from compare.analysis.diff import Change, Differences, DifferentPlansError, Outcome
from compare.analysis.relative import Source
from compare.options import PresetName
from compare.records.measurements import Calibration, Record, Run
from compare.records.plan import SERIAL
from compare.report.diff_table import diff_table
from engines.interface import Config
from tests.compare import fakes
from tests.compare.analysed import compare_runs


def run(seed: int, **ray: object) -> Run:
    engines = {**fakes.ENGINES, "ray": replace(fakes.ENGINES["ray"], **ray)}  # type: ignore[arg-type]
    return fakes.run(fakes.plan(run_id=f"run {seed}"), engines=engines, seed=seed)


def change(found: Differences, engine: str, metric: str) -> Change:
    return next(c for c in found.changes if c.engine == engine and c.metric == metric)


def test_a_slower_engine_is_found_and_the_others_are_not_blamed() -> None:
    found = compare_runs(run(1), run(2, chunk_s=1.2))
    throughput = change(found, "ray", "throughput")
    assert throughput.outcome is Outcome.SLOWER
    assert throughput.ratio is not None
    assert throughput.ratio.value == pytest.approx(0.82 / 1.2, rel=0.03)
    assert throughput.ratio.difference_shown
    assert change(found, "ray", "cpu_time").outcome is Outcome.SLOWER
    assert {c.engine for c in found.slower} == {"ray"}


def test_lower_is_better_for_times() -> None:
    found = compare_runs(run(3), run(4, open_s=1.0))
    assert change(found, "ray", "open").outcome is Outcome.FASTER
    assert found.slower == ()


def test_two_runs_of_the_same_are_seldom_told_apart() -> None:
    plans = [fakes.plan(run_id=f"{n}", experiments=("throughput", "overhead")) for n in range(24)]
    runs = [fakes.run(plan) for plan in plans]
    told = sum(bool(compare_runs(a, b).slower) for a, b in zip(runs[::2], runs[1::2], strict=True))
    assert told <= 3  # of 12: 1 is expected at most, 4 or more have a chance of 0.2%


def test_one_block_each_shows_the_ratio_and_no_difference() -> None:
    plan = fakes.plan(blocks=1)
    found = compare_runs(fakes.run(plan), fakes.run(plan, seed=1))
    throughput = change(found, "ray", "throughput")
    assert throughput.outcome is Outcome.NO_INTERVAL
    assert throughput.ratio is not None
    assert throughput.ratio.low is None


def test_a_number_that_was_lost_counts_as_slower() -> None:
    broken = fakes.changed(run(2), "1-ray", kernel_calls=13)
    found = compare_runs(run(1), broken)
    lost = change(found, "ray", "throughput")
    assert (lost.outcome, lost.ratio) == (Outcome.LOST, None)
    assert lost in found.slower
    assert lost.detail is not None
    assert "kernel calls" in lost.detail
    assert change(compare_runs(broken, run(1)), "ray", "throughput").outcome is Outcome.GAINED


def test_another_answer_to_a_share_is_told() -> None:
    found = compare_runs(run(1), run(2, slots={1.0: 2, 0.5: 2, 0.25: 2, 0.1: 2}))
    changed = change(found, "ray", "admitted")
    assert changed.outcome is Outcome.CHANGED_WORD
    assert changed.detail == "accepted, now rounded"


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"workers": 4}, "--workers is 2 in one and 4 in the other"),
        ({"preset": PresetName.QUICK}, "--preset is standard in one and quick"),
        ({"control": "ray"}, "--control is None in one and ray"),
        ({"threads_per_worker": 2}, "--threads-per-worker is 1 in one and 2"),
        ({"config": Config.SHIPPED}, "--config is tuned in one and shipped"),
        ({"workload": fakes.workload(chunk=15)}, "--chunk is 4 in one and 15"),
        ({"workload": fakes.workload(model="vit-digits")}, "--model is vit-base"),
        ({"workload": fakes.workload(dtype="bfloat16")}, "--dtype is float32"),
        ({"workload": fakes.workload(images=("a.jpg",))}, "--n-images is 48 in one and 1"),
    ],
)
def test_different_plans_are_refused_with_what_differs(
    changes: dict[str, object], words: str
) -> None:
    with pytest.raises(DifferentPlansError) as caught:
        compare_runs(fakes.run(), fakes.run(fakes.plan(**changes)))
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


def test_different_machines_are_refused_unless_told_to_go_on() -> None:
    other = replace(run(2), environment=fakes.environment(cpu_model="Another CPU", cores=4))
    with pytest.raises(DifferentPlansError, match="cpu_model is Fake CPU"):
        compare_runs(run(1), other)
    assert compare_runs(run(1), other, anyway=True).changes


def test_the_same_images_in_another_folder_are_the_same() -> None:
    images = tuple(f"/elsewhere/{number:03}.jpg" for number in range(48))
    moved = fakes.run(fakes.plan(workload=fakes.workload(images=images)))
    assert compare_runs(fakes.run(), moved).changes


def test_the_table_lists_what_changed_and_counts_the_rest() -> None:
    console = Console(width=120, record=True, file=io.StringIO())
    console.print(diff_table(compare_runs(run(1), run(2, chunk_s=1.2))))
    text = console.export_text()
    lines = text.splitlines()
    assert lines[0] == "A is run 1, B is run 2."
    assert lines[1].startswith("No change of the machine is shown: the speed of B was ")
    assert lines[2].startswith("Of ")
    assert "worse in B" in lines[2]
    assert "slower" in text
    assert "rows: no difference shown" in text


def shown(found: Differences) -> str:
    console = Console(width=120, record=True, file=io.StringIO())
    console.print(diff_table(found))
    return console.export_text()


def slowed(of: Run, factor: float) -> Run:
    """The run on a machine that needs so many times the seconds for each iteration."""

    def change(record: Record) -> Record:
        if not isinstance(record, Calibration):
            return record
        return replace(record, before_s=factor * record.before_s, after_s=factor * record.after_s)

    return replace(of, records=tuple(map(change, of.records)))


def test_the_change_of_the_machine_is_said_first_and_serial_has_no_row_for_it() -> None:
    engines = {
        name: replace(engine, chunk_s=1.1 * engine.chunk_s)
        for name, engine in fakes.ENGINES.items()
    }
    plan = fakes.plan(run_id="slow", experiments=("throughput",))
    found = compare_runs(fakes.run(replace(plan, run_id="quick")), fakes.run(plan, engines=engines))
    assert found.slower == ()
    assert found.machine is not None
    assert found.machine.source is Source.SERIAL
    assert found.machine.ratio.value == pytest.approx(1 / 1.1, rel=0.03)
    assert not [c for c in found.changes if c.engine == SERIAL and c.metric == "throughput"]
    sentence = shown(found).splitlines()[1]
    assert re.fullmatch(
        r"The machine of B was \d+% slower \(\d+–\d+%\): serial throughput\.", sentence.strip()
    )


def test_without_serial_throughput_the_calibration_tells_the_speed_of_the_machine() -> None:
    plans = [
        fakes.plan(run_id=name, experiments=("overhead",), workload=None) for name in ("a", "b")
    ]
    a, b = map(fakes.run, plans)
    found = compare_runs(a, slowed(b, 1.25))
    assert found.machine is not None
    assert found.machine.source is Source.CALIBRATION
    assert found.machine.ratio.value == pytest.approx(0.8)
    # The costs per task are the same as measured: the machine alone makes nobody faster.
    assert not [c for c in found.changes if c.outcome is Outcome.FASTER]


def test_a_machine_whose_speed_nobody_measured_is_said_to_be_unknown() -> None:
    plans = [
        fakes.plan(run_id=name, experiments=("fractional",), workload=None) for name in ("a", "b")
    ]
    found = compare_runs(*map(fakes.run, plans))
    assert found.machine is None
    assert "speed of the machine is not known" in shown(found)


def test_a_number_that_an_interrupted_run_did_not_reach_is_no_slow_down() -> None:
    plan = fakes.plan(experiments=("overhead",), workload=None)
    found = compare_runs(fakes.run(plan), fakes.interrupted(fakes.run(plan), sessions=1))
    assert found.slower == ()
    assert Outcome.NOT_GIVEN in {c.outcome for c in found.changes}


def test_a_speed_up_does_not_repeat_the_throughput() -> None:
    metrics = [c.metric for c in compare_runs(run(1), run(2)).changes if c.engine == "ray"]
    assert "throughput" in metrics
    assert "speedup" not in metrics


def test_all_rows_of_an_invalid_batch_share_one_line_of_the_table() -> None:
    found = compare_runs(run(1), fakes.changed(run(2), "1-ray", kernel_calls=13))
    lost = [line for line in shown(found).splitlines() if "number any more" in line]
    assert len(lost) == 1
    assert "more rows" in lost[0]
    assert len(found.slower) > 1


def test_ten_changed_rows_of_one_engine_do_not_make_others_look_slower() -> None:
    found = compare_runs(run(1), run(2, chunk_s=1.2, memory_bytes=1_100_000_000))
    assert {c.engine for c in found.changes if c.outcome is Outcome.SLOWER} == {"ray"}
