"""Runs the sessions of a plan one after the other, each in a fresh process, and stores records."""

import contextlib
import dataclasses
import fcntl
import os
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, NamedTuple, TypeAlias

from compare.errors import UsageError
from compare.plan.duration import expected_s
from compare.records.deeds import Answer, Deed
from compare.records.measurements import Failure, Lifecycle, Record, head
from compare.records.plan import Plan, Session
from compare.records.store import (
    RunFolder,
    StoreError,
    decode_said,
    encode_answer,
    finished_sessions,
)
from compare.run.leftovers import adopt_orphans, command_line, kill, wait_for_none
from compare.run.session import CLOSE_LIMIT_S, resources_of
from engines.environment import import_path, thread_environment

_LINGER_S = 5.0
"""Helper processes (a resource tracker, a JVM) may end shortly after the session."""
_LOG_LINES, _WORDS_LINES = 15, 2
_LOCK_FOLDERS = ("/tmp", "/var/tmp")  # noqa: S108 - the name of the lock has that of the user


class BusyError(UsageError):
    """Another comparison runs on this machine."""


@contextmanager
def alone_on_this_machine() -> Iterator[None]:
    """Hold a lock while measuring: two comparisons at once would disturb each other.

    Raises:
        BusyError: another comparison runs.
    """
    with _lock(fcntl.LOCK_EX) as lock:
        lock.truncate(0)
        lock.write(str(os.getpid()))
        lock.flush()
        yield


def another_run() -> str | None:
    """A sentence about another comparison that runs on this machine; ``None`` without one."""
    try:
        with _lock(fcntl.LOCK_SH):
            return None
    except BusyError as error:
        return str(error)


def lock_path() -> Path:
    """The file that a comparison locks."""
    # Not in TMPDIR: two runs with different ones must see each other's lock.
    folders = [folder for folder in _LOCK_FOLDERS if os.access(folder, os.W_OK | os.X_OK)]
    folder = Path(folders[0] if folders else tempfile.gettempdir())
    return folder / f"engine-compare-{os.getuid()}.lock"


@contextmanager
def _lock(kind: int) -> Iterator[IO[str]]:
    with lock_path().open("a+") as lock:
        try:
            fcntl.flock(lock, kind | fcntl.LOCK_NB)
        except BlockingIOError as error:
            lock.seek(0)
            raise BusyError(
                f"another comparison runs on this machine (pid {lock.read().strip()}) and both "
                "would disturb each other; wait until it has ended"
            ) from error
        yield lock


def remaining(plan: Plan, records: Iterable[Record]) -> list[Session]:
    """The sessions still to run."""
    finished = finished_sessions(records)
    return [session for session in plan.sessions if session.id not in finished]


def drop_interrupted(folder: RunFolder) -> None:
    """Remove the records of sessions that were interrupted; they are run again.

    Raises:
        StoreError: the folder is damaged, or cannot be written.
    """
    records = folder.read().records
    finished = finished_sessions(records)
    kept = [record for record in records if record.session in finished]
    if len(kept) < len(records) or folder.torn():
        folder.keep_only(kept)


Start: TypeAlias = Callable[
    [Plan, Session, RunFolder, IO[bytes]], tuple[subprocess.Popen[bytes], IO[bytes]]
]
"""Starts a session whose log goes to the file; returns the process and its record lines."""


def refuse(deed: Deed) -> Answer:
    """Nothing is done on the host of the runner."""
    return Answer(done_s=None, reason=f"{deed.host} is no container of this run")


class Way(NamedTuple):
    """How a session is started, and what is done for it."""

    start: Start
    cluster_start_s: float | None = None
    """Seconds until the cluster for this session was up."""
    act: Callable[[Deed], Answer] = refuse
    """Does what the session asks for."""


def run_session(
    plan: Plan, session: Session, folder: RunFolder, image_s: float, way: Way
) -> list[Record]:
    """Run one session to its end and store its records as they arrive.

    When this returns or raises, even ``KeyboardInterrupt``, none of its processes is alive.
    """
    adopt_orphans()
    # A hung engine must become a failure and not block the run; a slow machine must not fail.
    limit_s = 120 + 10 * expected_s(plan, session, image_s)
    records: list[Record] = []
    with folder.open_log(session.id) as log:
        log_path = Path(log.name)
        process, lines = way.start(plan, session, folder, log)
        timer = threading.Timer(limit_s, process.kill)
        timer.start()
        try:
            for line in lines:
                record = _decoded(line, session)
                if record is None:
                    continue
                if isinstance(record, Deed):
                    # No other line waits meanwhile: the session does, too.
                    _answer(process, way.act(record))
                    continue
                if isinstance(record, Failure) and record.case is None:
                    reason, *more = record.reason.split("\n", 1)
                    reason = "\n".join([f"{reason}; {_last_words(log_path)}", *more])
                    record = dataclasses.replace(record, reason=reason)
                if isinstance(record, Lifecycle):
                    process.wait()
                    record = dataclasses.replace(
                        record,
                        leftovers=_end_leftovers(),
                        cluster_start_s=way.cluster_start_s,
                    )
                folder.append(record)
                records.append(record)
            process.wait()
        except KeyboardInterrupt:
            _interrupt(process)
            raise
        finally:
            timer.cancel()
            lines.close()
            if process.stdin is not None:
                process.stdin.close()
            _end_leftovers()
    if session.id not in finished_sessions(records):
        records.append(failed(session, folder, _reason(process.returncode, log_path, limit_s)))
    return records


