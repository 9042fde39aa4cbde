"""Tries the user's own job once, in a process of its own, before anything is measured.

    python -m workload.job_check RESULT_FILE MEMORY_BYTES FILE MODULE NAME FOLDER

The result file gets one line of JSON for each step that begins, and at the end a line with
``facts`` or with ``mistake``, a sentence.  If the process ends without one, the last step tells
where.
"""

import functools
import itertools
import json
import pickle
import resource
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from workload.errors import JobError
from workload.fingerprint import fingerprint
from workload.job import Job, Source, digest_of, import_job, packed

MOST_INPUTS = 100_000
"""Every task leaves a line in the records."""
_TRY_S = 3.0
"""Inputs are tried until these seconds have passed."""

_T = TypeVar("_T")


def main() -> None:
    """Try the job; see the module's description."""
    result, memory_bytes, file, module, name, folder = sys.argv[1:]
    # A job that needs too much shall get a MemoryError, and not the whole machine into trouble.
    limit = int(memory_bytes) or resource.RLIM_INFINITY
    resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))
    with Path(result).open("w", encoding="utf-8") as lines:

        def write(**line: object) -> None:
            lines.write(json.dumps(line) + "\n")
            lines.flush()

        try:
            write(
                facts=facts_of(
                    Source(file, module, name, folder, ""), lambda step: write(step=step)
                )
            )
        except JobError as error:
            write(mistake=str(error))


def facts_of(source: Source, begins: Callable[[str], None]) -> dict[str, Any]:
    """What the plan has to know about the job.

    Raises:
        JobError: the job has a mistake.
    """
    before_bytes = _largest_bytes()
    begins("its import")
    job, import_s = _timed(lambda: import_job(source))
    begins("inputs()")
    given = inputs_of(job)
    if fingerprints(given) != fingerprints(inputs_of(job)):
        raise JobError(
            f"inputs() in {source} gives other inputs each time, but every engine must get the "
            "same: use a fixed seed, and neither the time nor the process"
        )
    begins("load()")
    run, load_s = _timed(job.ready)
    begins("run(input)")
    times_s, largest_output = _try(job, run, given)
    return {
        "file": job.source.file,
        "sha256": digest_of(job.source.file),
        "label": job.label,
        "inputs": len(given),
        "inputs_digest": fingerprints(given),
        "cpus": job.cpus,
        "has_same": job.same is not None,
        "import_s": import_s,
        "load_s": None if job.load is None else load_s,
        # The first run may load what later ones find.
        "task_s": statistics.median(times_s[1:]),
        "input_bytes": max(map(len, given)),
        "output_bytes": largest_output,
        "memory_bytes": _largest_bytes() - before_bytes,
    }


def inputs_of(job: Job) -> list[bytes]:
    """The pickled inputs of a job.

    Raises:
        JobError: ``inputs`` raised, or its result is no list of values that can be pickled.
    """
    made = job.call("inputs()", job.inputs)
    try:
        first = iter(made)
    except TypeError as error:
        raise JobError(
            f"inputs() in {job.source} returned {made!r:.40}; it must return a list of inputs"
        ) from error
    # A generator runs the user's code here, and may have no end.
    values = job.call("inputs()", lambda: list(itertools.islice(first, MOST_INPUTS + 1)))
    if not values:
        raise JobError(f"inputs() in {job.source} is empty; return one input for each task")
    if len(values) > MOST_INPUTS:
        raise JobError(
            f"inputs() in {job.source} has more than {MOST_INPUTS:,} inputs; give each task more "
            "work, such as a list of them"
        )
    return [packed(value, f"input {index}") for index, value in enumerate(values)]


def fingerprints(given: list[bytes]) -> str:
    """The fingerprint of all inputs.  They were pickled by this process."""
    return fingerprint([fingerprint(pickle.loads(one)) for one in given])  # noqa: S301


def _try(job: Job, run: Callable[[Any], Any], given: list[bytes]) -> tuple[list[float], int]:
    """Run the first input twice and others while there is time: seconds, and the largest output."""
    times_s: list[float] = []
    largest = 0
    first_output: Any = None
    for place, index in enumerate([0, *range(len(given))]):
        value = pickle.loads(given[index])  # noqa: S301
        before = fingerprint(value)
        what = f"run(input {index})"
        output, took_s = _timed(functools.partial(job.call, what, run, value))
        times_s.append(took_s)
        largest = max(largest, len(packed(output, f"the output of {what}")))
        if fingerprint(value) != before:
            raise JobError(
                f"run in {job.source} changes its input {index}; an engine may hand the same "
                "object to another task: change a copy"
            )
        if place == 0:
            first_output = output
        elif place == 1:
            _check_same(job, first_output, output)
        if place and sum(times_s) > _TRY_S:
            break
    return times_s, largest


def _check_same(job: Job, one: object, other: object) -> None:
    if job.same is None:
        if fingerprint(one) != fingerprint(other):
            raise JobError(
                f"run in {job.source} gives another output each time for the same input, so the "
                "outputs of engines cannot be compared: make it depend on its input alone, or "
                "add same(a, b)"
            )
    elif not job.call("same(a, b)", job.same, one, other):
        raise JobError(
            f"same(a, b) in {job.source} says that two outputs of the same input differ; it must "
            "accept what may differ from run to run"
        )


def _timed(action: Callable[[], _T]) -> tuple[_T, float]:
    started_s = time.perf_counter()
    result = action()
    return result, time.perf_counter() - started_s


def _largest_bytes() -> int:
    """The largest resident size of this process so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


if __name__ == "__main__":
    main()
