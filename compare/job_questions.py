"""Checks what a user asks about a job of their own, and finds the run that can answer."""

import difflib
import math
from dataclasses import dataclass, replace
from pathlib import Path

from compare.analysis.makespans import Job
from compare.errors import UsageError
from compare.experiments import overhead
from compare.measure.machine import usable_cores
from compare.options import Options
from compare.plan.job import planned_job
from compare.records.store import RunFolder, StoreError
from engines.interface import Capability

_PUBLISHED = Path("docs/example/all")
"""Comes with the repository; it has all experiments."""


_BARE_BYTES = 1000
"""An input or output of less is as good as none: an empty task has a hundred bytes itself."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Description:
    """What a user says of a job; ``None`` where they say nothing."""

    job: str | None
    """A Python file, or ``package.module:Job``."""
    task_s: float | None
    tasks: int | None
    workers: int | None
    bytes_in: int | None
    bytes_out: int | None
    cpus: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """Which engines are asked about, and which run answers."""

    needs: str
    """Names of capabilities, separated by commas."""
    run: Path | None
    """``None``: the newest run in ``results``, otherwise the published one."""
    results: Path


def job_of(said: Description) -> Job:
    """The job that is asked about; one with a file is tried first, for what is not said.

    Raises:
        UsageError: something is missing or out of its range, or the file has a mistake.
    """
    workers = said.workers or usable_cores()
    if said.job is not None:
        said = _tried(said, said.job, workers)
    if said.task_s is None or said.tasks is None:
        raise UsageError(
            "say with --task-seconds what one task takes and with --tasks how many there are, or "
            "name a job to try with --job FILE"
        )
    job = Job(
        task_s=said.task_s,
        tasks=said.tasks,
        workers=workers,
        bytes_in=said.bytes_in or 0,
        bytes_out=said.bytes_out or 0,
        cpus=1.0 if said.cpus is None else said.cpus,
    )
    _check_job(job)
    return job


def _tried(said: Description, name: str, workers: int) -> Description:
    """What the job's own tasks tell, where nothing else is said."""
    found = planned_job(Options(job=name), workers)
    if found is None:  # only without a name
        return said

    def unless_bare(size: int) -> int:
        return size if size >= _BARE_BYTES else 0

    return replace(
        said,
        task_s=found.task_s if said.task_s is None else said.task_s,
        tasks=said.tasks or found.inputs,
        bytes_in=unless_bare(found.input_bytes) if said.bytes_in is None else said.bytes_in,
        bytes_out=unless_bare(found.output_bytes) if said.bytes_out is None else said.bytes_out,
        cpus=found.cpus if said.cpus is None else said.cpus,
    )


def _check_job(job: Job) -> None:
    """Check the numbers that the command line cannot check."""
    if not 0 < job.task_s < math.inf:
        raise UsageError(
            f"--task-seconds {job.task_s:g}: a task takes more than 0 seconds; measure one on an "
            "idle core"
        )
    if not 0 < job.cpus < math.inf:
        raise UsageError(f"--cpus {job.cpus:g}: a task needs more than 0 cores, such as 0.1")
    if job.cpus > job.workers:
        raise UsageError(
            f"--cpus {job.cpus:g} is more than the {job.workers} cores of --workers: no task would "
            "start; give more workers"
        )


def needed(names: str) -> frozenset[Capability]:
    """The capabilities with these names, such as ``spans-hosts,streams``.

    Raises:
        UsageError: there is no such capability.
    """
    known = {one.name.lower().replace("_", "-"): one for one in Capability}
    found = set()
    for name in filter(None, (part.strip() for part in names.split(","))):
        key = name.lower().replace("_", "-")
        if key not in known:
            close = difflib.get_close_matches(key, known, n=1)
            hint = f"did you mean {close[0]!r}?" if close else f"known: {', '.join(known)}"
            raise UsageError(f"--needs: no capability called {name!r}; {hint}")
        found.add(known[key])
    return frozenset(found)


def record_for_advice(asked: Asked) -> RunFolder:
    """The run that answers: the one asked for, the newest that measured overhead, or the published.

    Raises:
        UsageError: there is none.
        StoreError: the plan of the run that was asked for cannot be read.
    """
    if asked.run is not None:
        folder = RunFolder(asked.run)
        if overhead.NAME not in folder.read_plan().experiments:
            raise UsageError(
                f"{asked.run} did not measure what tasks cost; take a run with "
                f"--experiments {overhead.NAME}"
            )
        return folder
    plans = sorted(asked.results.glob("*/plan.json"), key=lambda path: path.parent.name)
    published = Path(__file__).parents[1] / _PUBLISHED
    candidates = [*(path.parent for path in reversed(plans)), _shortest(published)]
    for folder in map(RunFolder, candidates):
        try:
            measured = overhead.NAME in folder.read_plan().experiments
        except StoreError:  # a folder that is no run, or of another version
            continue
        if measured:
            return folder
    raise UsageError(
        f"no run in {asked.results} measured what tasks cost; run python -m compare, or name one "
        "with --run RUN_DIR"
    )


def _shortest(path: Path) -> Path:
    """Relative to the working folder if that is above it."""
    here = Path.cwd()
    return path.relative_to(here) if path.is_relative_to(here) else path
