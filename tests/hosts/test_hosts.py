"""Ordinary hosts, shells and packages that must not end a run badly, each through the real command.

Every test names a situation that users have.
"""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from compare.records.store import RunFolder
from tests.compare import fakes
from tests.compare.command_line import REPOSITORY, command, compare, run_folder


@pytest.fixture(scope="module")
def run_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A measured run, of which the report can be written again."""
    folder = RunFolder(tmp_path_factory.mktemp("results") / "run")
    run = fakes.run(fakes.plan(experiments=("throughput",), blocks=1))
    folder.create(run.plan, run.environment)
    for record in run.records:
        folder.append(record)
    return folder.path


def test_a_backend_of_a_notebook_does_not_stop_the_report(run_dir: Path) -> None:
    """As in every Jupyter and Colab shell."""
    inline = {"MPLBACKEND": "module://matplotlib_inline.backend_inline"}
    done = compare("report", run_dir, environment=inline)
    assert done.returncode == 0, done.stderr
    assert (run_dir / "plots" / "throughput.svg").is_file()


@pytest.mark.parametrize(
    "locale",
    [
        {"LC_ALL": "C", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"},
        {"PYTHONIOENCODING": "ascii"},
    ],
    ids=["C", "ascii"],
)
def test_a_locale_without_utf_8_changes_no_file_and_stops_no_table(
    run_dir: Path, locale: dict[str, str]
) -> None:
    names = ("summary.md", "details.md", "summary.json")
    assert compare("report", run_dir).returncode == 0
    before = [(run_dir / name).read_bytes() for name in names]
    done = compare("report", run_dir, environment=locale)
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr
    assert [(run_dir / name).read_bytes() for name in names] == before


def _in_shell(line: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["bash", "-c", line], cwd=REPOSITORY, capture_output=True, text=True, check=False
    )


@pytest.mark.parametrize("arguments", [["report"], ["engines"], ["experiments"], ["--help"]])
def test_a_reader_that_goes_away_is_no_error(run_dir: Path, arguments: list[str]) -> None:
    """``python -m compare report RUN | head -n 1``, where ``head`` has gone before all is said."""
    where = [run_dir] if arguments == ["report"] else []
    done = _in_shell(f"{' '.join(command(*arguments, *where))} | true; exit ${{PIPESTATUS[0]}}")
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""


def test_a_full_disk_under_the_printed_lines_does_not_stop_the_report(run_dir: Path) -> None:
    """``python -m compare report RUN > /full/log``."""
    (run_dir / "summary.md").unlink(missing_ok=True)
    done = _in_shell(f"{' '.join(command('report', run_dir))} > /dev/full")
    assert done.returncode == 0
    assert done.stderr == "engine-compare: cannot print any more: No space left on device\n"
    assert (run_dir / "summary.md").is_file()
    assert _in_shell(f"{' '.join(command('report', '/no/run'))} 2> /dev/full").returncode == 2


def test_a_closed_standard_output_is_no_error(run_dir: Path) -> None:
    done = _in_shell(f"{' '.join(command('report', run_dir))} >&-")
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr


def test_a_user_without_a_home_folder_gets_a_plan(tmp_path: Path) -> None:
    """A container with ``--user 12345``, which has no entry in /etc/passwd and no HOME."""
    program = (
        "import os, sys; os.environ.pop('HOME', None); os.environ.pop('XDG_CACHE_HOME', None); "
        "import pwd; pwd.getpwuid = lambda uid: {}[uid]; "
        f"sys.argv = ['compare', '--dry-run', '--preset', 'quick', '--model', 'vit-digits', "
        f"'--out', {str(tmp_path / 'out')!r}]; "
        "from compare.__main__ import main; main()"
    )
    environment = {name: value for name, value in os.environ.items() if name != "HOME"}
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=REPOSITORY,
        env={**environment, "TMPDIR": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Run " in done.stdout


def test_an_engine_of_another_package_that_cannot_be_imported_is_a_row(tmp_path: Path) -> None:
    information = tmp_path / "broken-1.0.dist-info"
    information.mkdir()
    (information / "METADATA").write_text("Metadata-Version: 2.1\nName: broken\nVersion: 1.0\n")
    (information / "entry_points.txt").write_text(
        "[engine_compare.engines]\nbroken = no_such_module:Engine\n"
    )
    environment = {"PYTHONPATH": str(tmp_path)}
    listed = compare("engines", environment=environment)
    assert listed.returncode == 0, listed.stderr
    assert "engine 'broken' cannot be imported" in listed.stdout
    assert "no_such_module" in listed.stdout
    asked = compare("--engines", "broken", "--dry-run", environment=environment)
    assert asked.returncode == 2
    assert "no_such_module" in asked.stderr
    others = compare("--engines", "ray", "--dry-run", "--on", "ray=h:1", environment=environment)
    assert others.returncode == 0, others.stderr


def test_what_nobody_foresaw_is_one_sentence_with_the_place_of_its_details(tmp_path: Path) -> None:
    program = (
        "import sys; sys.argv = ['compare', 'engines']; "
        "from unittest import mock; from compare import engine_list; "
        "engine_list.engine_list = mock.Mock(side_effect=RuntimeError('the moon')); "
        "from compare.__main__ import main; main()"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=REPOSITORY,
        env={**os.environ, "TMPDIR": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert "unforeseen: RuntimeError: the moon" in done.stderr
    assert "--resume" in done.stderr
    assert "Traceback" not in done.stderr
    (log,) = tmp_path.glob("engine-compare-*.log")
    assert "Traceback" in log.read_text()


@pytest.mark.parametrize(
    "name",
    ["a" * 90, "with a space", "with'an'apostrophe"],
    ids=["90 characters", "space", "apostrophe"],
)
def test_an_engine_starts_whatever_the_folder_for_temporary_files_is_called(
    tmp_path: Path, name: str
) -> None:
    """As on clusters, where jobs get a folder with a long path: ray-project/ray#7724."""
    folder = tmp_path / name
    folder.mkdir()
    program = (
        "from engines.environment import private_folder\n"
        "with private_folder() as folder: print(folder)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=REPOSITORY,
        env={**os.environ, "TMPDIR": str(folder)},
        capture_output=True,
        text=True,
        check=True,
    )
    used = done.stdout.strip()
    assert len(used) <= 42
    assert not set(used) & set(" '")


