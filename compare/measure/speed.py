"""Measures how fast the fixed-work kernel runs while all cores are busy, without any engine.

    python -m compare.measure.speed

Run like this, it is one of the processes that spin together.
"""

import json
import os
import subprocess
import sys
import time
from contextlib import AbstractContextManager
from types import TracebackType
from typing import Self

from workload.kernels.spin import spin

_WINDOW_S = 0.1
_ITERATIONS = 5000
"""Less than a millisecond of work between two looks at the clock."""
_HEAD_START_S = 0.002


class BusyCores(AbstractContextManager["BusyCores"]):
    """Plain processes that spin together when they are told to, and wait in between."""

    def __init__(self, workers: int) -> None:
        """One process for each worker, but not more than there are cores."""
        self._workers = workers
        self._spinners: list[_Spinner] = []

    def __enter__(self) -> Self:
        for _ in range(min(self._workers, len(os.sched_getaffinity(0)))):
            self._spinners.append(_Spinner())
        for spinner in self._spinners:
            spinner.answer()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        for spinner in self._spinners:
            spinner.end()

    def iteration_s(self) -> float:
        """Seconds of an iteration for each worker, while all of them spin.

        CPU seconds of the spinning processes, so that neither the engine, which is open but idle,
        nor another program makes the machine look slower than it is.
        """
        start_s = time.monotonic() + _HEAD_START_S
        for spinner in self._spinners:
            spinner.tell(start_s)
        answers = [spinner.answer() for spinner in self._spinners]
        cpu_s = sum(answer["cpu_s"] for answer in answers)
        iterations = sum(answer["iterations"] for answer in answers)
        return cpu_s / iterations * self._workers / len(self._spinners)


class _Spinner:
    """A process that runs this module; it ends when its standard input ends."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "compare.measure.speed"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def tell(self, start_s: float) -> None:
        if self._process.stdin is not None:
            self._process.stdin.write(f"{start_s!r}\n")
            self._process.stdin.flush()

    def answer(self) -> dict[str, float]:
        line = "" if self._process.stdout is None else self._process.stdout.readline()
        if not line:
            raise ChildProcessError("a process that calibrates the kernel ended by itself")
        answer: dict[str, float] = json.loads(line)
        return answer

    def end(self) -> None:
        self._process.kill()
        self._process.communicate()


def _spin_when_told() -> None:
    """For each common start on standard input, print iterations and CPU seconds."""
    spin(_ITERATIONS)
    _say({})
    for line in sys.stdin:
        start_s = float(line)
        while time.monotonic() < start_s:
            pass
        iterations, cpu_before_s = 0, time.process_time()
        while time.monotonic() < start_s + _WINDOW_S:
            spin(_ITERATIONS)
            iterations += _ITERATIONS
        _say({"iterations": iterations, "cpu_s": time.process_time() - cpu_before_s})


def _say(answer: dict[str, float]) -> None:
    sys.stdout.write(json.dumps(answer) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    _spin_when_told()
