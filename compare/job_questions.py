"""Checks what a user asks about a job of their own, and finds the run that can answer."""

import difflib
import math
from dataclasses import dataclass
from pathlib import Path

from compare.analysis.makespans import Job
from compare.errors import UsageError
from compare.experiments import overhead
from compare.records.store import RunFolder, StoreError
from engines.interface import Capability

_PUBLISHED = Path("docs/example/all")
"""Comes with the repository; it has all experiments."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """Which engines are asked about, and which run answers."""

    needs: str
    """Names of capabilities, separated by commas."""
    run: Path | None
    """``None``: the newest run in ``results``, otherwise the published one."""
    results: Path


def check_job(job: Job) -> None:
    """Check the numbers that the command line cannot check.

    Raises:
        UsageError: a number is out of its range; the message names it.
    """
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
