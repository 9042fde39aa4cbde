"""A flag is declared once: the command line, the plan, --resume and diff take it from there."""

import dataclasses
import os
import subprocess
import sys
from enum import Enum
from pathlib import Path
from typing import Any, get_args, get_type_hints

import pytest

from compare.analysis.diff import DifferentPlansError
from compare.commands import resume_run
from compare.errors import UsageError
from compare.options import FLAGS, Options, PresetName, compared_fields, planned_fields, spelled
from compare.plan.resolve import canonical
from compare.records.store import RunFolder
from tests.compare import fakes
from tests.compare.analysed import compare_runs
from tests.compare.command_line import compare

NAMES = tuple(field.name for field in dataclasses.fields(Options))
OTHER: dict[str, Any] = {
    "engines": "dask",
    "experiments": "payload",
    "job": "/elsewhere/job.py",
    "model": "vit-digits",
    "images": Path("/elsewhere"),
    "out": Path("elsewhere"),
    "resume": Path("elsewhere/run"),
    "control": "ray",
    "on": "compose",
    "link_rate": "100mbit",
    "precision": "3%",
}
"""Another value of the flags whose type does not tell one."""


def other(name: str, value: object) -> Any:  # noqa: ANN401 - a value of any option
    if name in OTHER:
        return OTHER[name]
    if isinstance(value, Enum):
        return next(member for member in type(value) if member is not value)
    if isinstance(value, bool):
        return not value
    return (value if isinstance(value, int) else 0) + 7


def test_every_option_has_a_flag_and_every_flag_is_in_the_help() -> None:
    assert tuple(FLAGS) == NAMES
    text = compare("--help").stdout
    for name in NAMES:
        assert spelled(name) in text


@pytest.mark.parametrize(
    ("typed", "proposed"),
    [
        ("engine-compare --engines spark,se", {"spark,serial"}),
        ("engine-compare --engines ray,dask,das", {"ray,dask,dask-actors"}),
        ("engine-compare --engines al", {"all"}),
        ("engine-compare --experiments throughput,elas", {"throughput,elasticity"}),
        ("engine-compare --config s", {"shipped"}),
        ("engine-compare hist", {"history"}),
    ],
)
def test_the_shell_completes_commands_flags_and_lists(typed: str, proposed: set[str]) -> None:
    program = Path(sys.executable).parent / "engine-compare"
    done = subprocess.run(
        [program],
        env={
            **os.environ,
            "_ENGINE_COMPARE_COMPLETE": "complete_bash",
            "COMP_WORDS": typed,
            "COMP_CWORD": str(typed.count(" ")),
        },
        capture_output=True,
        text=True,
        check=True,
    )
    assert set(done.stdout.split()) == proposed


def test_the_help_fits_80_columns_uncut_and_keeps_its_examples_apart() -> None:
    lines = compare("--help", environment={"COLUMNS": "80"}).stdout.splitlines()
    assert max(map(len, lines)) <= 80
    assert [line for line in lines if "…" in line] == []
    examples = [line.strip() for line in lines if line.strip().startswith("python -m compare ")]
    assert len(examples) >= 6
    assert "python -m compare --images photos/ --chunk 15" in examples


@pytest.mark.parametrize("name", tuple(planned_fields()))
def test_resume_refuses_another_value_of_every_planned_flag_by_name(
    name: str, tmp_path: Path
) -> None:
    plan = fakes.plan(experiments=("throughput",))
    plan = dataclasses.replace(plan, options=canonical(plan.options))
    folder = RunFolder(tmp_path / "run")
    folder.create(plan, fakes.environment())
    asked = dataclasses.replace(
        plan.options, **{name: other(name, getattr(plan.options, name)), "resume": folder.path}
    )
    with pytest.raises(UsageError) as refused:
        resume_run(folder.path, asked, {name})
    assert str(refused.value).startswith(f"{spelled(name)} ")
    assert "start a new run" in str(refused.value)


@pytest.mark.parametrize("name", tuple(compared_fields()))
def test_diff_refuses_runs_that_differ_in_any_compared_flag_by_name(name: str) -> None:
    run = fakes.run(fakes.plan(experiments=("throughput",), blocks=1))
    changed = other(name, getattr(run.plan.effective_options(), name))
    if name == "workers":
        plan = dataclasses.replace(run.plan, workers=changed)
    else:
        options = dataclasses.replace(run.plan.options, **{name: changed})
        plan = dataclasses.replace(run.plan, options=options)
    with pytest.raises(DifferentPlansError, match=spelled(name)):
        compare_runs(run, dataclasses.replace(run, plan=plan))


def test_flags_that_do_not_decide_what_is_measured_are_named_here() -> None:
    """A new flag is compared unless somebody decides otherwise."""
    assert set(NAMES) - set(planned_fields()) == {"out", "resume", "dry_run"}
    assert set(planned_fields()) - set(compared_fields()) == {
        *("images", "job", "seed", "native_trace", "blocks", "minutes", "precision"),
    }


def test_a_plan_keeps_every_option(tmp_path: Path) -> None:
    changed = {name: other(name, getattr(Options(), name)) for name in NAMES}
    types = get_type_hints(Options)
    for name, value in changed.items():
        assert isinstance(value, (*get_args(types[name]), types[name])[0]), name
    plan = dataclasses.replace(fakes.plan(), options=Options(**changed))
    folder = RunFolder(tmp_path / "run")
    folder.create(plan, fakes.environment())
    assert folder.read_plan().options == plan.options


def test_two_spellings_of_a_request_are_one() -> None:
    one = canonical(Options(engines="spark, ray", experiments="overhead,throughput"))
    same = Options(engines="ray,spark,serial", experiments="throughput , overhead", chunk=2)
    assert one == canonical(same)
    assert canonical(Options(preset=PresetName.FULL)).chunk == 15


def test_another_folder_of_images_is_refused_on_resume(tmp_path: Path) -> None:
    plan = fakes.plan(experiments=("throughput",))
    plan = dataclasses.replace(plan, options=canonical(plan.options))
    RunFolder(tmp_path / "run").create(plan, fakes.environment())
    done = compare("--resume", tmp_path / "run", "--images", tmp_path)
    assert done.returncode == 2
    assert f"--images {tmp_path} does not fit" in done.stderr
    assert "Traceback" not in done.stderr