def failed(session: Session, folder: RunFolder, reason: str) -> Failure:
    """Record that a session failed as a whole."""
    failure = Failure(**head(session), case=None, reason=reason)
    folder.append(failure)
    return failure


def start_here(
    plan: Plan, session: Session, folder: RunFolder, log: IO[bytes]
) -> tuple[subprocess.Popen[bytes], IO[bytes]]:
    """Start the session on this host."""
    read_fd, write_fd = os.pipe()
    command = [sys.executable, "-m", "compare.run.session"]
    process = subprocess.Popen(
        [*command, str(folder.path), session.id, str(write_fd)],
        stdin=subprocess.PIPE,
        stdout=log,
        stderr=subprocess.STDOUT,
        env=environment(plan, session),
        pass_fds=(write_fd,),
        # Ctrl-C in the terminal reaches only the runner, which then stops the session properly.
        start_new_session=True,
    )
    os.close(write_fd)
    return process, os.fdopen(read_fd, "rb")


def environment(plan: Plan, session: Session) -> dict[str, str]:
    """The user's environment, with thread and allocator variables replaced by the plan's budget."""
    foreign = ("OMP_", "KMP_", "MKL_", "GOMP_", "MALLOC_", "OPENBLAS_NUM_THREADS")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(foreign)}
    return kept | import_path() | thread_environment(resources_of(plan, session))


def _answer(process: subprocess.Popen[bytes], answer: Answer) -> None:
    assert process.stdin is not None  # noqa: S101 - both ways of starting ask for a pipe
    with contextlib.suppress(BrokenPipeError):  # it has ended
        # Not into a buffer, which could not be emptied when the pipe is closed.
        os.write(process.stdin.fileno(), encode_answer(answer))


def _decoded(line: bytes, session: Session) -> Record | Deed | None:
    """What the session said; ``None`` for a last line that was cut off when the session was killed.

    A record that cannot be read back must not end the run: it is a failure of its session.
    """
    try:
        return decode_said(line)
    except StoreError as error:
        if not line.endswith(b"\n"):
            return None
        return Failure(**head(session), case=None, reason=f"unreadable {error}")


def _interrupt(process: subprocess.Popen[bytes]) -> None:
    """Let the session close its engine; kill the session if it does not."""
    process.send_signal(signal.SIGINT)
    try:
        process.wait(CLOSE_LIMIT_S - 2)
    except (subprocess.TimeoutExpired, KeyboardInterrupt):
        process.kill()
        process.wait()


def _end_leftovers() -> tuple[str, ...]:
    """Kill the remaining processes of the session and return their command lines."""
    left = wait_for_none(_LINGER_S)
    named = tuple(command_line(process) for process in left)
    kill(left)
    return named


def _reason(code: int, log_path: Path, limit_s: float) -> str:
    ended = (
        f"the session was killed by {signal.Signals(-code).name} (its limit is {limit_s:.0f} s)"
        if code < 0
        else f"the session ended with exit code {code}"
    )
    tail = _lines(log_path)[-_LOG_LINES:]
    return "\n".join([f"{ended}; {_last_words(log_path)}", *tail])


def _last_words(log_path: Path) -> str:
    """What a framework printed last, which is often the cause, and where the rest is."""
    lines = _lines(log_path)
    # Python's own traceback follows the framework's words and tells the reason that we have.
    end = next((n for n, line in enumerate(lines) if line.startswith("Traceback (most")), None)
    words = " ".join(line.strip() for line in lines[:end][-_WORDS_LINES:])
    log = f"its log is logs/{log_path.name}"
    return f"{log}, which says: {words}" if words else log


def _lines(log_path: Path) -> list[str]:
    text = log_path.read_text(encoding="utf-8", errors="replace")
    return [line for line in text.splitlines() if line.strip()]
