"""Fragile tasks do their work, note what they do, and fail only as they are told to."""

import os
import resource
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from workload.interface import TaskReport
from workload.kernels import fragile
from workload.kernels.fragile import (
    EATS,
    ENDED,
    FAILING,
    KILLS,
    LOADING,
    RAISES_ONCE,
    SOUND,
    STARTED,
)
from workload.task import run_or_raise

SECONDS = 0.02


def run(path: Path, deed: str) -> int:
    task = fragile.task("fragile", (str(path), 0.0), 7, SECONDS, deed)
    return int(TaskReport(*run_or_raise(tuple(task))).output)


def noted(path: Path) -> list[tuple[str, int]]:
    return [(note.what, note.task) for note in fragile.notes(path.read_text())]


def test_a_sound_task_returns_its_number_and_notes_start_and_end(tmp_path: Path) -> None:
    path = tmp_path / "notes"
    assert [run(path, SOUND), run(path, SOUND)] == [7, 7]
    once = [(STARTED, 7), (ENDED, 7)]
    assert noted(path) == [(LOADING, fragile.NO_TASK), *once, *once]
    notes = fragile.notes(path.read_text())
    assert {(note.host, note.pid) for note in notes} == {(socket.gethostname(), os.getpid())}
    assert notes[2].at_s - notes[1].at_s == pytest.approx(SECONDS, abs=0.1)


def test_a_task_that_raises_once_is_right_the_second_time(tmp_path: Path) -> None:
    path = tmp_path / "notes"
    with pytest.raises(fragile.InjectedError, match="task 7 raised"):
        run(path, RAISES_ONCE)
    assert run(path, RAISES_ONCE) == 7
    assert noted(path)[1:] == [(STARTED, 7), (FAILING, 7), (STARTED, 7), (ENDED, 7)]


def test_a_task_that_eats_runs_out_of_memory_every_time_and_leaves_the_limit_as_it_was(
    tmp_path: Path,
) -> None:
    path, before = tmp_path / "notes", resource.getrlimit(resource.RLIMIT_AS)
    for _ in range(2):
        with pytest.raises(MemoryError):
            run(path, EATS)
    assert noted(path)[1:] == [(STARTED, 7), (FAILING, 7)] * 2
    assert resource.getrlimit(resource.RLIMIT_AS) == before


def test_a_task_that_kills_leaves_its_notes(tmp_path: Path) -> None:
    path = tmp_path / "notes"
    program = (
        "from workload.kernels import fragile; "
        f"fragile.load({str(path)!r}, 0.0)((7, {SECONDS}, {KILLS!r}))"
    )
    done = subprocess.run([sys.executable, "-c", program], check=False)
    assert done.returncode == -signal.SIGKILL
    assert noted(path) == [(LOADING, fragile.NO_TASK), (STARTED, 7), (FAILING, 7)]


def test_loading_takes_as_long_as_asked_and_happens_once(tmp_path: Path) -> None:
    settings = (str(tmp_path / "notes"), 0.1)
    task = tuple(fragile.task("fragile", settings, 1, 0.0, SOUND))
    first, second = (TaskReport(*run_or_raise(task)) for _ in range(2))
    assert first.set_up_s >= 0.1
    assert second.set_up_s == 0.0
