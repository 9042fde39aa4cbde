"""The list of engines: what each can do here, for a reader and for a script."""

import json

import pytest

from compare import engine_list
from engines.interface import Capability
from engines.registry import engine_names, forms, load_engine
from tests.compare.command_line import compare


def test_the_list_of_engines_fits_a_hundred_columns_and_names_every_capability() -> None:
    done = compare("engines", environment={"COLUMNS": "100"})
    assert done.returncode == 0, done.stderr
    assert max(map(len, done.stdout.splitlines())) <= 100
    words = " ".join(done.stdout.split())
    for capability in Capability:
        assert capability.value.split(" as ")[0].split(" that ")[0] in words
    for name in engine_names():
        assert name in words


def test_a_script_reads_the_claims_of_every_engine_as_json() -> None:
    done = compare("engines", "--json")
    assert done.returncode == 0, done.stderr
    listed = {engine["name"]: engine for engine in json.loads(done.stdout)["engines"]}
    assert tuple(listed) == engine_names()
    assert {name: one["plain"] for name, one in listed.items() if one["plain"]} == forms()
    for name in ("serial", "multiprocessing", "ray", "dask", "spark"):
        claims = {one.name.lower() for one in load_engine(name).capabilities}
        assert set(listed[name]["capabilities"]) == claims
        assert listed[name]["missing"] is None
    assert listed["ray"]["version"] is not None
    assert listed["serial"]["version"] is None


def test_an_engine_that_cannot_run_here_is_listed_with_the_way_to_get_it() -> None:
    done = compare("engines", environment={"JAVA_HOME": "/nowhere"})
    assert done.returncode == 0, done.stderr
    begin = "engine 'spark' cannot"
    (reason,) = (line for line in done.stdout.splitlines() if line.startswith(begin))
    assert "JAVA_HOME is /nowhere" in reason
    assert reason.endswith("unset it to take the one on PATH")
    as_json = compare("engines", "--json", environment={"JAVA_HOME": "/nowhere"})
    spark = next(one for one in json.loads(as_json.stdout)["engines"] if one["name"] == "spark")
    assert spark["missing"] == reason
    assert spark["version"] is not None


def test_the_list_of_engines_says_yes_exactly_where_an_engine_claims_it(
    capsys: pytest.CaptureFixture[str],
) -> None:
    listed = engine_list.Listed(
        name="one",
        summary="a loop",
        plain=None,
        version="1.0",
        missing=None,
        hindrances=(),
        capabilities=("bulk",),
    )
    engine_list.print_engines([listed])
    lines = capsys.readouterr().out.splitlines()
    marks = {
        capability: next(line for line in lines if line.strip().startswith(capability.value[:20]))
        for capability in Capability
    }
    assert {c for c, line in marks.items() if line.split()[-1] == "yes"} == {Capability.BULK}
