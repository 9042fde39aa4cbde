"""Runs a program in the place of a session."""

import multiprocessing
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import IO

from compare.records.deeds import Answer, Deed
from compare.records.measurements import Failure, Record
from compare.records.plan import SERIAL, Plan, Session
from compare.records.store import RunFolder
from compare.run.runner import Way, refuse, run_session
from tests.compare import fakes
from tests.compare.command_line import REPOSITORY

_OPENING = "import sys; records = sys.stdout; print = lambda *w: sys.stderr.write(*w)\n"


def run(tmp_path: Path, program: str, act: Callable[[Deed], Answer] = refuse) -> list[Record]:
    """The records of a session that is this Python program; ``records`` takes its lines."""
    plan = fakes.plan(engines=(SERIAL,), experiments=("overhead",), workload=None, blocks=1)
    folder = RunFolder(tmp_path / "run")
    folder.create(plan, {})

    def start(
        _plan: Plan, session: Session, _folder: RunFolder, log: IO[bytes]
    ) -> tuple[subprocess.Popen[bytes], IO[bytes]]:
        process = subprocess.Popen(
            [sys.executable, "-c", _OPENING + program, str(folder.path), session.id, "1"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            cwd=REPOSITORY,
        )
        assert process.stdout is not None
        return process, process.stdout

    # It kills all descendants of its process, of which that of the tests may have others.
    context = multiprocessing.get_context("fork")
    receiver, sender = context.Pipe(duplex=False)

    def runner() -> None:
        sender.send(run_session(plan, plan.sessions[0], folder, 0.1, Way(start, act=act)))

    process = context.Process(target=runner)
    process.start()
    sender.close()
    records: list[Record] = receiver.recv()
    process.join()
    return records


def reasons(records: list[Record]) -> list[str]:
    """Of the failures among the records."""
    return [record.reason for record in records if isinstance(record, Failure)]
