"""Ctrl-C and kill -9: nothing lives on, nothing is lost, nothing is measured twice."""

import json
import signal
import time
from collections import Counter
from pathlib import Path

import pytest

from tests.compare.command_line import (
    alive,
    compare,
    family,
    run_folder,
    running_small_run,
    wait_until,
)

pytestmark = pytest.mark.compares

_OVERHEAD = ("--experiments", "overhead")
_SHORT = ("--experiments", "timeline")
_LONG = (*_OVERHEAD, "--preset", "standard")
"""Sessions of an engine that take ten seconds."""


def lines_of(out: Path) -> list[str]:
    found = list(out.glob("*/measurements.jsonl"))
    return found[0].read_text().splitlines() if found else []


def sessions_of(out: Path) -> Counter[str]:
    records = [json.loads(line) for line in lines_of(out)]
    return Counter(record["session"] for record in records if record["kind"] == "lifecycle")


def engine_at_work(out: Path, engine: str) -> bool:
    """Some session of the engine has been started."""
    return any(out.glob(f"*/logs/*-{engine}.log"))


def planned(out: Path) -> set[str]:
    plan = json.loads((run_folder(out) / "plan.json").read_text())
    return {session["id"] for session in plan["sessions"]}


def resume(out: Path) -> None:
    """Finish the run; what was on disk stays as it was and each session is there once."""
    done = compare("--resume", run_folder(out))
    assert done.returncode == 0, done.stdout + done.stderr
    assert sessions_of(out) == Counter(planned(out))
    assert "partial" not in (out / "summary.md").read_text().lower()


@pytest.mark.parametrize("engine", ["ray", "dask", "spark"])
def test_ctrl_c_stops_everything_and_keeps_what_was_measured(tmp_path: Path, engine: str) -> None:
    with running_small_run(tmp_path, "--engines", engine, *_LONG) as running:
        wait_until(lambda: engine_at_work(tmp_path, engine), 300, f"{engine} at work")
        time.sleep(4)  # in the middle of it: starting, measuring or closing
        processes = family(running.pid)
        before = lines_of(tmp_path)
        running.send_signal(signal.SIGINT)
        told, _ = running.communicate(timeout=40)
    assert running.returncode == 130, told
    assert "Traceback" not in told
    assert alive(processes) == []
    assert lines_of(tmp_path)[: len(before)] == before
    assert "partial" in (tmp_path / "summary.md").read_text().lower()


def test_kill_9_of_the_whole_run_loses_one_session_at_most(tmp_path: Path) -> None:
    with running_small_run(tmp_path, "--engines", "dask", *_SHORT) as running:
        wait_until(lambda: len(sessions_of(tmp_path)) >= 2, 300, "two sessions measured")
        processes = family(running.pid)
        for process in processes:
            process.kill()
    wait_until(lambda: not alive(processes), 30, "all processes gone")
    before = sessions_of(tmp_path)
    kept = [line for line in lines_of(tmp_path) if json.loads(line)["session"] in before]
    resume(tmp_path)
    assert lines_of(tmp_path)[: len(kept)] == kept


def test_a_session_does_not_outlive_a_killed_runner(tmp_path: Path) -> None:
    with running_small_run(tmp_path, "--engines", "ray", *_LONG) as running:
        wait_until(lambda: engine_at_work(tmp_path, "ray"), 300, "ray at work")
        time.sleep(4)
        processes = family(running.pid)
        running.kill()
    wait_until(lambda: not alive(processes), 40, "all processes gone")


def test_two_comparisons_do_not_measure_each_other(tmp_path: Path) -> None:
    with running_small_run(tmp_path / "first", *_LONG) as first:
        wait_until(lambda: engine_at_work(tmp_path / "first", "*"), 180, "first at work")
        with running_small_run(tmp_path / "second", *_OVERHEAD) as second:
            told, _ = second.communicate(timeout=180)
        assert second.returncode == 2
        assert f"pid {first.pid}" in told


def test_a_torn_last_line_is_the_end_of_a_killed_run(tmp_path: Path) -> None:
    with running_small_run(tmp_path, "--engines", "serial", *_SHORT) as running:
        told, _ = running.communicate(timeout=300)
    assert running.returncode == 0, told
    records = run_folder(tmp_path) / "measurements.jsonl"
    whole = records.read_bytes()
    records.write_bytes(whole[: -len(whole.splitlines()[-1]) // 2])
    resume(tmp_path)
