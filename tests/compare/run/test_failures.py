"""A session that fails tells its cause, and does not end the run."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from compare.records.plan import SERIAL
from compare.records.store import RunFolder
from tests.compare import fakes
from tests.compare.command_line import REPOSITORY
from tests.compare.run.programs import reasons, run


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
