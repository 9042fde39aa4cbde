"""README.md and docs/results.md have the numbers of the published runs and their records."""

import gzip
import re
import shutil
import subprocess
import sys
from pathlib import Path
from statistics import median

import pytest
from typer.testing import CliRunner

from compare.analysis.advice import advise
from compare.analysis.makespans import Job
from compare.cli import app
from compare.observations.disturbance import settled
from compare.records.measurements import Calibration, TaskRun
from compare.records.plan import CEILING
from compare.records.store import PACKED, RunFolder
from tools.pages import (
    ADVICE,
    ADVISED,
    ALL,
    FILLED,
    MAIN,
    README,
    RECORDS,
    ROOT,
    RUNS,
    published,
)

PAGES = (
    *("README.md", "CONTRIBUTING.md", "docs/results.md", "docs/reading-a-report.md"),
    *("docs/advice.md", "docs/when-a-worker-dies.md", "docs/scaling-up.md"),
    *(
        str((run / f"{page}.md").relative_to(ROOT))
        for run in RUNS
        for page in ("summary", "details")
    ),
)


@pytest.mark.parametrize("page", FILLED, ids=lambda page: page.name)
def test_a_page_has_the_numbers_of_the_published_runs(page: Path) -> None:
    assert FILLED[page](page.read_text()) == page.read_text()


def test_the_page_about_advice_has_what_its_commands_print() -> None:
    runner = CliRunner()
    # What a job in a file takes differs from machine to machine.
    numbers = r"^    python -m compare (advise --task-seconds .*)$"
    commands = re.findall(numbers, ADVICE.read_text(), re.MULTILINE)
    assert len(commands) == len(ADVISED)
    printed = " ".join(ADVICE.read_text().split())
    for command in commands:
        done = runner.invoke(app, [*command.split(), "--run", str(ALL.relative_to(ROOT))])
        assert done.exit_code == 0, done.output
        for line in done.output.splitlines():
            assert " ".join(line.split()) in printed, line


@pytest.mark.parametrize(("fit", "held_out"), [(ALL, MAIN), (MAIN, ALL)])
def test_one_published_run_predicts_the_batches_of_the_other(fit: Path, held_out: Path) -> None:
    """Real engines, hours later: tasks with work, of the lengths that their sweeps tried."""
    analysis = published(fit)
    run, _ = settled(RunFolder(held_out).read())
    idle_s = median(
        (record.before_s + record.after_s) / 2
        for record in run.records
        if isinstance(record, Calibration) and record.case.experiment == "overhead"
    )
    errors, covered = [], []
    for record in run.records:
        iterations = record.case.parameters.get("iterations") if isinstance(record, TaskRun) else 0
        if not isinstance(record, TaskRun) or not iterations or record.engine == CEILING:
            continue
        if record.case.experiment == "overhead":
            job = Job(task_s=int(iterations) * idle_s, tasks=record.tasks, workers=run.plan.workers)
            (one,) = (p for p in advise(analysis, job).predictions if p.engine == record.engine)
            errors.append(abs(one.makespan_s / record.makespan_s - 1))
            assert one.low_s is not None
            assert one.high_s is not None
            covered.append(one.low_s <= record.makespan_s <= one.high_s)
    assert len(errors) >= 60
    assert median(errors) <= 0.15
    assert sum(covered) / len(covered) >= 0.90


def test_every_published_number_can_be_computed_from_the_published_records() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tools.recompute", *RUNS],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("all equal") == len(RUNS)


@pytest.mark.parametrize("tool", ["publish", "recompute"])
def test_a_tool_rejects_a_folder_without_a_run_or_without_its_report(
    tool: str, tmp_path: Path
) -> None:
    def said(folder: Path) -> str:
        done = subprocess.run(
            [sys.executable, "-m", f"tools.{tool}", str(folder)],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 2
        assert "Traceback" not in done.stderr
        return done.stderr

    assert "plan.json: No such file" in said(tmp_path)
    shutil.copy(ROOT / "docs/example/plan.json", tmp_path)
    assert "has no summary.json" in said(tmp_path)


def test_no_published_record_names_the_machine() -> None:
    for folder in RUNS:
        for name in (*RECORDS, "summary.md", "trace.json"):
            if name == "trace.json" and not (folder / name).exists():
                continue  # of a run without batches of tasks
            content = (folder / name).read_bytes()
            text = (gzip.decompress(content) if name == PACKED else content).decode()
            assert not re.search(r"/(root|home/\w+|tmp|work)/", text), (folder, name)


@pytest.mark.parametrize("page", PAGES)
def test_every_picture_and_page_that_is_linked_exists(page: str) -> None:
    path = ROOT / page
    for target in re.findall(r"\]\((?!http)([^)#]+)", path.read_text()):
        assert (path.parent / target).exists(), target


def test_the_readme_has_a_table_of_at_most_four_rows_and_a_picture_before_its_use() -> None:
    opening = README.read_text().split("\n## Use\n")[0]
    lines = [line for line in opening.splitlines() if line.startswith("|")]
    assert 3 <= len(lines) <= 6
    assert opening.count("![") == 1
