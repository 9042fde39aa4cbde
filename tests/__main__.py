"""Runs all tests: those that measure nothing side by side, then the others alone.

    python -m tests                                 everything
    python -m tests tests/engines --engines dask    pytest with these arguments

A test that measures time, holds a limit of time, or runs a comparison has the marker ``alone``:
the program refuses a second comparison on a machine.
"""

import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import IO, NamedTuple

_PYTEST = (sys.executable, "-m", "pytest")
_ENGINES = ("tests/engines", "tests/cluster")
_SIDE_BY_SIDE = {
    "engines": (*_ENGINES, "-m", "not alone"),
    "everything else that measures nothing": (
        *("tests", *(f"--ignore={folder}" for folder in _ENGINES)),
        *("-m", "not alone"),
    ),
}
_ALONE = ("tests", "-m", "alone")
_SLOWEST = ("--durations=20", "--durations-min=10")


class _Part(NamedTuple):
    name: str
    process: subprocess.Popen[bytes]
    output: IO[bytes]


def main() -> int:
    """Run the tests; 0 when all passed."""
    if sys.argv[1:]:
        return subprocess.run([*_PYTEST, *sys.argv[1:]], check=False).returncode
    started_s = time.monotonic()
    codes = _run_side_by_side()
    _say("tests that run alone")
    codes.append(subprocess.run([*_PYTEST, *_ALONE, *_SLOWEST], check=False).returncode)
    _say(f"all tests took {(time.monotonic() - started_s) / 60:.1f} min")
    return max(codes, key=abs)


def _run_side_by_side() -> list[int]:
    """Exit codes; the output of each part is printed whole, when it has ended."""
    with tempfile.TemporaryDirectory() as folder:
        parts = [_start(name, Path(folder)) for name in _SIDE_BY_SIDE]
        _say(f"side by side: {' and '.join(part.name for part in parts)}")
        try:
            while any(part.process.poll() is None for part in parts):
                time.sleep(0.5)
        finally:
            for part in parts:
                part.process.terminate()
                part.process.wait()
        for part in parts:
            part.output.seek(0)
            _say(part.name)
            sys.stdout.write(part.output.read().decode(errors="replace"))
            part.output.close()
        return [part.process.returncode for part in parts]


def _start(name: str, folder: Path) -> _Part:
    output = (folder / name).open("w+b")
    process = subprocess.Popen(
        [*_PYTEST, *_SIDE_BY_SIDE[name], *_SLOWEST], stdout=output, stderr=subprocess.STDOUT
    )
    return _Part(name, process, output)


def _say(sentence: str) -> None:
    sys.stdout.write(f"\n=== {sentence}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
