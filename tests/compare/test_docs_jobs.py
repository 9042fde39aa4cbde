"""The jobs of docs/your-own-job.md, as the page prints them, on every engine."""

import json
import re
import runpy
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import ThreadingHTTPServer
from pathlib import Path

import pytest

from tests.compare.command_line import REPOSITORY, compare

ENGINES = ("ceiling", "serial", "multiprocessing", "ray", "dask", "spark")
JOBS = REPOSITORY / "docs" / "jobs"
PAGE = (REPOSITORY / "docs" / "your-own-job.md").read_text()
_ANSWER_S = 0.2
"""Until the service of one of the jobs answers."""
NAMES = sorted(path.stem for path in JOBS.glob("*.py"))


def test_the_page_prints_every_job_as_it_is() -> None:
    printed = dict(re.findall(r"<!-- job:(\w+) -->\n```python\n(.*?)```", PAGE, re.DOTALL))
    assert printed == {name: (JOBS / f"{name}.py").read_text() for name in NAMES}


@contextmanager
def slow_service() -> Iterator[None]:
    """The service that one of the jobs calls, in threads of this process."""
    job = runpy.run_path(str(JOBS / "call_service.py"))
    with ThreadingHTTPServer(job["ADDRESS"], job["Service"]) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield
        finally:
            server.shutdown()


@pytest.mark.compares
@pytest.mark.parametrize("name", NAMES)
def test_every_engine_runs_the_job_and_gives_the_outputs_of_serial(
    name: str, tmp_path: Path
) -> None:
    asked = ("--engines", "ray,dask,spark", "--preset", "quick", "--blocks", 1)
    with slow_service():
        done = compare("--job", JOBS / f"{name}.py", *asked, "--out", tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    rows = json.loads((tmp_path / "summary.json").read_text())["rows"]
    speeds = {
        row["engine"]: row["value"] or row["verdict"]
        for row in rows
        if (row["experiment"], row["metric"]) == ("job", "throughput")
    }
    assert speeds.keys() == set(ENGINES)
    refused = {engine for engine, speed in speeds.items() if not isinstance(speed, float)}
    if name == "call_service":
        # Ten waiting tasks share a core where an engine knows shares: more than two at once.
        assert speeds["multiprocessing"] <= 2 / _ANSWER_S < speeds["ray"]
        refused.discard("spark")
    assert refused == set(), speeds
