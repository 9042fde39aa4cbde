"""Runs all tests: most of them side by side, then those that nothing may disturb.

    python -m tests                                 everything
    python -m tests tests/hosts                     everything in a folder
    python -m tests tests/engines --engines dask    pytest with these arguments
    python -m tests clusters                        everything that needs Docker and its image

A test that measures time, or holds a limit of time, has the marker ``alone``.  One that runs a
comparison, but does not care for its numbers, has the marker ``compares``: the program refuses a
second comparison on a machine, so these tests run after each other, or side by side where each part
of them can be given a lock of its own.
"""

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO, NamedTuple

from compare.run.runner import lock_path
from engines.registry import engine_names, load_engine

_PYTEST = (sys.executable, "-m", "pytest")
_ENGINES = ("tests/engines", "tests/cluster")
# Many simulations: parts of their own, so that no part takes much longer than the others.
_ESTIMATORS = ("tests/compare/observations", "tests/compare/plan")
_ANALYSES = ("tests/compare/analysis", "tests/compare/experiments")
_EVERYTHING = "tests/compare/test_run.py"
_REST = "not alone and not compares"
_NO_TESTS = 5
"""Exit code of pytest."""
_OPEN = Path(sys.prefix) / "open"
"""Where pyarrow is, which only some forms of engines need and the others load wherever it is."""
_AT_ONCE = 3
"""Parts that run side by side.  On two cores: much of the time, a part waits for processes."""
_SLOWEST = ("--durations=20", "--durations-min=10")


class _Part(NamedTuple):
    """Tests that run after each other in one process of pytest."""

    name: str
    arguments: tuple[str, ...]
    own_lock: bool = False
    """May run comparisons beside those of other parts."""
    python_path: Path | None = None
    """More packages."""


_CONTAINERS = ("--on", "containers", "-p", "no:randomly")
"""In the order of the files, because a cluster is up for all its tests."""
# The shortest part last.
_CLUSTERS = (
    _Part("the clusters of docker-compose.yml", ("tests/cluster/test_containers.py", *_CONTAINERS)),
    _Part("what engines promise, on containers", ("tests/engines/test_promises.py", *_CONTAINERS)),
    _Part(
        "clusters over ssh and for Kubernetes",
        (
            *("tests/cluster/test_ssh_clusters.py", "tests/cluster/test_kuberay_provider.py"),
            *("tests/cluster/test_dask_operator.py", *_CONTAINERS),
        ),
    ),
    _Part("faults of containers", ("tests/cluster/test_faults_of_containers.py", *_CONTAINERS)),
)


def main() -> int:
    """Run the tests; 0 when all passed."""
    asked = sys.argv[1:]
    if asked == ["clusters"]:
        return _result([(_CLUSTERS, _AT_ONCE)])
    if not all(Path(argument).exists() for argument in asked):
        return subprocess.run([*_PYTEST, *asked], check=False).returncode
    comparisons, others, alone = _parts(*asked)
    if _locks_can_be_own():
        own = [part._replace(own_lock=True) for part in comparisons]
        # About in the order of their length, so that none of them runs by itself at the end.
        return _result([([*own, *others], _AT_ONCE), (alone, 1)])
    return _result([(others, _AT_ONCE), ([*comparisons, *alone], 1)])


def _result(waves: Sequence[tuple[Sequence[_Part], int]]) -> int:
    """Run waves of parts, so many at once; 0 when all passed."""
    started_s = time.monotonic()
    codes = [code for parts, at_once in waves for code in _run(parts, at_once)]
    _say(f"the tests took {(time.monotonic() - started_s) / 60:.1f} min")
    # Some parts of the paths that were asked for may have no test.
    return max((code for code in codes if code != _NO_TESTS), key=abs, default=_NO_TESTS)


def _parts(*paths: str) -> tuple[list[_Part], list[_Part], list[_Part]]:
    """Those that run comparisons, the others, and those that run alone."""
    where = paths or ("tests",)
    alone = [_Part("tests that run alone", (*where, "-m", "alone"))]
    if paths:
        comparisons = [_Part("comparisons", (*paths, "-m", "compares"))]
        return comparisons, [_Part("tests that measure nothing", (*paths, "-m", _REST))], alone
    comparisons = [
        _Part("comparisons", (*where, f"--ignore={_EVERYTHING}", "-m", "compares")),
        _Part("comparisons of everything", (_EVERYTHING, "-m", "compares")),
    ]
    ignored = [f"--ignore={folder}" for folder in (*_ENGINES, *_ESTIMATORS, *_ANALYSES)]
    others = [
        _Part("engines", (*_ENGINES, "-m", _REST)),
        _Part("tests that measure nothing", (*where, *ignored, "-m", _REST)),
        _Part("analyses", (*_ANALYSES, "-m", _REST)),
        _Part("estimators", (*_ESTIMATORS, "-m", _REST)),
    ]
    if _OPEN.exists():
        forms = _engines_that_need("pyarrow")
        only = ("--engines", ",".join(forms), "-k", " or ".join(forms))
        arguments = (_ENGINES[0], "-m", f"{_REST} and not plain", *only)
        others.append(_Part("forms of engines that need pyarrow", arguments, python_path=_OPEN))
    return comparisons, others, alone


def _engines_that_need(module: str) -> list[str]:
    return [
        name
        for name in engine_names()
        if any(requirement.module == module for requirement in load_engine(name).requirements)
    ]


def _locks_can_be_own() -> bool:
    if shutil.which("unshare") is None:
        return False
    tried = subprocess.run(_with_own_lock(["true"]), capture_output=True, check=False)
    return tried.returncode == 0


def _with_own_lock(command: Sequence[str]) -> list[str]:
    """The command in a mount namespace where another file is the lock."""
    lock = lock_path()
    lock.touch()
    mount = f'own=$(mktemp) && mount --bind "$own" {lock} && rm "$own" && exec "$@"'
    return ["unshare", "--mount", "sh", "-c", mount, "sh", *command]


def _run(parts: Sequence[_Part], at_once: int) -> Iterator[int]:
    """Exit codes; the output of each part is printed whole, when it has ended."""
    waiting = list(parts)
    running: list[tuple[_Part, subprocess.Popen[bytes], IO[bytes]]] = []
    with tempfile.TemporaryDirectory() as folder:
        try:
            while waiting or running:
                while waiting and len(running) < at_once:
                    part = waiting.pop(0)
                    file = (Path(folder) / part.name).open("w+b")
                    running.append((part, _start(part, file), file))
                    _say(f"started: {part.name}")
                time.sleep(0.5)
                for ended in [each for each in running if each[1].poll() is not None]:
                    running.remove(ended)
                    part, process, output = ended
                    _say(f"ended: {part.name}")
                    output.seek(0)
                    sys.stdout.write(output.read().decode(errors="replace"))
                    output.close()
                    yield process.returncode
        finally:
            for _, process, _ in running:
                process.terminate()
                process.wait()


def _start(part: _Part, output: IO[bytes]) -> subprocess.Popen[bytes]:
    command = [*_PYTEST, *part.arguments, *_SLOWEST]
    if part.own_lock:
        command = _with_own_lock(command)
    environment = dict(os.environ)
    if part.python_path:
        environment["PYTHONPATH"] = str(part.python_path)
    return subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT, env=environment)


def _say(sentence: str) -> None:
    sys.stdout.write(f"\n=== {sentence}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
