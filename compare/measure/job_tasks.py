"""The inputs of the user's job as tasks, the same for every engine, and its outputs as texts."""

import functools
import os
import pickle
from collections.abc import Callable
from pathlib import Path

from compare.records.plan import Job, Plan
from engines.errors import EngineError
from workload import job as job_contract
from workload import job_check
from workload.errors import JobError
from workload.fingerprint import fingerprint
from workload.interface import Task
from workload.job import Source
from workload.kernels import job as kernel

OUTPUTS = "ENGINE_COMPARE_JOB_OUTPUTS"
"""The environment variable that names the file with the expected outputs of a job with ``same``."""


def source_of(job: Job) -> Source:
    """Where the workers find the job."""
    return Source(job.file, job.module, job.name, job.folder, job.sha256)


def job_of(plan: Plan) -> Job:
    """The job of a plan.

    Raises:
        ValueError: it has none; see ``Experiment.needs_job``.
    """
    if plan.job is None:
        raise ValueError("this plan has no job")
    return plan.job


def job_tasks(plan: Plan, label: str) -> list[Task]:
    """One task for each input.

    Raises:
        EngineError: the job cannot be imported, or its inputs are not those of the plan.
    """
    return kernel.tasks(label, source_of(job_of(plan)), _inputs(job_of(plan)))


def warm_up_task(plan: Plan, label: str) -> Task:
    """A task that loads the job in its worker and runs the first input there.

    Raises:
        EngineError: as above.
    """
    return kernel.warm_up_task(label, source_of(job_of(plan)), _inputs(job_of(plan))[0])


@functools.cache
def _inputs(job: Job) -> tuple[bytes, ...]:
    """The pickled inputs, which every session makes anew."""
    try:
        given = job_check.inputs_of(_imported(job))
    except JobError as error:
        raise EngineError(str(error)) from error
    if job_check.fingerprints(given) != job.inputs_digest:
        raise EngineError(
            f"inputs() in {source_of(job)} gave other inputs in this session than when the run was "
            "planned, but every engine must get the same: use a fixed seed, and neither the time "
            "nor the process"
        )
    return tuple(given)


@functools.cache
def _imported(job: Job) -> job_contract.Job:
    return job_contract.import_job(source_of(job))


def as_text(plan: Plan) -> Callable[[int, bytes], str]:
    """How an output is recorded, from its index and its pickle: equal texts mean equal outputs.

    If the job has ``same``, an output that agrees with the expected one has the text of that one.

    Raises:
        EngineError: ``same`` raised.
    """
    # All pickles were made by workers of this session, or by the run that started it.
    if not job_of(plan).has_same:
        return lambda _, output: fingerprint(pickle.loads(output))  # noqa: S301
    job = _imported(job_of(plan))
    same, expected = job.same, pickle.loads(Path(os.environ[OUTPUTS]).read_bytes())  # noqa: S301

    def text(index: int, output: bytes) -> str:
        ours, right = pickle.loads(output), pickle.loads(expected[index])  # noqa: S301
        try:
            agrees = same is not None and job.call("same(a, b)", same, right, ours)
        except JobError as error:
            raise EngineError(str(error)) from error
        return fingerprint(right if agrees else ours)

    return text
