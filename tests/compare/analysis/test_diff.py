import io
from dataclasses import replace

import pytest
from rich.console import Console

from compare.analysis.diff import Change, Differences, DifferentPlansError, Outcome
from compare.records.measurements import Run
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
    plans = [fakes.plan(run_id=f"{n}", experiments=("throughput", "overhead")) for n in range(40)]
    runs = [fakes.run(plan) for plan in plans]
    told = sum(bool(compare_runs(a, b).slower) for a, b in zip(runs[::2], runs[1::2], strict=True))
    assert told <= 4  # of 20: 1 is expected at most, 5 or more have a chance of 0.3%


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
    assert "slower" in text
    assert "rows: no difference shown" in text
