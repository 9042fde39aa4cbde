"""The user's own job: each mistake is said in a sentence, and what is right is measured."""

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.compare.command_line import compare, run_folder

GOOD = """
def inputs():
    return list(range(8))

def run(number):
    return number * number
"""
MISTAKES = {
    "raises": (
        GOOD + "\ndef run(number):\n    raise ValueError('no such number')",
        ["run(input 0) raised ValueError: no such number (my_job.py:8)"],
    ),
    "returns a lock": (
        GOOD + "\nimport threading\ndef run(number):\n    return threading.Lock()",
        ["the output of run(input 0) is a lock", "sent to another process", "load()"],
    ),
    "gives a lock": (
        GOOD + "\nimport threading\ndef inputs():\n    return [1, threading.Lock()]",
        ["input 1 is a lock", "sent to another process"],
    ),
    "mutates its input": (
        "def inputs():\n    return [[1], [2]]\ndef run(numbers):\n    numbers.append(1)",
        ["run in my_job.py changes its input 0", "change a copy"],
    ),
    "differs from call to call": (
        GOOD + "\nimport random\ndef run(number):\n    return random.random()",
        ["another output each time", "same(a, b)"],
    ),
    "has other inputs each time": (
        GOOD + "\nimport random\ndef inputs():\n    return [random.random()]",
        ["inputs() in my_job.py gives other inputs each time", "fixed seed"],
    ),
    "needs a missing package": (
        "import no_such_package\n" + GOOD,
        ["cannot be imported: ModuleNotFoundError", "(my_job.py:1)", "install the package"],
    ),
    "allocates too much": (
        GOOD + "\ndef run(number):\n    return len(bytearray(2**46))",
        ["run(input 0) raised MemoryError", "(my_job.py:8)", "more memory than"],
    ),
    "reads a relative path that is not there": (
        GOOD + "\ndef run(number):\n    return open('no-such-file').read()",
        ["FileNotFoundError", "no-such-file", "a relative path starts at", "my_job.py:8"],
    ),
    "is not a function": (
        "def inputs():\n    return [1]\nrun = 'fast'",
        ["run in my_job.py is a str, not a function"],
    ),
    "has no run": (
        "def inputs():\n    return [1]",
        ["my_job.py has no function run", "python -m compare init"],
    ),
    "takes other arguments": (
        GOOD + "\ndef load():\n    return 1",
        ["run in my_job.py must take (input, state), because the job has load()"],
    ),
    "has no inputs": (
        GOOD + "\ndef inputs():\n    return []",
        ["inputs() in my_job.py is empty"],
    ),
    "has a number as inputs": (
        GOOD + "\ndef inputs():\n    return 8",
        ["inputs() in my_job.py returned 8", "must return a list"],
    ),
    "has inputs without an end": (
        GOOD + "\nimport itertools\ndef inputs():\n    return itertools.count()",
        ["more than 100,000 inputs"],
    ),
    "is no Python": (
        "def inputs(:\n",
        ["my_job.py cannot be imported: my_job.py:1: invalid syntax"],
    ),
    "ends its process": (
        GOOD + "\nimport os\ndef run(number):\n    os._exit(3)",
        ["my_job.py did not get past run(input)", "ended with code 3"],
    ),
    "is killed": (
        GOOD + "\nimport os\ndef run(number):\n    os.kill(os.getpid(), 9)",
        ["my_job.py did not get past run(input)", "was killed", "more memory than there is"],
    ),
    "leaves": (GOOD + "\ndef run(number):\n    exit()", ["run(input 0) raised SystemExit"]),
    "cannot load": (
        GOOD + "\ndef load():\n    return {}['key']\ndef run(number, state):\n    return 1",
        ["load() raised KeyError: 'key' (my_job.py:8)"],
    ),
    "asks for two cores": (GOOD + "\ncpus = 2", ["cpus in my_job.py is 2"]),
    "disagrees with itself": (
        GOOD + "\ndef same(a, b):\n    return False",
        ["same(a, b) in my_job.py says that two outputs of the same input differ"],
    ),
}


def written(folder: Path, code: str) -> Path:
    file = folder / "my_job.py"
    file.write_text(code.lstrip())
    return file


def sentence(done: subprocess.CompletedProcess[str]) -> str:
    assert done.returncode == 2, done.stdout + done.stderr
    (line,) = done.stderr.splitlines()
    assert line.startswith("engine-compare: ")
    assert len(line) < 400
    return line


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_of_the_job_is_one_sentence_before_anything_is_measured(
    mistake: str, tmp_path: Path
) -> None:
    code, words = MISTAKES[mistake]
    done = compare("--job", written(tmp_path, code), "--out", tmp_path / "out", "--dry-run")
    told = sentence(done)
    assert [word for word in words if word not in told] == [], told


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--job", "no_such_job.py"), ["no_such_job.py", "python -m compare init"]),
        (("--job", "docs"), ["docs", "folder"]),
        (("--job", "README.md"), ["README.md", ".py"]),
        (("--job", "no_such_package.jobs:Job"), ["no_such_package", "ModuleNotFoundError"]),
        (("--experiments", "job"), ["'job' needs --job FILE", "python -m compare init"]),
    ],
)
def test_a_job_that_is_not_there_is_named(
    arguments: tuple[str, str], words: list[str], tmp_path: Path
) -> None:
    told = sentence(compare(*arguments, "--out", tmp_path / "out", "--dry-run"))
    assert [word for word in words if word not in told] == [], told


