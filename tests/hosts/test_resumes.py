"""A run that goes on is the same run: whatever changed meanwhile is named."""

import json
import shutil
import signal
import subprocess
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from compare.measure import machine
from compare.options import Options, PresetName
from compare.plan.resolve import prepare
from compare.records.store import RunFolder
from compare.run.runner import drop_interrupted
from tests.compare.command_line import (
    REPOSITORY,
    command,
    compare,
    run_folder,
    running_small_run,
    small_run,
    wait_until,
)
from tests.compare.test_bad_input import said
from workload.model import VIT_DIGITS, resolve

_OVERHEAD = ("--engines", "serial", "--experiments", "overhead")


@pytest.fixture
def begun(tmp_path: Path) -> Path:
    """A run that was interrupted at once, on a model and photographs of its own."""
    shutil.copytree(resolve(VIT_DIGITS, tmp_path).folder, tmp_path / "model")
    (tmp_path / "photos").mkdir()
    for number in range(2):
        Image.new("RGB", (8, 8), (number, 0, 0)).save(tmp_path / "photos" / f"{number}.png")
    options = Options(
        engines="serial",
        experiments="throughput",
        preset=PresetName.QUICK,
        model=str(tmp_path / "model"),
        images=tmp_path / "photos",
        out=tmp_path / "out",
    )
    plan = prepare(options)
    folder = RunFolder(tmp_path / "out" / plan.run_id)
    folder.create(plan, machine.collect(plan.engines))
    return folder.path


def refused(run: Path, **environment: str) -> str:
    return said(compare("--resume", run, "--dry-run", environment=environment))


def test_the_same_run_goes_on(begun: Path) -> None:
    done = compare("--resume", begun, "--dry-run")
    assert done.returncode == 0, done.stderr
    assert "0 of " in done.stdout


@pytest.mark.parametrize("file", ["photos/1.png", "model/model.safetensors"])
def test_a_file_that_was_changed_in_place_is_named(begun: Path, tmp_path: Path, file: str) -> None:
    with (tmp_path / file).open("ab") as changed:
        changed.write(b"\n")
    assert f"{tmp_path / file} has changed since" in refused(begun)


@pytest.mark.parametrize("gone", ["photos/1.png", "model"])
def test_a_file_or_folder_that_is_gone_is_named(begun: Path, tmp_path: Path, gone: str) -> None:
    (tmp_path / gone).rename(tmp_path / "elsewhere")
    sentence = refused(begun)
    assert f"{tmp_path / gone} of {begun} is missing" in sentence
    assert "restore it" in sentence


def test_a_plan_without_digests_goes_on(begun: Path) -> None:
    """As an earlier version has written it."""
    plan = json.loads((begun / "plan.json").read_text())
    del plan["workload"]["image_digests"], plan["workload"]["model_digests"]
    (begun / "plan.json").write_text(json.dumps(plan))
    assert compare("--resume", begun, "--dry-run").returncode == 0


@pytest.mark.parametrize("fact", ["python", "memory_bytes", "commit", "java"])
def test_another_machine_is_named_by_the_fact_in_which_it_differs(begun: Path, fact: str) -> None:
    facts: dict[str, Any] = json.loads((begun / "environment.json").read_text())
    if fact not in facts:
        pytest.skip("this machine does not tell it")
    (begun / "environment.json").write_text(json.dumps({**facts, fact: "another"}))
    sentence = refused(begun)
    assert f"different {fact.replace('_', ' ')} (another, now " in sentence


def test_another_priority_is_named(begun: Path) -> None:
    done = subprocess.run(
        ["nice", "-n", "5", *command("--resume", begun, "--dry-run")],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=False,
    )
    assert "was started at niceness 0, and this program runs at 5" in said(done)


def test_a_record_behind_a_torn_one_can_be_read(begun: Path) -> None:
    """The first record of a session was cut off: nothing else of it is on disk."""
    (begun / "measurements.jsonl").write_text('{"kind":"tas')
    drop_interrupted(RunFolder(begun))
    assert (begun / "measurements.jsonl").read_text() == ""


def sessions(out: Path) -> Counter[str]:
    lines = (run_folder(out) / "measurements.jsonl").read_text().splitlines()
    records = [json.loads(line) for line in lines]
    return Counter(record["session"] for record in records if record["kind"] == "lifecycle")


def goes_on(out: Path) -> None:
    """The run can be finished, and nothing is measured twice."""
    done = compare("--resume", run_folder(out))
    assert done.returncode == 0, done.stdout + done.stderr
    plan = json.loads((run_folder(out) / "plan.json").read_text())
    assert sessions(out) == Counter(session["id"] for session in plan["sessions"])
    assert "partial" not in (out / "summary.md").read_text().lower()


@pytest.mark.compares
def test_a_run_that_fills_the_disk_keeps_its_records_and_goes_on(tmp_path: Path) -> None:
    """A limit on the size of a file has the same effect, and every user can set one."""
    small = ("--model", "vit-digits", "--preset", "quick", "--blocks", "1", "--n-images", "24")
    line = " ".join(command(*small, *_OVERHEAD, "--out", tmp_path))
    done = subprocess.run(
        ["bash", "-c", f"ulimit -f 60 && exec {line}"],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    sentence = said(done)
    run = run_folder(tmp_path)
    assert f"cannot write to {run / 'measurements.jsonl'}: File too large" in sentence
    assert f"go on with --resume {run}" in sentence
    assert "Writing the report from the measurements so far" in done.stdout
    goes_on(tmp_path)


@pytest.mark.compares
def test_a_run_whose_terminal_is_lost_writes_its_report_and_goes_on(tmp_path: Path) -> None:
    asked = ("--engines", "serial", "--experiments", "timeline")
    with running_small_run(tmp_path, *asked) as running:
        wait_until(lambda: any(tmp_path.glob("*/logs/*.log")), 180, "a session at work")
        time.sleep(1)
        running.send_signal(signal.SIGHUP)
        told, _ = running.communicate(timeout=60)
    assert running.returncode == 130, told
    assert f"--resume {run_folder(tmp_path)}" in told
    assert "partial" in (tmp_path / "summary.md").read_text().lower()
    goes_on(tmp_path)


def test_results_that_cannot_be_created_are_told_before_anything_is_measured(
    tmp_path: Path,
) -> None:
    (tmp_path / "results").write_text("a file")
    assert "choose another --out" in said(
        small_run(tmp_path / "results", "--engines", "serial", "--dry-run")
    )
