"""The page of a run, served to this machine: progress while it is measured, then the report."""

import http.client
import json
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import IO, NamedTuple

import pytest

from compare.records.measurements import Run
from compare.records.store import RunFolder
from tests.compare import fakes

_LIMIT_S = 300
"""Beside other tests, a server on a busy machine needs a while for a report."""


@contextmanager
def served(run_dir: Path, errors: IO[str] | None = None) -> Iterator[int]:
    """The real command on a port of its choice."""
    command = [sys.executable, "-m", "compare", "serve", str(run_dir), "--port", "0"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=errors, text=True)
    try:
        assert process.stdout is not None
        found = re.search(r"http://127\.0\.0\.1:(\d+)", process.stdout.readline())
        assert found is not None
        yield int(found[1])
    finally:
        process.send_signal(signal.SIGINT)  # Ctrl-C
        process.wait(_LIMIT_S)
        if process.stdout is not None:
            process.stdout.close()


class Answer(NamedTuple):
    status: int
    policy: str
    text: str


def ask(port: int, path: str, *, method: str = "GET", host: str = "127.0.0.1") -> Answer:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=_LIMIT_S)
    with closing(connection):
        connection.request(method, path, headers={"Host": host})
        answer = connection.getresponse()
        policy = answer.getheader("Content-Security-Policy") or ""
        return Answer(answer.status, policy, answer.read().decode())


@contextmanager
def events(port: int) -> Iterator[Iterator[dict[str, object]]]:
    """The server-sent events of the run, as they arrive."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=_LIMIT_S)
    with closing(connection):
        connection.request("GET", "/events")
        with connection.getresponse() as answer:
            lines = iter(answer.readline, b"")
            yield (json.loads(line[5:]) for line in lines if line.startswith(b"data:"))


def stored(run: Run, folder: Path, *, sessions: int | None = None) -> RunFolder:
    """The run on disk, or its first sessions."""
    stored = RunFolder(folder)
    stored.create(run.plan, run.environment)
    names = [session.id for session in run.plan.sessions][:sessions]
    for record in run.records:
        if record.session in names:
            stored.append(record)
    return stored


@pytest.mark.timeout(_LIMIT_S)
def test_a_finished_run_is_served_as_its_report(tmp_path: Path) -> None:
    stored(fakes.run(), tmp_path / "run")
    with served(tmp_path / "run") as port:
        answer = ask(port, "/")
    assert answer.status == http.client.OK
    assert '<h2 id="answers-title">' in answer.text
    assert "default-src 'none'" in answer.policy


@pytest.mark.timeout(_LIMIT_S)
def test_a_run_that_is_measured_shows_its_progress_and_then_its_report(tmp_path: Path) -> None:
    run = fakes.run()
    folder = stored(run, tmp_path / "run", sessions=2)
    with served(tmp_path / "run") as port, events(port) as arriving:
        page = ask(port, "/").text
        first = next(arriving)
        for record in run.records:
            if record.session not in {one.id for one in run.plan.sessions[:2]}:
                folder.append(record)
        last = next(event for event in arriving if event["finished"])
    planned = len(run.plan.sessions)
    assert f"2 of {planned} sessions have ended." in page
    assert (first["done"], first["planned"], first["finished"]) == (2, planned, False)
    assert (last["done"], last["finished"]) == (planned, True)
    assert not list((tmp_path / "run").glob("*.html"))


@pytest.mark.timeout(_LIMIT_S)
def test_it_ends_without_a_word_although_a_browser_follows_it(tmp_path: Path) -> None:
    stored(fakes.run(), tmp_path / "run", sessions=2)
    with (
        (tmp_path / "errors").open("w") as errors,
        ExitStack() as browser,
        served(tmp_path / "run", errors) as port,
    ):
        next(browser.enter_context(events(port)))  # until the server has ended
    assert (tmp_path / "errors").read_text() == ""


@pytest.mark.timeout(_LIMIT_S)
def test_only_this_machine_may_read_and_nobody_may_write(tmp_path: Path) -> None:
    stored(fakes.run(), tmp_path / "run", sessions=1)
    with served(tmp_path / "run") as port:
        assert ask(port, "/", host="evil.example").status == http.client.BAD_REQUEST
        assert ask(port, "/", method="POST").status == http.client.METHOD_NOT_ALLOWED
        assert ask(port, "/plan.json").status == http.client.NOT_FOUND


@pytest.mark.timeout(_LIMIT_S)
def test_a_folder_without_a_run_is_named(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "compare", "serve", str(tmp_path)]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ended.returncode == 2
    assert str(tmp_path) in ended.stderr
    assert "Traceback" not in ended.stderr