def test_an_example_is_written_once_and_can_be_planned(tmp_path: Path) -> None:
    file = tmp_path / "my_job.py"
    done = compare("init", file)
    assert done.returncode == 0, done.stderr
    assert f"python -m compare --job {file}" in done.stdout
    assert "exists and is left as it is" in sentence(compare("init", file))
    planned = compare("--job", file, "--out", tmp_path / "out", "--dry-run")
    assert planned.returncode == 0, planned.stderr
    assert "Your job word counts" in planned.stdout
    assert "200 tasks" in planned.stdout


def test_an_object_of_a_package_is_a_job(tmp_path: Path) -> None:
    (tmp_path / "jobs.py").write_text(
        "class Squares:\n"
        "    label = 'squares'\n"
        "    def inputs(self):\n        return [1, 2]\n"
        "    def run(self, number):\n        return number * number\n"
    )
    for job, environment in (
        (f"{tmp_path / 'jobs.py'}:Squares", {}),
        ("jobs:Squares", {"PYTHONPATH": str(tmp_path)}),
    ):
        asked = ("--job", job, "--out", tmp_path / "out", "--dry-run")
        done = compare(*asked, environment=environment)
        assert done.returncode == 0, done.stderr
        assert "Your job squares" in done.stdout


# From here on, jobs are measured.

ASKED = ("--engines", "serial,multiprocessing", "--preset", "quick", "--blocks", 1)


def measured(folder: Path, code: str, *flags: object) -> subprocess.CompletedProcess[str]:
    return compare("--job", written(folder, code), *ASKED, "--out", folder / "out", *flags)


def rows(folder: Path) -> dict[tuple[str, str], dict[str, Any]]:
    """By engine and metric."""
    found = json.loads((folder / "out" / "summary.json").read_text())["rows"]
    return {(row["engine"], row["metric"]): row for row in found if row["experiment"] == "job"}


@pytest.mark.compares
def test_a_job_that_prints_reads_beside_itself_and_loads_slowly_is_measured(tmp_path: Path) -> None:
    (tmp_path / "letters.txt").write_text("abc")
    (tmp_path / "helper.py").write_text("FACTOR = 2\n")
    code = """
import dataclasses, time
from helper import FACTOR
time.sleep(2.2)

@dataclasses.dataclass
class Part:
    number: int

def inputs():
    return [Part(number) for number in range(12)]

def load():
    print("loading")
    return open("letters.txt").read()

def run(part, letters):
    print("running", part)
    time.sleep(0.02)
    return Part(part.number * FACTOR), {letters}, b"x" * 150_000

def same(a, b):
    return a[0] == b[0]
"""
    done = measured(tmp_path, code)
    assert done.returncode == 0, done.stdout + done.stderr
    found = rows(tmp_path)
    for engine in ("ceiling", "serial", "multiprocessing"):
        for metric in ("throughput", "makespan", "task_length", "peak_memory"):
            assert found[engine, metric]["value"] > 0
    assert found["multiprocessing", "throughput"]["unit"] == "tasks/s"
    assert found["multiprocessing", "task_length"]["value"] == pytest.approx(0.02, rel=0.5)
    assert found["multiprocessing", "engine_efficiency"]["value"] > 0.3
    summary = (tmp_path / "out" / "summary.md").read_text()
    assert "## Your job" in summary
    assert "12 tasks of your job *my_job*" in summary
    assert "its largest output 150 kB" in summary
    assert "The import of your job takes 2." in summary
    log = (run_folder(tmp_path / "out") / "logs" / "1-serial.log").read_text()
    assert "loading" in log

    file = tmp_path / "my_job.py"
    file.write_text(file.read_text() + "\n# changed\n")
    refused = sentence(compare("--resume", run_folder(tmp_path / "out")))
    assert "my_job.py was changed after the run was planned" in refused


@pytest.mark.compares
def test_outputs_that_depend_on_the_worker_are_invalid(tmp_path: Path) -> None:
    done = measured(tmp_path, GOOD + "\nimport os\ndef run(number):\n    return os.getpid()")
    assert done.returncode == 1, done.stdout + done.stderr
    row = rows(tmp_path)["multiprocessing", "throughput"]
    assert row["value"] is None
    assert row["verdict"].startswith("INVALID: 8 of 8 outputs differ from the serial engine's")
    assert "the first is input 0" in row["verdict"]


@pytest.mark.compares
def test_an_error_that_only_workers_meet_is_told_with_the_line(tmp_path: Path) -> None:
    code = """
import multiprocessing

def inputs():
    return list(range(8))

def run(number):
    if number == 5 and multiprocessing.parent_process():
        raise RuntimeError("not here")
    return number
"""
    done = measured(tmp_path, code)
    assert done.returncode == 1, done.stdout + done.stderr
    verdict = rows(tmp_path)["multiprocessing", "throughput"]["verdict"]
    told = "1 of 8 tasks raised; the first: run raised RuntimeError: not here (my_job.py:8)"
    assert told in verdict
    summary = (tmp_path / "out" / "summary.md").read_text()
    cautions = [line for line in summary.splitlines() if line.startswith("- ")]
    assert len([line for line in cautions if "not here" in line]) == 1


@pytest.mark.compares
def test_inputs_that_differ_between_sessions_are_told(tmp_path: Path) -> None:
    done = measured(tmp_path, GOOD + "\nimport os\ndef inputs():\n    return [os.getpid()]")
    assert done.returncode == 1, done.stdout + done.stderr
    verdict = rows(tmp_path)["serial", "throughput"]["verdict"]
    assert "inputs() in my_job.py gave other inputs in this session" in verdict
