from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from compare.plots import write_plots
from compare.records import Run
from compare.report import summary_markdown
from compare.statistics import rows
from tests.compare import fakes

ALL = ["throughput.svg", "lanes.svg", "overhead.svg", "efficiency.svg", "fractional.svg"]


def written(run: Run, folder: Path) -> list[Path]:
    return list(write_plots(run, rows(run), folder))


def test_every_plot_is_an_svg(tmp_path: Path) -> None:
    paths = written(fakes.run(), tmp_path / "plots")
    assert [path.name for path in paths] == ALL
    for path in paths:
        assert ET.parse(path).getroot().tag.endswith("svg")  # noqa: S314 - our own file


def test_the_same_records_give_the_same_bytes(tmp_path: Path) -> None:
    first = written(fakes.run(), tmp_path / "a")
    second = written(fakes.run(), tmp_path / "b")
    assert [path.read_bytes() for path in first] == [path.read_bytes() for path in second]


@pytest.mark.parametrize(
    ("run", "names"),
    [
        (fakes.interrupted(fakes.run(), 0), []),
        (fakes.run(fakes.plan(experiments=("overhead",))), ["overhead.svg", "efficiency.svg"]),
        (fakes.run(fakes.plan(blocks=1)), ALL),
        (fakes.failed(fakes.run(fakes.plan(blocks=1)), "1-ceiling", "killed"), ALL),
    ],
    ids=["nothing", "overhead alone", "one block", "no ceiling"],
)
def test_what_was_not_measured_is_not_drawn(run: Run, names: list[str], tmp_path: Path) -> None:
    assert [path.name for path in written(run, tmp_path)] == names
    assert [name for name in ALL if f"](plots/{name})" in summary_markdown(run)] == names


def test_an_engine_nobody_has_heard_of_is_drawn(tmp_path: Path) -> None:
    plan = fakes.plan(engines=("serial", *(f"engine-{n}" for n in range(9))))
    assert [path.name for path in written(fakes.run(plan), tmp_path)] == ALL
