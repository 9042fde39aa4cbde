"""Inputs and outputs of the user's own job, in the session that measures it."""

import pickle
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from compare.measure import job_tasks
from compare.records.plan import Job
from engines.errors import EngineError
from tests.compare import fakes
from workload.fingerprint import fingerprint
from workload.job import MODULE, digest_of
from workload.job_check import fingerprints
from workload.job_outputs import outputs_of
from workload.task import run_task

CODE = """
def inputs():
    return [1.0, 2.0, 3.0]

def load():
    return 10

def run(number, factor):
    return number * factor

def same(a, b):
    return abs(a - b) < 0.5
"""


@pytest.fixture
def job(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Job]:
    file = tmp_path / "my_job.py"
    file.write_text(CODE)
    # An imported job changes both; the test process must get them back.
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    yield fakes.job(
        file=str(file),
        folder=str(tmp_path),
        sha256=digest_of(str(file)),
        inputs=3,
        inputs_digest=fingerprints([pickle.dumps(value) for value in (1.0, 2.0, 3.0)]),
        has_same=True,
    )
    sys.modules.pop(MODULE, None)


def test_every_input_is_a_task_whose_output_is_a_pickle(job: Job) -> None:
    plan = fakes.plan(experiments=("job",), job=job)
    tasks = job_tasks.job_tasks(plan, "case")
    reports = [run_task(task) for task in tasks]
    assert [report.error for report in reports] == [None] * 3
    outputs = [pickle.loads(report.output) for report in reports]  # noqa: S301 - made here
    assert outputs == [10.0, 20.0, 30.0]


def test_a_warm_up_task_runs_the_first_input_and_gives_nothing(job: Job) -> None:
    plan = fakes.plan(experiments=("job",), job=job)
    report = run_task(job_tasks.warm_up_task(plan, "case"))
    assert (report.error, report.output) == (None, None)
    assert report.ended_s - report.started_s > 0.05


def test_an_output_that_agrees_has_the_text_of_the_expected_one(
    job: Job, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = outputs_of(job_tasks.source_of(job))
    file = tmp_path / "outputs"
    file.write_bytes(pickle.dumps(expected))
    monkeypatch.setenv(job_tasks.OUTPUTS, str(file))
    as_text = job_tasks.as_text(fakes.plan(experiments=("job",), job=job))
    assert as_text(0, pickle.dumps(10.1)) == fingerprint(10.0)
    assert as_text(1, pickle.dumps(20.0)) == fingerprint(20.0)
    assert as_text(2, pickle.dumps(10.0)) == fingerprint(10.0) != fingerprint(30.0)


def test_other_inputs_than_those_of_the_plan_are_refused(job: Job) -> None:
    changed = replace(job, inputs_digest="0" * 16)
    with pytest.raises(EngineError, match=r"inputs\(\) in my_job.py gave other inputs"):
        job_tasks.job_tasks(fakes.plan(experiments=("job",), job=changed), "case")


def test_a_file_that_changed_meanwhile_is_told_in_the_task(job: Job) -> None:
    plan = fakes.plan(experiments=("job",), job=job)
    task = job_tasks.job_tasks(plan, "case")[0]
    Path(job.file).write_text(CODE + "\n# changed\n")
    report = run_task(task)
    assert report.error is not None
    assert "my_job.py was changed after the run was planned" in report.error
