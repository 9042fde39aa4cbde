"""An engine that is measured as two differs from itself as seldom as chance has it."""

import json
from pathlib import Path

import pytest

from compare.records.plan import SERIAL
from tests.compare import fakes
from tests.compare.analysed import controls, markdown, rows
from tests.compare.command_line import compare, run_folder, small_run

ENGINES = (SERIAL, "multiprocessing", "ray", "ray-control")


def test_no_more_than_chance_has_it_differs() -> None:
    compared = differing = 0
    for seed in range(30):
        plan = fakes.plan(engines=ENGINES, seed=seed, run_id=f"run {seed}")
        twice = {**fakes.ENGINES, "ray-control": fakes.ENGINES["ray"]}
        (control,) = controls(fakes.run(plan, engines=twice, noise=0.05, seed=seed))
        assert control.engine == "ray"
        compared += control.compared
        differing += len(control.differing)
    assert compared > 500
    # Quantities of one run depend on each other, so the count varies more than that of coins.
    assert 0.01 < differing / compared < 0.08


def test_an_engine_that_is_not_itself_is_found_out() -> None:
    plan = fakes.plan(engines=ENGINES, blocks=5)
    unlike = {**fakes.ENGINES, "ray-control": fakes.FakeEngine(chunk_s=1.0, per_task_s=0.01)}
    run = fakes.run(plan, engines=unlike)
    (control,) = controls(run)
    assert {"throughput", "per_task_cost"} <= set(control.differing)
    assert "`ray` was measured as two engines" in markdown(run)


@pytest.mark.compares
@pytest.mark.timeout(600)
def test_a_real_engine_is_measured_as_two(tmp_path: Path) -> None:
    arguments = ("--engines", "multiprocessing", "--experiments", "throughput")
    done = small_run(tmp_path, *arguments, "--control", "multiprocessing", "--blocks", 2)
    assert done.returncode == 0, done.stdout + done.stderr
    found = {
        row["engine"]: row["value"]
        for row in json.loads((tmp_path / "summary.json").read_text())["rows"]
        if row["metric"] == "throughput"
    }
    assert found["multiprocessing"] is not None
    assert found["multiprocessing-control"] is not None
    details = (run_folder(tmp_path) / "details.md").read_text()
    assert "`multiprocessing` was measured as two engines" in details


@pytest.mark.compares
@pytest.mark.parametrize("control", ["spark", "serial", "rey"])
def test_an_engine_that_cannot_be_its_control_is_refused(tmp_path: Path, control: str) -> None:
    done = compare("--engines", "ray,dask", "--control", control, "--out", tmp_path)
    assert done.returncode == 2
    assert f"--control {control}" in done.stderr
    assert "choose one of multiprocessing, ray, dask" in done.stderr
    assert "Traceback" not in done.stderr


def test_the_control_has_every_row_of_the_engine() -> None:
    found: dict[str, list[tuple[object, ...]]] = {}
    for row in rows(fakes.run(fakes.plan(engines=ENGINES))):
        if row.experiment.startswith("done_first"):
            continue  # that is a choice, and nobody chooses a control
        place = (row.experiment, row.metric, sorted(row.case.items()))
        found.setdefault(row.engine, []).append(place)
    assert found["ray"] == found["ray-control"]
