"""The page of a run: one file, with every number, that asks nothing of the network."""

import base64
import hashlib
import re
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path

import pytest
from typing_extensions import override

from compare.analysis.analysis import analyse
from compare.records.measurements import Run
from compare.report.page import report_page
from compare.report.plots import write_plots
from compare.report.tables import filled_sections
from tests.compare import fakes

_VOID = ("meta", "img", "br", "link")
_MOST_BYTES = 1.5e6


class _Page(HTMLParser):
    """What the tests ask about a page."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.unclosed: list[str] = []
        self.cells: list[str] = []
        self.text = ""

    @override
    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in _VOID:
            self.open.append(tag)
        if tag in ("td", "th"):
            self.cells.append("")

    @override
    def handle_endtag(self, tag: str) -> None:
        if self.open.pop() != tag:
            self.unclosed.append(tag)

    @override
    def handle_data(self, data: str) -> None:
        self.text += data
        if self.open and self.open[-1] in ("td", "th"):
            self.cells[-1] += data

    def values_of(self, *attributes: str) -> Iterator[str]:
        for _, attrs in self.tags:
            yield from (value or "" for name, value in attrs.items() if name in attributes)


@pytest.fixture(scope="module")
def html(tmp_path_factory: pytest.TempPathFactory) -> str:
    return page_of(fakes.run(), tmp_path_factory.mktemp("plots"))


def page_of(run: Run, folder: Path) -> str:
    analysis = analyse(run)
    write_plots(analysis, folder)
    return report_page(analysis, folder)


def parsed(html: str) -> _Page:
    page = _Page()
    page.feed(html)
    page.close()
    return page


def test_the_page_has_every_cell_of_every_table(html: str) -> None:
    page = parsed(html)
    for filled in filled_sections(analyse(fakes.run()), details=True):
        for line in (filled.table.headings, *filled.table.lines):
            for cell in line:
                assert cell in page.cells


def test_the_page_is_well_formed_and_its_marks_are_unique(html: str) -> None:
    page = parsed(html)
    assert (page.open, page.unclosed) == ([], [])
    marks = list(page.values_of("id"))
    assert len(marks) == len(set(marks))
    for address in page.values_of("href", "aria-labelledby"):
        assert address.removeprefix("#") in marks


def test_the_page_asks_nothing_of_the_network_and_may_run_its_own_script_alone(html: str) -> None:
    page = parsed(html)
    (script,) = re.findall(r'<script type="module">(.*?)</script>', html, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    policy = next(attrs["content"] for tag, attrs in page.tags if "http-equiv" in attrs)
    assert policy is not None
    assert f"script-src 'sha256-{digest}';" in policy
    assert policy.startswith("default-src 'none';")
    for address in page.values_of("src", "href"):
        assert address.startswith(("data:image/svg+xml,", "#"))
    rest = html.replace(script, "")
    assert "url(" not in rest
    assert "@import" not in rest


def test_every_picture_says_what_it_shows(html: str) -> None:
    pictures = [attrs for tag, attrs in parsed(html).tags if tag == "img"]
    assert pictures
    assert all(len(attrs["alt"] or "") > len("picture") for attrs in pictures)


def test_the_page_is_small_enough_to_send(html: str) -> None:
    assert len(html.encode()) < _MOST_BYTES


@pytest.mark.parametrize(
    ("run", "charts"),
    [
        (fakes.interrupted(fakes.run(), 0), 0),
        (fakes.run(fakes.plan(blocks=1)), 5),
        (fakes.failed(fakes.run(fakes.plan(blocks=1)), "1-ceiling", "killed"), 5),
        (fakes.run(fakes.plan(engines=("serial", *(f"engine-{n}" for n in range(9))))), 4),
    ],
    ids=["nothing", "one block", "no ceiling", "many engines"],
)
def test_the_page_has_a_chart_of_whatever_was_measured(
    run: Run, charts: int, tmp_path: Path
) -> None:
    html = page_of(run, tmp_path)
    assert len(re.findall(r"<figure data-chart=", html)) == charts
    assert ("<script" in html) == (charts > 0)


def test_words_of_an_engine_cannot_become_part_of_the_page(tmp_path: Path) -> None:
    run = fakes.failed(fakes.run(), "2-spark", "the JVM has <b>ended</b>")
    html = page_of(run, tmp_path)
    assert "<b>" not in html
    assert "the JVM has <b>ended</b>" in parsed(html).text
