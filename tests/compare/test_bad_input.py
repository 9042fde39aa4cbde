"""Whatever is wrong with the input: exit code 2 and one sentence that says what to do."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from compare.measure import machine
from compare.records.plan import SERIAL
from compare.records.store import RunFolder
from tests.compare import fakes
from tests.compare.command_line import compare, small_run


def said(done: subprocess.CompletedProcess[str]) -> str:
    """The sentence; fails unless it is one and the exit code is 2."""
    assert done.returncode == 2, done.stdout + done.stderr
    assert "Traceback" not in done.stdout + done.stderr
    lines = [line for line in done.stderr.splitlines() if line.strip()]
    assert len(lines) == 1, done.stderr
    assert lines[0].startswith("engine-compare: ")
    return lines[0]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--engines", "sparc"), ["'sparc'", "did you mean 'spark'?"]),
        (("--engines", ","), ["--engines", "separated by commas"]),
        (("--experiments", "speed"), ["'speed'", "throughput, overhead, submission"]),
        (("--n-images", "0"), ["--n-images", "greater than or equal to 1"]),
        (("--chunk", "0"), ["--chunk", "greater than or equal to 1"]),
        (("--chunk", "many"), ["--chunk", "integer"]),
        (("--workers", "0"), ["--workers", "greater than or equal to 1"]),
        (("--preset", "huge"), ["--preset", "quick", "standard"]),
        (("--model", "./no-such-folder"), ["no-such-folder"]),
        (("--model", "nobody/no-such-model"), ["nobody/no-such-model"]),
        (("--images", "no-such-images"), ["no-such-images"]),
        (("--wrokers", "2"), ["--wrokers", "--workers"]),
        (("--on", "copmose"), ["copmose", "'compose'", "ENGINE=ADDRESS"]),
        (("--on", "ray=head:6379"), ["no cluster for dask", "dask=ADDRESS"]),
        (("--ship", "byte"), ["'--ship': 'byte' is not one of 'paths', 'bytes'"]),
        (("--link-rate", "1mbit"), ["--link-rate", "add --on compose"]),
        (("report", "no-such-run"), ["no-such-run", "plan.json"]),
        (("diff", "no-such-run", "no-such-run"), ["no-such-run"]),
        (("--resume", "no-such-run"), ["no-such-run"]),
    ],
)
def test_a_mistake_is_named_with_its_remedy(
    tmp_path: Path, arguments: tuple[str, ...], words: list[str]
) -> None:
    out = () if arguments[0] in ("report", "diff") else ("--out", tmp_path)
    sentence = said(compare(*arguments, *out))
    for word in words:
        assert word in sentence


def test_an_image_folder_must_hold_an_image_that_can_be_read(tmp_path: Path) -> None:
    empty, broken = tmp_path / "empty", tmp_path / "broken"
    empty.mkdir()
    broken.mkdir()
    (broken / "one.jpg").write_bytes(b"no image")
    assert str(empty) in said(small_run(tmp_path / "out", "--images", empty))
    assert str(broken) in said(small_run(tmp_path / "out", "--images", broken))


def test_results_must_be_writable(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.touch()
    assert "choose another --out" in said(small_run(file / "results", "--engines", "serial"))


def test_more_workers_than_cores_are_allowed_with_a_caution(tmp_path: Path) -> None:
    cores = len(os.sched_getaffinity(0))
    done = small_run(tmp_path, "--engines", "serial", "--workers", cores + 1, "--dry-run")
    assert done.returncode == 0
    assert f"{cores + 1} workers on {cores} cores" in done.stdout


@pytest.mark.compares
def test_an_engine_that_is_not_installed_is_named_and_the_others_run(tmp_path: Path) -> None:
    # Python that cannot find pyspark, and no Java: what a user without the extra has.
    hidden = tmp_path / "hidden"
    hidden.mkdir()
    (hidden / "sitecustomize.py").write_text(
        "import importlib.util\n"
        "find = importlib.util.find_spec\n"
        "importlib.util.find_spec = "
        "lambda name, package=None: None if name == 'pyspark' else find(name, package)\n"
    )
    asked = ("--engines", "spark", "--experiments", "throughput")
    done = small_run(tmp_path / "out", *asked, environment={"PYTHONPATH": str(hidden)})
    assert done.returncode == 2, done.stdout + done.stderr
    assert "pip install '.[spark]'" in done.stdout
    rows = json.loads((tmp_path / "out" / "summary.json").read_text())["rows"]
    throughput = {row["engine"]: row for row in rows if row["metric"] == "throughput"}
    assert throughput["serial"]["value"] > 0
    assert throughput["spark"]["value"] is None
    assert "pip install" in throughput["spark"]["verdict"]


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run with its report, as if it had been measured on this machine."""
    engines = (SERIAL, "multiprocessing", "dask")
    run = fakes.run(fakes.plan(experiments=("throughput",), engines=engines, blocks=1))
    folder = RunFolder(tmp_path_factory.mktemp("finished") / "run")
    folder.create(run.plan, machine.collect(engines))
    for record in run.records:
        folder.append(record)
    assert compare("report", folder.path).returncode == 0
    return folder.path