@pytest.mark.parametrize("width", ["0", "3", "wide", ""])
def test_a_terminal_without_columns_gets_tables_that_can_be_read(width: str) -> None:
    # https://github.com/cylc/cylc-flow/pull/3989
    # https://github.com/python/mypy/pull/9651
    done = compare("engines", environment={"COLUMNS": width})
    assert done.returncode == 0, done.stderr
    assert any("multiprocessing" in line for line in done.stdout.splitlines())


@pytest.mark.compares
@pytest.mark.timeout(360)
def test_docstrings_that_were_stripped_a_library_that_is_gone_and_ignored_children_spoil_no_run(
    tmp_path: Path,
) -> None:
    # https://github.com/pytorch/pytorch/issues/68920
    # https://github.com/huggingface/transformers/issues/36045
    # https://github.com/fluent/fluentd/issues/621
    # https://github.com/baskerville/bspwm/pull/1534
    start = "import os, signal, sys; signal.signal(signal.SIGCHLD, signal.SIG_IGN)"
    small = ("--model", "vit-digits", "--preset", "quick", "--blocks", "1", "--n-images", "8")
    asked = ("--engines", "multiprocessing", "--experiments", "throughput")
    done = subprocess.run(
        [
            *(sys.executable, "-c", f"{start}; os.execvp(sys.argv[1], sys.argv[1:])"),
            *command(*small, *asked, "--out", tmp_path),
        ],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
        env={**os.environ, "PYTHONOPTIMIZE": "2", "LD_PRELOAD": "/no/libjemalloc.so"},
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "FAILED" not in done.stdout
    assert "Traceback" not in done.stderr


@pytest.mark.compares
@pytest.mark.timeout(360)
def test_a_run_under_nice_in_a_folder_of_experiments_is_valid_and_says_so(tmp_path: Path) -> None:
    """Nice as under cron, in CI agents and in Slurm: every engine runs at the same priority.  A
    folder of experiments often holds a ``random.py``, or a ``deploy``.
    """
    (tmp_path / "random.py").write_text("raise ImportError('the wrong random')\n")
    (tmp_path / "deploy").mkdir()
    (tmp_path / "deploy" / "__init__.py").write_text("raise ImportError('the wrong deploy')\n")
    program = str(Path(sys.executable).parent / "engine-compare")
    small = ("--preset", "quick", "--blocks", "1", "--engines", "ray", "--experiments", "timeline")
    done = subprocess.run(
        ["nice", "-n", "5", program, *small, "--out", "out"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"Started at niceness {os.nice(0) + 5}," in done.stdout
    assert "INVALID" not in (run_folder(tmp_path / "out") / "details.md").read_text()
