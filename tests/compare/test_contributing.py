"""CONTRIBUTING.md is true: its examples are followed word for word, and its table fits the tree."""

import json
import re
from dataclasses import replace
from pathlib import Path

import pytest

from compare.analysis import cautions
from tests.compare import fakes
from tests.compare.analysed import markdown
from tests.compare.command_line import REPOSITORY, compare, run_folder, small_run

measuring = pytest.mark.compares
"""The test runs a comparison, itself or in its fixture."""

PAGE = (REPOSITORY / "CONTRIBUTING.md").read_text()


def example(name: str) -> str:
    """The code of the example with that name."""
    (code,) = re.findall(rf"```python {name}\n(.*?)```", PAGE, re.DOTALL)
    return str(code)


def package(folder: Path, name: str, group: str) -> dict[str, str]:
    """What ``pip install`` of the page's package puts on the path; the variables that find it."""
    ((entry, path),) = re.findall(
        rf'entry-points\."{re.escape(group)}"\]\n\s*(\w+) = "(.+?)"', PAGE
    )
    (folder / f"{path.partition(':')[0]}.py").write_text(example(name))
    information = folder / f"{entry}-1.0.dist-info"
    information.mkdir()
    (information / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {entry}\nVersion: 1.0\n")
    (information / "entry_points.txt").write_text(f"[{group}]\n{entry} = {path}\n")
    return {"PYTHONPATH": str(folder)}


@measuring
def test_an_engine_of_another_package_is_listed_and_compared(tmp_path: Path) -> None:
    environment = package(tmp_path, "engine", "engine_compare.engines")
    listed = compare("engines", environment=environment)
    assert listed.returncode == 0, listed.stderr
    assert "a pool of threads in one process" in listed.stdout

    done = compare(
        *("--engines", "threads", "--experiments", "overhead,fractional", "--preset", "quick"),
        *("--blocks", 1, "--out", tmp_path / "out"),
        environment=environment,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    rows = json.loads((tmp_path / "out" / "summary.json").read_text())["rows"]
    of_engine = {row["metric"]: row for row in rows if row["engine"] == "threads"}
    assert of_engine["noop_throughput"]["value"] > 0
    assert of_engine["admitted"]["value"] is None


@pytest.fixture(scope="module")
def own_experiment(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, str]]:
    """The results of an experiment of another package, and the variables that find it."""
    folder = tmp_path_factory.mktemp("burst")
    environment = package(folder, "experiment", "engine_compare.experiments")
    asked = ("--engines", "dask", "--experiments", "burst", "--blocks", 2)
    done = small_run(folder / "out", *asked, environment=environment)
    assert done.returncode == 0, done.stdout + done.stderr
    return folder / "out", environment


@measuring
def test_an_experiment_of_another_package_is_listed_with_its_question(
    own_experiment: tuple[Path, dict[str, str]],
) -> None:
    listed = compare("experiments", environment=own_experiment[1])
    assert listed.returncode == 0, listed.stderr
    assert re.search(r"burst +how long a burst of short tasks takes", listed.stdout)
    assert "burst" in compare("--help", environment=own_experiment[1]).stdout
    assert "burst" not in compare("experiments").stdout


@measuring
def test_an_experiment_of_another_package_has_rows_a_section_and_a_picture(
    own_experiment: tuple[Path, dict[str, str]],
) -> None:
    out, _ = own_experiment
    rows = json.loads((out / "summary.json").read_text())["rows"]
    values = {
        (row["engine"], row["case"]["tasks"]): row["value"]
        for row in rows
        if row["experiment"] == "burst"
    }
    engines = ("ceiling", "serial", "multiprocessing", "dask")
    assert values.keys() == {(engine, tasks) for engine in engines for tasks in (4, 16)}
    assert all(value > 0 for value in values.values())
    text = (out / "summary.md").read_text()
    assert "\n## Bursts\n" in text
    assert "| dask | 16 |" in text
    assert "/plots/burst.svg)" in text
    assert (run_folder(out) / "plots" / "burst.svg").is_file()


@measuring
def test_an_experiment_of_another_package_is_compared_between_runs(
    own_experiment: tuple[Path, dict[str, str]],
) -> None:
    out, environment = own_experiment
    folder = run_folder(out)
    same = compare("diff", folder, folder, environment=environment)
    assert same.returncode == 0, same.stdout + same.stderr
    # Other tests run at the same time: the numbers themselves say nothing.
    quick, slow = (_with_bursts(folder, out.parent / f"{s:g}", s) for s in (1.0, 10.0))
    found = compare("diff", quick, slow, environment=environment)
    assert found.returncode == 1, found.stdout + found.stderr
    assert "burst_makespan, tasks 16" in found.stdout


def _with_bursts(run: Path, copy: Path, dask_s: float) -> Path:
    """A copy of the run, in which bursts took a second, and on Dask so long."""
    copy.mkdir()
    for name in ("plan.json", "environment.json"):
        (copy / name).write_text((run / name).read_text())
    records = [json.loads(line) for line in (run / "measurements.jsonl").read_text().splitlines()]
    for record in records:
        if record["kind"] == "tasks" and record["case"]["experiment"] == "burst":
            # Some noise, which is another one for each case, engine and block.
            of_case = len(record["engine"]) / record["case"]["parameters"]["tasks"]
            usual_s = dask_s if record["engine"] == "dask" else 1.0
            record["makespan_s"] = usual_s * (1 + 0.001 * record["block"] * of_case)
    lines = [json.dumps(record) + "\n" for record in records]
    (copy / "measurements.jsonl").write_text("".join(lines))
    return copy


@measuring
def test_without_its_package_a_run_of_another_experiment_is_refused_in_a_sentence(
    own_experiment: tuple[Path, dict[str, str]],
) -> None:
    done = compare("report", run_folder(own_experiment[0]))
    assert done.returncode == 2
    assert "no experiment called 'burst'" in done.stderr
    assert "Traceback" not in done.stderr


def test_an_experiment_that_cannot_be_imported_is_listed_with_the_reason(tmp_path: Path) -> None:
    environment = package(tmp_path, "experiment", "engine_compare.experiments")
    (tmp_path / "burst_experiment.py").write_text("import nothing_of_this_name\n")
    listed = compare("experiments", environment=environment)
    assert listed.returncode == 0
    assert re.search("burst +cannot be used: .*nothing_of_this_name", listed.stdout)
    asked = compare("--experiments", "burst", "--dry-run", environment=environment)
    assert asked.returncode == 2
    assert "nothing_of_this_name" in asked.stderr
    assert "Traceback" not in asked.stderr
    others = compare("--native-trace", "--dry-run", environment=environment)
    assert others.returncode == 0, others.stderr


def test_a_caution_is_one_class_in_one_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "loaded.py").write_text(example("caution"))
    monkeypatch.setattr(cautions, "__path__", [*cautions.__path__, str(tmp_path)])
    quiet = fakes.run()
    busy = replace(quiet, environment={**quiet.environment, "load_average": 1.7})
    sentence = "The load was 1.7 on 2 cores when the run began."
    assert f"- {sentence}" in markdown(busy)
    assert "The load was" not in markdown(quiet)


def test_every_place_in_the_table_of_places_exists() -> None:
    places = re.findall(r"^\| .+? \| (.+?) \|$", PAGE, re.MULTILINE)
    assert len(places) > 20
    for path in re.findall(r"`([^`]+)`", " ".join(places)):
        pattern = re.sub("<.*?>", "*", path)
        if not pattern.startswith("python -m"):
            assert list(REPOSITORY.glob(pattern)), path


def test_every_package_and_module_of_compare_has_its_place_in_the_table() -> None:
    places = " ".join(re.findall(r"^\| .+? \| (.+?) \|$", PAGE, re.MULTILINE))
    # What only lists or only starts something has nothing to change.
    plain = {"__init__", "__main__", "cli", "errors", "engine_list", "experiment_list"}
    for path in (REPOSITORY / "compare").iterdir():
        if path.stem not in plain and (path.suffix == ".py" or (path / "__init__.py").is_file()):
            assert f"compare/{path.name}" in places, path
