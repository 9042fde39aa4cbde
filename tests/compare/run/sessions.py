"""Runs one real session in a process of its own, as the runner does."""

import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import psutil

from compare.records.measurements import Lifecycle, Record
from compare.records.plan import Case, Plan, Session
from compare.records.store import RunFolder, decode
from compare.run.leftovers import adopt_orphans, descendants
from compare.run.runner import environment
from engines.interface import Config
from tests.compare import fakes
from tests.compare.command_line import REPOSITORY

_GONE_S = 5.0


class Ended(NamedTuple):
    """What a session left."""

    plan: Plan
    records: tuple[Record, ...]
    alive: list[psutil.Process]


def session_of(engine: str, case: Case, label: str, **how: object) -> Session:
    return Session(
        id=f"1-{engine}-{label}",
        block=1,
        position=0,
        engine=engine,
        label=label,
        workers=2,
        smallest_share=1.0,
        traced=False,
        cases=(case,),
        **how,  # type: ignore[arg-type]
    )


def ended(folder: Path, session: Session, config: Config) -> Ended:
    """The session's records, and its processes that are alive some seconds after its end."""
    experiments = tuple(case.experiment for case in session.cases)
    plan = fakes.plan(
        engines=(session.engine,),
        experiments=experiments,
        blocks=1,
        config=config,
        sessions=(session,),
    )
    RunFolder(folder / "run").create(plan, fakes.environment())
    adopt_orphans()
    before = set(descendants())
    records = recorded(folder / "run", session, folder / "records", environment(plan, session))
    assert isinstance(records[-1], Lifecycle)
    return Ended(plan=plan, records=records, alive=_alive_after(before))


def recorded(
    run: Path, session: Session, written: Path, variables: Mapping[str, str]
) -> tuple[Record, ...]:
    """The records of a session of the run, which it writes into that file."""
    with written.open("wb") as file:
        arguments = [str(run), session.id, str(file.fileno())]
        with subprocess.Popen(
            [sys.executable, "-m", "compare.run.session", *arguments],
            stdin=subprocess.PIPE,  # it ends when this does
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            cwd=REPOSITORY,
            env=variables,
            pass_fds=(file.fileno(),),
        ) as process:
            assert process.stdout is not None
            said = process.stdout.read()
            assert process.wait() == 0, said
    return tuple(map(decode, written.read_bytes().splitlines(keepends=True)))


def _alive_after(before: set[psutil.Process]) -> list[psutil.Process]:
    until_s = time.monotonic() + _GONE_S
    while alive := [process for process in descendants() if process not in before]:
        if time.monotonic() > until_s:
            break
        time.sleep(0.1)
    return alive
