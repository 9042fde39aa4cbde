"""The page on how to add an engine is true: its own text is followed, word for word."""

import json
import re
from pathlib import Path

import pytest

from tests.compare.command_line import REPOSITORY, compare


@pytest.fixture
def package(tmp_path: Path) -> Path:
    """A folder with what ``pip install`` of the page's package would put on the path."""
    page = (REPOSITORY / "CONTRIBUTING.md").read_text()
    (code,) = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    (entry,) = re.findall(r'entry-points\."(.+?)"\]\n\s*(\w+) = "(.+?)"', page)
    group, name, path = entry
    (tmp_path / f"{path.partition(':')[0]}.py").write_text(code)
    information = tmp_path / "threads_engine-1.0.dist-info"
    information.mkdir()
    (information / "METADATA").write_text("Metadata-Version: 2.1\nName: threads\nVersion: 1.0\n")
    (information / "entry_points.txt").write_text(f"[{group}]\n{name} = {path}\n")
    return tmp_path


def test_an_engine_of_another_package_is_listed_and_compared(package: Path) -> None:
    environment = {"PYTHONPATH": str(package)}
    listed = compare("engines", environment=environment)
    assert listed.returncode == 0, listed.stderr
    assert "a pool of threads in one process" in listed.stdout

    done = compare(
        *("--engines", "threads", "--experiments", "overhead,fractional", "--preset", "quick"),
        *("--out", package / "out"),
        environment=environment,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    rows = json.loads((package / "out" / "summary.json").read_text())["rows"]
    told = {row["metric"]: row for row in rows if row["engine"] == "threads"}
    assert told["noop_throughput"]["value"] > 0
    assert told["admitted"]["value"] is None