def copied(finished: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(finished, tmp_path / "run"))


def test_a_damaged_line_of_the_measurements_is_named(finished: Path, tmp_path: Path) -> None:
    run = copied(finished, tmp_path)
    records = run / "measurements.jsonl"
    lines = records.read_text().splitlines(keepends=True)
    lines[1] = lines[1].replace('"kind"', '"knd"')
    records.write_text("".join(lines))
    for arguments in (("report", run), ("--resume", run), ("diff", run, run)):
        assert f"{records}:2:" in said(compare(*arguments))


def test_an_unknown_schema_is_refused(finished: Path, tmp_path: Path) -> None:
    run = copied(finished, tmp_path)
    plan = json.loads((run / "plan.json").read_text())
    (run / "plan.json").write_text(json.dumps({**plan, "schema": 99}))
    assert "schema 99" in said(compare("report", run))


@pytest.mark.parametrize("flag", [("--workers", "7"), ("--chunk", "23"), ("--engines", "ray")])
def test_flags_that_contradict_the_stored_plan_are_refused(
    finished: Path, flag: tuple[str, str]
) -> None:
    sentence = said(compare("--resume", finished, *flag))
    assert " ".join(flag) in sentence
    assert "does not fit" in sentence


def test_a_run_begun_with_other_versions_is_not_resumed(finished: Path, tmp_path: Path) -> None:
    run = copied(finished, tmp_path)
    environment = json.loads((run / "environment.json").read_text())
    environment["versions"]["torch"] = "1.0"
    (run / "environment.json").write_text(json.dumps(environment))
    assert "versions" in said(compare("--resume", run))


def test_a_report_is_the_same_bytes_each_time(finished: Path, tmp_path: Path) -> None:
    run = copied(finished, tmp_path)
    for name in ("summary.json", "summary.md", "trace.json"):
        (run / name).unlink()
    for path in run.glob("plots/*"):
        path.unlink()
    assert compare("report", run).returncode == 0
    told = {path.relative_to(run) for path in run.rglob("*") if path.is_file()}
    assert told == {path.relative_to(finished) for path in finished.rglob("*") if path.is_file()}
    for path in told:
        assert (run / path).read_bytes() == (finished / path).read_bytes(), path


@pytest.mark.compares
@pytest.mark.parametrize(("arguments", "limit_s"), [(["--help"], 0.5), (["engines"], 2.0)])
def test_help_and_the_list_of_engines_import_no_framework(
    arguments: list[str], limit_s: float
) -> None:
    probe = (
        f"import sys, time; began = time.process_time(); sys.argv[1:] = {arguments!r}\n"
        "from compare.__main__ import main\n"
        "try: main()\n"
        "except SystemExit as end: assert not end.code, end.code\n"
        "print(time.process_time() - began, file=sys.stderr)\n"
        "heavy = {'ray', 'dask', 'distributed', 'pyspark', 'torch', 'transformers'}\n"
        "assert not heavy & set(sys.modules), heavy & set(sys.modules)\n"
    )
    best = min(
        float(
            subprocess.run(
                [sys.executable, "-c", probe], capture_output=True, text=True, check=True
            ).stderr.splitlines()[-1]
        )
        for _ in range(3)
    )
    assert best < limit_s
