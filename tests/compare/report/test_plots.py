import re
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from compare.formatting import seconds, value_of
from compare.records.measurements import Run
from compare.records.plan import CEILING
from compare.records.store import RunFolder
from compare.report import plots
from compare.report.plot_style import look_of
from tests.compare import fakes
from tests.compare.analysed import markdown, rows, write_plots

FIRST = ["first.svg", "first_on_hosts.svg"]
OVERHEAD = ["overhead.svg", "efficiency.svg", *FIRST]
STARTUP = "startup.svg"
ALL = ["throughput.svg", "lanes.svg", *OVERHEAD, "fractional.svg", STARTUP]
PICTURES = [*ALL[:-1], "timeline.svg", STARTUP]


def written(run: Run, folder: Path) -> list[Path]:
    return list(write_plots(run, folder))


def test_every_plot_is_an_svg(tmp_path: Path) -> None:
    paths = written(fakes.run(), tmp_path / "plots")
    assert [path.name for path in paths] == ALL
    for path in paths:
        assert ET.parse(path).getroot().tag.endswith("svg")  # noqa: S314 - our own file


def test_no_two_of_thirty_engines_look_alike() -> None:
    engines = [f"engine-{number}" for number in range(30)]
    assert len({look_of(engines, engine) for engine in (*engines, CEILING)}) == 31


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> list[Figure]:
    """The pictures of the published run of most experiments, drawn."""
    figures: list[Figure] = []

    class Drawn:
        def __init__(self, figure: Figure) -> None:
            figures.append(figure)

        def print_svg(self, *_: object, **__: object) -> None:
            FigureCanvasAgg(figures[-1]).draw()

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(plots, "FigureCanvasSVG", Drawn)
        write_plots(RunFolder(Path("docs/example/all")).read(), tmp_path_factory.mktemp("drawn"))
    assert len(figures) == 11
    return figures


def test_no_label_of_a_published_picture_is_longer_than_the_picture(
    published: list[Figure],
) -> None:
    for figure in published:
        for axes in figure.axes:
            for label in (axes.xaxis.label, axes.yaxis.label):
                if not label.get_text():
                    continue
                drawn = label.get_window_extent()
                assert drawn.x0 >= 0, label.get_text()
                assert drawn.y0 >= 0, label.get_text()
                assert drawn.x1 <= figure.bbox.x1, label.get_text()
                assert drawn.y1 <= figure.bbox.y1, label.get_text()


def test_no_axis_of_a_published_picture_counts_in_powers(published: list[Figure]) -> None:
    for figure in published:
        for axes in figure.axes:
            labels = [*axes.get_xticklabels(), *axes.get_yticklabels()]
            texts = [label.get_text() for label in labels]
            assert [text for text in texts if "^" in text or "e+" in text] == []


def test_the_same_records_give_the_same_bytes(tmp_path: Path) -> None:
    first = written(fakes.run(), tmp_path / "a")
    second = written(fakes.run(), tmp_path / "b")
    assert [path.read_bytes() for path in first] == [path.read_bytes() for path in second]


@pytest.mark.parametrize(
    ("run", "names"),
    [
        (fakes.interrupted(fakes.run(), 0), []),
        (fakes.run(fakes.plan(experiments=("overhead",))), [*OVERHEAD, STARTUP]),
        (fakes.run(fakes.plan(blocks=1)), ALL),
        (fakes.run(fakes.plan(experiments=("timeline",))), ["timeline.svg", STARTUP]),
        (fakes.interrupted(fakes.run(fakes.plan(experiments=("timeline",))), 0), []),
        (fakes.failed(fakes.run(fakes.plan(blocks=1)), "1-ceiling", "killed"), ALL),
    ],
    ids=["nothing", "overhead alone", "one block", "timeline alone", "no timeline", "no ceiling"],
)
def test_what_was_not_measured_is_not_drawn(run: Run, names: list[str], tmp_path: Path) -> None:
    assert [path.name for path in written(run, tmp_path)] == names
    assert [name for name in PICTURES if f"](plots/{name})" in markdown(run)] == names


def test_an_engine_nobody_has_heard_of_is_drawn(tmp_path: Path) -> None:
    plan = fakes.plan(engines=("serial", *(f"engine-{n}" for n in range(9))))
    assert [path.name for path in written(fakes.run(plan), tmp_path)] == [
        name for name in ALL if name != "first_on_hosts.svg"
    ]


def test_an_engine_that_cannot_wait_without_blocking_says_so_in_the_picture(tmp_path: Path) -> None:
    plan = fakes.plan(experiments=("timeline",), blocks=1, missing={"dask": "not installed"})
    run = fakes.failed(fakes.run(plan), "1-ray", "it broke")
    path, _ = written(run, tmp_path)
    labels = re.findall("<!-- (.*: .*|.*, .*) -->", path.read_text())
    assert [label for label in labels if "spark" in label] == [
        *("spark, blocking", "spark: cannot await")
    ]
    assert [label for label in labels if "serial" in label] == [
        *("serial, blocking", "serial, awaited")
    ]
    assert "dask, awaited: not run" in labels
    assert "ray, blocking: failed" in labels


def test_the_lanes_of_each_engine_are_drawn_once_although_the_ceiling_runs_twice(
    tmp_path: Path,
) -> None:
    write_plots(fakes.run(), tmp_path)
    labels = re.findall("<!-- (.*) -->", (tmp_path / "lanes.svg").read_text())
    engines = [label for label in labels if label in {"ceiling", *fakes.ENGINES}]
    assert sorted(engines) == sorted({"ceiling", *fakes.ENGINES} & set(engines))
    assert "ceiling" in engines


def test_a_bar_of_the_start_is_as_long_as_its_parts_together(tmp_path: Path) -> None:
    run = fakes.run()
    write_plots(run, tmp_path)
    labels = re.findall("<!-- (.*) -->", (tmp_path / STARTUP).read_text())
    parts = [row for row in rows(run) if (row.experiment, row.engine) == ("startup", "spark")]
    assert len(parts) == 4
    assert seconds(sum(map(value_of, parts))) in labels
