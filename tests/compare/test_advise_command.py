"""``advise`` and ``history`` as a user calls them."""

import json
import re
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from compare.records.measurements import Run
from compare.records.store import RunFolder
from tests.compare import fakes
from tests.compare.command_line import compare
from workload import example_job

JOB = ("advise", "--task-seconds", "0.01", "--tasks", "500", "--workers", "2")


def stored(run: Run, path: Path) -> Path:
    folder = RunFolder(path)
    folder.create(run.plan, run.environment)
    for record in run.records:
        folder.append(record)
    return path


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three runs of one plan, in the last of which ray is slower, and one of another plan."""
    out = tmp_path_factory.mktemp("results")
    slower = fakes.ENGINES | {"ray": replace(fakes.ENGINES["ray"], chunk_s=1.4)}
    for day, engines in enumerate((fakes.ENGINES, fakes.ENGINES, slower), start=1):
        run_id = f"2026010{day}-000000"
        of = fakes.plan(run_id=run_id, experiments=("throughput", "overhead"), blocks=4)
        run = fakes.run(of, engines=engines, seed=day)
        versions = {"ray": f"2.{60 + day}.0", "torch": "2.13.0"}
        environment = {
            **run.environment,
            "started_at": f"2026-01-0{day}T00:00:00Z",
            "versions": versions,
        }
        stored(replace(run, environment=environment), out / run_id)
    other = fakes.plan(run_id="20251231-000000", experiments=("throughput",), workers=4, blocks=3)
    stored(fakes.run(other), out / other.run_id)
    return out


def test_json_is_a_list_ordered_by_makespan(results: Path) -> None:
    done = compare(*JOB, "--results", results, "--json")
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert {tuple(one) for one in found} == {
        ("engine", "makespan_s", "low_s", "high_s", "basis", "measured")
    }
    assert [one["makespan_s"] for one in found] == sorted(one["makespan_s"] for one in found)
    assert {one["engine"] for one in found} == {"serial", "multiprocessing", "ray", "dask", "spark"}
    assert all(one["low_s"] < one["makespan_s"] < one["high_s"] for one in found)
    # The newest that measured overhead.
    assert all("20260103-000000" in one["basis"] for one in found)


def test_people_read_a_table_an_advice_and_its_source(results: Path) -> None:
    run = ("--run", results / "20260101-000000")
    done = compare(*JOB, *run)
    assert done.returncode == 0, done.stderr
    assert "500 tasks of 10.0 ms on 2 workers" in done.stdout
    assert "Take multiprocessing" in done.stdout
    assert "What would change the answer: with tasks shorter than about" in done.stdout
    assert "20260101-000000" in done.stdout
    spanning = compare(*JOB, *run, "--needs", "spans-hosts").stdout
    assert "Take ray" in spanning
    assert "multiprocessing is left out: runs on one host only." in spanning


def test_a_job_of_one_s_own_is_tried_for_what_is_not_said(results: Path) -> None:
    file = example_job.__file__
    asked = ("advise", "--job", file, "--workers", "2", "--results", results)
    done = compare(*asked)
    assert done.returncode == 0, done.stderr
    assert re.search(
        rf"^200 tasks of [\d.]+ ms on 2 workers; .* of {re.escape(file)},", done.stdout
    )
    assert "Take " in done.stdout
    more = compare(*asked, "--tasks", "10000", "--task-seconds", "0.5").stdout
    assert more.startswith("10,000 tasks of 500 ms on 2 workers\n")


def test_a_job_is_described_by_a_file_or_by_numbers(results: Path, tmp_path: Path) -> None:
    (tmp_path / "broken.py").write_text("def inputs(): return [1]\n")
    for job, words in (((), "name a job to try with --job"), (("--job", "no.py"), "no such file")):
        done = compare("advise", "--results", results, *job)
        assert (done.returncode, done.stdout) == (2, "")
        assert words in done.stderr
    done = compare("advise", "--results", results, "--job", tmp_path / "broken.py")
    assert done.returncode == 2
    assert "has no function run" in done.stderr


def test_without_a_run_the_published_one_answers(tmp_path: Path) -> None:
    done = compare(*JOB, "--results", tmp_path / "none")
    assert done.returncode == 0, done.stderr
    assert "docs/example/all" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--task-seconds", "0"), ["--task-seconds 0", "more than 0 seconds"]),
        (("--task-seconds", "nan"), ["--task-seconds nan"]),
        (("--tasks", "0"), ["--tasks"]),
        (("--workers", "0"), ["--workers"]),
        (("--cpus", "-1"), ["--cpus -1", "more than 0 cores"]),
        (("--cpus", "3"), ["--cpus 3", "--workers"]),
        (("--needs", "span-hosts"), ["'span-hosts'", "did you mean 'spans-hosts'?"]),
        (("--bytes-in", "10", "--needs", "spans-hosts"), ["no prediction", "payload"]),
        (("--bytes-in", "-5"), ["--bytes-in"]),
        (("--run", "no-such-run"), ["no-such-run", "plan.json"]),
    ],
)
def test_a_mistake_is_named_with_its_remedy(
    results: Path, arguments: tuple[str, ...], words: list[str]
) -> None:
    done = compare(*JOB, "--results", results, *arguments)
    assert done.returncode == 2, done.stdout
    (line,) = done.stderr.splitlines()
    for word in words:
        assert word in line


def test_a_run_without_overhead_gives_no_advice(results: Path) -> None:
    done = compare(*JOB, "--run", results / "20251231-000000")
    assert done.returncode == 2
    assert "--experiments overhead" in done.stderr


def test_history_shows_the_versions_and_marks_the_change(results: Path, tmp_path: Path) -> None:
    picture = tmp_path / "history.svg"
    done = compare("history", results, "--out", picture)
    assert done.returncode == 0, done.stderr
    for word in ("ray 2.61.0", "ray 2.63.0", "slower", "20251231-000000 is left out: --"):
        assert word in done.stdout
    assert "1 change from one run to the next is shown" in done.stdout
    first = picture.read_bytes()
    assert b"ray 2.63.0" in first
    assert compare("history", results, "--out", picture).returncode == 0
    assert picture.read_bytes() == first


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--metric", "speed"), ["'speed'", "throughput/throughput"]),
        (("--case", "bytes"), ["--case", "bytes=64000"]),
        (("--out", "/no/such/folder/history.svg"), ["/no/such/folder/history.svg"]),
    ],
)
def test_a_history_that_cannot_be_shown_is_one_sentence(
    results: Path, arguments: tuple[str, str], words: list[str]
) -> None:
    done = compare("history", results, *arguments)
    assert done.returncode == 2, done.stdout
    (line,) = done.stderr.splitlines()
    for word in words:
        assert word in line


def test_a_folder_without_runs_or_with_one_has_no_history(results: Path, tmp_path: Path) -> None:
    assert "has no run" in compare("history", tmp_path).stderr
    shutil.copytree(results / "20260101-000000", tmp_path / "20260101-000000")
    done = compare("history", tmp_path)
    assert done.returncode == 2
    assert "the only run of its plan" in done.stderr
