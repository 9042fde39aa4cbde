"""Finds the user's own job and tries it once, in a process of its own, before it is planned."""

import json
import os
import re
import signal
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from compare.errors import UsageError
from compare.measure.cgroup import memory_room_bytes
from compare.options import Options
from compare.records.plan import Job
from engines.environment import import_path, thread_environment
from engines.interface import Resources
from workload.errors import JobError
from workload.job import Source, digest_of

_LIMIT_S = 900
"""For the import, ``inputs``, ``load`` and the first tasks together."""
_MODULE = re.compile(r"[A-Za-z_][\w.]*:[A-Za-z_]\w*")
_MIB = 2**20


def canonical_job(text: str) -> str:
    """The job as the plan stores it: a file with its absolute path, a module as it is."""
    place, name = _split(text)
    return text if place is None else str(place) + (f":{name}" if name else "")


def _split(text: str) -> tuple[Path | None, str]:
    """The file and the name of an object in it; no file if the text names a module."""
    place, _, name = text.partition(":")
    if not place.endswith(".py") and _MODULE.fullmatch(text):
        return None, name
    return Path(os.path.abspath(place)), name  # noqa: PTH100 - a link keeps its name and its folder


def planned_job(options: Options, workers: int) -> Job | None:
    """The job of the options, after it was tried once; ``None`` if they have none.

    Raises:
        UsageError: the job has a mistake.
    """
    if options.job is None:
        return None
    file, name = _split(options.job)
    if file is None:
        module = options.job.partition(":")[0]
        source = Source("", module, name, str(Path.cwd()), "")
    else:
        _check_file(file, options.job)
        source = Source(str(file), "", name, str(file.parent), "")
    room_bytes = memory_room_bytes(0) or 0
    environment = thread_environment(
        Resources(
            workers=workers, threads_per_worker=options.threads_per_worker, config=options.config
        )
    )
    facts = _facts(source, room_bytes, environment)
    memory_bytes = facts.pop("memory_bytes")
    if room_bytes and workers * memory_bytes > room_bytes:
        raise UsageError(
            f"a worker of {source} needs {memory_bytes / _MIB:,.0f} MiB, and {workers} of them do "
            f"not fit into the {room_bytes / _MIB:,.0f} MiB that are available: use fewer --workers"
        )
    if facts["has_same"] and options.composed:
        raise UsageError(
            f"{source} has same(a, b), which cannot be used in containers: leave it out, or "
            "measure on running clusters with --on ENGINE=ADDRESS"
        )
    return Job(module=source.module, name=name, folder=source.folder, **facts)


def _check_file(file: Path, text: str) -> None:
    if file.is_dir():
        raise UsageError(f"--job {text}: this is a folder; name a Python file in it")
    if not file.is_file():
        raise UsageError(
            f"--job {text}: there is no such file; 'python -m compare init {file.name}' writes an "
            "example, and an object of a package is named package.module:Job"
        )
    if file.suffix != ".py":
        raise UsageError(f"--job {text}: this is no Python file; its name must end in .py")


def _facts(source: Source, room_bytes: int, environment: dict[str, str]) -> dict[str, Any]:
    """What the job's own process found out.

    Raises:
        UsageError: it found a mistake, or did not come to an end.
    """
    with tempfile.TemporaryDirectory(prefix="ec-job-") as folder:
        result, log = Path(folder) / "result", Path(folder) / "log"
        where = (source.file, source.module, source.name, source.folder)
        code: int | None
        with log.open("wb") as output:
            try:
                code = subprocess.run(
                    [sys.executable, "-m", "workload.job_check", result, str(room_bytes), *where],
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=subprocess.STDOUT,
                    env=os.environ | import_path() | environment,
                    timeout=_LIMIT_S,
                    check=False,
                ).returncode
            except subprocess.TimeoutExpired:
                code = None
        text = result.read_text(encoding="utf-8") if result.exists() else ""
        lines = [json.loads(line) for line in text.splitlines()]
        last: dict[str, Any] = lines[-1] if lines else {"step": "its start"}
        if "mistake" in last:
            raise UsageError(last["mistake"])
        if "facts" in last:
            facts: dict[str, Any] = last["facts"]
            return facts
        raise UsageError(f"{source} did not get past {last['step']}: {_ended(code, log)}")


def _ended(code: int | None, log: Path) -> str:
    if code is None:
        return f"it took more than {_LIMIT_S} s; give it less to do in one task"
    if code == -signal.SIGKILL:
        return "its process was killed, most likely because it needs more memory than there is"
    words = log.read_text(errors="replace").strip().splitlines()
    ended = f"was ended by {signal.Signals(-code).name}" if code < 0 else f"ended with code {code}"
    return f"its process {ended}" + (f", and its last words were: {words[-1]}" if words else "")


def check_unchanged(job: Job) -> None:
    """Check that the file of a planned job is still the same.

    Raises:
        UsageError: it was changed or is gone.
    """
    try:
        now = digest_of(job.file)
    except JobError as error:
        raise UsageError(f"{error}; restore it, or start a new run") from error
    if now != job.sha256:
        raise UsageError(
            f"{job.file} was changed after the run was planned; restore it, or start a new run"
        )
