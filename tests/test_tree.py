"""The shape of the tree: its layers, the size of its modules, what a measured process loads."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from compare.experiments.registry import default_names, experiment_names, question_of
from tests.compare.command_line import REPOSITORY, small_run
from tools.import_map import imports, levels

MOST_LEVELS, MOST_LINES = 11, 350
REPORT_ONLY = ("scipy", "matplotlib", "jinja2", "rich", "altair", "vl_convert")
SPY = """
import json, os, sys
from contextlib import contextmanager
from pathlib import Path
from engines._stdlib.pool import ProcessEngine

class SpyEngine(ProcessEngine):
    name = "spy"

    @classmethod
    @contextmanager
    def open(cls, resources):
        with super().open(resources) as engine:
            yield engine
        loaded = sorted({name.partition(".")[0] for name in sys.modules})
        Path(os.environ["SPY_FILE"]).write_text(json.dumps(loaded))
"""


def test_imports_have_no_circle_and_few_levels() -> None:
    assert len(levels(imports(modules=False))) <= MOST_LEVELS
    levels(imports(modules=True))  # raises where modules import each other in a circle


def test_no_module_is_too_long_to_read_in_one_sitting() -> None:
    files = subprocess.run(
        ["git", "ls-files", "*.py"], cwd=REPOSITORY, capture_output=True, text=True, check=True
    ).stdout.split()
    assert files
    long = {
        name: count
        for name in files
        if (count := len((REPOSITORY / name).read_text().splitlines())) > MOST_LINES
    }
    assert long == {}


def test_one_module_alone_reads_the_clock_for_what_is_reported() -> None:
    """Others read it to wait, to estimate, or to say how much time is left."""
    others = {"run/time_left.py", "run/leftovers.py", "plan/duration.py", "execution.py"}
    readers = {
        str(path.relative_to(REPOSITORY / "compare"))
        for path in (REPOSITORY / "compare").rglob("*.py")
        if re.search(r"\b(monotonic|perf_counter|process_time)\b", path.read_text())
    }
    assert readers - others == {"measure/clock.py"}
    text = (REPOSITORY / "compare/measure/clock.py").read_text()
    assert len(text.splitlines()) <= 80


@pytest.mark.compares
def test_a_measured_process_loads_nothing_that_only_the_report_needs(tmp_path: Path) -> None:
    (tmp_path / "spy_engine.py").write_text(SPY)
    information = tmp_path / "spy-1.0.dist-info"
    information.mkdir()
    (information / "METADATA").write_text("Metadata-Version: 2.1\nName: spy\nVersion: 1.0\n")
    (information / "entry_points.txt").write_text(
        "[engine_compare.engines]\nspy = spy_engine:SpyEngine\n"
    )
    done = small_run(
        tmp_path / "out",
        *("--engines", "spy", "--experiments", "overhead"),
        environment={"PYTHONPATH": str(tmp_path), "SPY_FILE": str(tmp_path / "loaded.json")},
    )
    assert done.returncode == 0, done.stdout + done.stderr
    loaded = json.loads((tmp_path / "loaded.json").read_text())
    assert "pydantic" in loaded
    assert [name for name in REPORT_ONLY if name in loaded] == []


def test_help_loads_neither_torch_nor_a_framework() -> None:
    program = (
        "import sys; from compare.cli import app; "
        "print(*{name.partition('.')[0] for name in sys.modules})"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=REPOSITORY, capture_output=True, text=True, check=True
    )
    heavy = {"torch", "ray", "dask", "distributed", "pyspark", "numpy", *REPORT_ONLY} - {"rich"}
    assert heavy & set(done.stdout.split()) == set()


def test_the_names_of_experiments_stand_in_their_own_files_alone() -> None:
    """Except in the registry: whoever else needs one takes it from the experiment."""
    names = "|".join(experiment_names())
    for path in (REPOSITORY / "compare").rglob("*.py"):
        # A subject of cautions is called like an experiment.
        inside = path.parent.name in ("experiments", "cautions")
        found = re.findall(rf'"({names})"', path.read_text())
        assert inside or not found, (path, found)


def test_the_readme_lists_every_experiment_with_its_question() -> None:
    text = (REPOSITORY / "README.md").read_text()
    table = [
        f"| `{name}`{' *' if name in default_names() else ''} | {question_of(name)} |"
        for name in experiment_names()
    ]
    assert "\n".join(table) in text
