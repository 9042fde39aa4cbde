"""CPU time of real processes that end."""

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from compare.measure import clock, process_tree
from compare.measure.process_tree import CpuWatch, tree_cpu_s

pytestmark = pytest.mark.alone

BURNT_S = 0.5
_SEEN_S = 0.9 * BURNT_S
"""The kernel counts a process's time in whole hundredths of a second, user and system apart."""
CHILD = f"""
import sys, time
while time.process_time() < {BURNT_S}: pass
print(flush=True)
sys.stdin.read()
"""
PARENT = """
import signal, subprocess, sys
how, program = sys.argv[1:]
if how == "ignores":
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # the kernel keeps nothing of a child then
pipe = subprocess.PIPE
child = subprocess.Popen([sys.executable, "-c", program], stdin=pipe, stdout=pipe)
child.stdout.readline()
print("burnt", flush=True)
sys.stdin.readline()
child.stdin.close()
child.wait()
print("ended", flush=True)
sys.stdin.readline()
"""


@contextmanager
def parent(how: str) -> Iterator[subprocess.Popen[str]]:
    """Of a child that has used CPU time, and that ends when a line comes."""
    with subprocess.Popen(
        [sys.executable, "-c", PARENT, how, CHILD],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def told(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


def go_on(process: subprocess.Popen[str]) -> None:
    assert process.stdin is not None
    process.stdin.write("\n")
    process.stdin.flush()


@pytest.mark.timeout(60)
@pytest.mark.parametrize("how", ["waits", "ignores"])
def test_the_time_of_a_process_that_ended_is_counted_once(how: str) -> None:
    before_s = tree_cpu_s()
    with parent(how) as process:
        assert told(process) == "burnt"
        alive_s = tree_cpu_s() - before_s
        go_on(process)
        assert told(process) == "ended"
        ended_s = tree_cpu_s() - before_s
        go_on(process)
        process.wait()
        time.sleep(0.01)
        gone_s = tree_cpu_s() - before_s
    assert alive_s >= _SEEN_S
    assert alive_s <= ended_s <= gone_s < alive_s + 0.5 * BURNT_S


@pytest.mark.timeout(60)
def test_the_time_of_a_process_that_was_never_seen_is_that_of_its_parent() -> None:
    before_s = tree_cpu_s()
    burn = f"import time\nwhile time.process_time() < {BURNT_S}: pass"
    subprocess.run([sys.executable, "-c", burn], check=True)
    assert _SEEN_S <= tree_cpu_s() - before_s < 2 * BURNT_S


def ends_unseen() -> None:
    """Let a process use CPU time and end, without any reading here."""
    with parent("ignores") as process:
        assert told(process) == "burnt"
        time.sleep(1.5)
        go_on(process)
        assert told(process) == "ended"
        go_on(process)
        process.wait()


@pytest.mark.timeout(60)
def test_the_time_of_a_process_that_ends_within_a_batch_is_counted_though_nobody_waits() -> None:
    before_s = tree_cpu_s()
    with CpuWatch():
        clock.timed(ends_unseen)
    assert tree_cpu_s() - before_s >= _SEEN_S


@pytest.mark.timeout(60)
def test_nothing_is_read_while_nothing_is_timed(monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[None] = []
    monkeypatch.setattr(process_tree, "tree_cpu_s", lambda: read.append(None))
    with CpuWatch():
        for _ in range(10):
            clock.timed(lambda: time.sleep(0.1))
        time.sleep(0.6)
        assert read == []
        clock.timed(lambda: time.sleep(1.5))
        assert read != []
