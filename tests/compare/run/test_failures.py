"""A session that fails tells its cause, and does not end the run."""

import multiprocessing
import os
import subprocess
import sys
from pathlib import Path
from typing import IO

import pytest

from compare.records.measurements import Failure, Record
from compare.records.plan import SERIAL, Plan, Session
from compare.records.store import RunFolder
from compare.run.runner import Way, run_session
from tests.compare import fakes
from tests.compare.command_line import REPOSITORY


def run(tmp_path: Path, program: str) -> list[Record]:
    """The records of a session that is this Python program; ``records`` takes its lines."""
    plan = fakes.plan(engines=(SERIAL,), experiments=("overhead",), workload=None, blocks=1)
    folder = RunFolder(tmp_path / "run")
    folder.create(plan, {})
    opening = "import sys; records = sys.stdout; print = lambda *w: sys.stderr.write(*w)\n"

    def start(
        _plan: Plan, _session: Session, _folder: RunFolder, log: IO[bytes]
    ) -> tuple[subprocess.Popen[bytes], IO[bytes]]:
        process = subprocess.Popen(
            [sys.executable, "-c", opening + program],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
        )
        assert process.stdout is not None
        return process, process.stdout

    # It kills all descendants of its process, of which that of the tests may have others.
    context = multiprocessing.get_context("fork")
    receiver, sender = context.Pipe(duplex=False)

    def runner() -> None:
        sender.send(run_session(plan, plan.sessions[0], folder, 0.1, Way(start)))

    process = context.Process(target=runner)
    process.start()
    sender.close()
    records: list[Record] = receiver.recv()
    process.join()
    return records


def reasons(records: list[Record]) -> list[str]:
    return [record.reason for record in records if isinstance(record, Failure)]


def test_a_record_that_cannot_be_read_back_is_a_failure_of_its_session(tmp_path: Path) -> None:
    records = run(tmp_path, """records.write('{"kind": "tasks"}\\\\n')""".replace("\\\\n", "\\n"))
    (reason,) = reasons(records)
    assert reason.startswith("unreadable record: ")
    assert "Field required" in reason
    assert RunFolder(tmp_path / "run").read().records == tuple(records)


def test_a_session_that_dies_tells_what_was_printed_last_and_where_the_rest_is(
    tmp_path: Path,
) -> None:
    (reason,) = reasons(run(tmp_path, "print('first\\nthe disk is on fire\\n'); sys.exit(7)"))
    assert reason.splitlines()[0].startswith("the session ended with exit code 7; its log is logs/")
    assert "the disk is on fire" in reason.splitlines()[0]


_HANGS = """
import sys, threading
from contextlib import contextmanager
from compare.run import session
from engines import registry
from engines._stdlib.loop import SerialEngine

@contextmanager
def hang(cls, resources):
    threading.Event().wait()
    yield

SerialEngine.open = classmethod(hang)
session.START_LIMIT_S = 1.0
session.main()
"""


@pytest.mark.timeout(180)
def test_an_engine_that_never_starts_is_given_up_with_a_reason(tmp_path: Path) -> None:
    """Ray waits forever where no process may be started (``ulimit -u 40``)."""
    plan = fakes.plan(engines=(SERIAL,), experiments=("overhead",), workload=None, blocks=1)
    folder = RunFolder(tmp_path / "run")
    folder.create(plan, {})
    session = next(one for one in plan.sessions if one.engine == SERIAL)
    # The session ends when its standard input does.
    read_end, write_end = os.pipe()
    try:
        done = subprocess.run(
            [sys.executable, "-c", _HANGS, str(folder.path), session.id, "1"],
            cwd=REPOSITORY,
            stdin=read_end,
            capture_output=True,
            text=True,
            timeout=150,
            check=False,
        )
    finally:
        os.close(read_end)
        os.close(write_end)
    assert done.returncode == 1, done.stderr
    assert "the engine did not start within 1 s" in done.stdout
    assert "hang" in done.stderr, "the log shows where it waited"
