"""The page in a real browser: quiet, quick, readable for all, and with the numbers of the run."""

import json
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, sync_playwright

from compare.analysis.analysis import analyse
from compare.records.store import RunFolder
from compare.report.page import report_page
from compare.report.plots import write_plots
from compare.report.summary_json import summary_json
from tests.compare import fakes
from tests.compare.analysed import EXPERIMENTS
from tests.compare.command_line import REPOSITORY
from tests.compare.test_serve import served, stored

pytestmark = [pytest.mark.alone, pytest.mark.timeout(300)]

_CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")
_SECONDS = 2.0
_LOOKS: dict[str, dict[str, Any]] = {
    "light": {"color_scheme": "light"},
    "dark": {"color_scheme": "dark"},
    "phone": {"viewport": {"width": 360, "height": 740}},
    "print": {},
}
_UNITS = {"k": 1e3, "ns": 1e-9, "µs": 1e-6, "ms": 1e-3, "s": 1.0, "min": 60.0}
_SCALES = (1.0, 100.0, 2.0**-10, 2.0**-20)
"""Of columns whose heading has the unit: %, KiB, MiB."""
_MOST_BYTES = 1.5e6
_CHARTS = {
    "throughput": ([("throughput", "throughput")], "value"),
    "efficiency": ([("overhead", "metg50"), ("overhead", "metg90")], "value"),
    "fractional": ([("fractional", "admission_accuracy")], "times"),
    "first": ([("done_first", "from_tasks")], "value"),
    "first_on_hosts": ([("done_first_on_hosts", "from_tasks")], "value"),
}
"""The metrics that a chart shows, and the field of its data that has them."""
_OF_SESSIONS = "memory"
"""Experiment of the rows that other sections show too."""
_CELL = re.compile(r"(?P<value>-?[\d.,]+)(?: (?P<unit>k|ns|µs|ms|s|min))? \([^)]*\d(–| to )[^)]*\)")


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    if _CHROMIUM is None:
        pytest.skip("there is no Chromium: apt-get install chromium")
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=_CHROMIUM)
        yield chromium
        chromium.close()


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page and the numbers of a published run, as this program writes them."""
    folder = tmp_path_factory.mktemp("published")
    analysis = analyse(RunFolder(REPOSITORY / "docs" / "example" / "all").read())
    write_plots(analysis, folder / "plots")
    (folder / "report.html").write_text(report_page(analysis, folder / "plots"))
    (folder / "summary.json").write_text(summary_json(analysis))
    return folder


@contextmanager
def opened(browser: Browser, address: str, **look: Any) -> Iterator[Page]:  # noqa: ANN401 - its own
    """The page at the address; it may ask nothing of others and write nothing to the console."""
    said: list[str] = []
    asked: list[str] = []
    with browser.new_context(**look) as context:
        page = context.new_page()
        page.on("console", lambda message: said.append(message.text))
        page.on("pageerror", lambda error: said.append(str(error)))
        page.on("request", lambda request: asked.append(request.url))
        page.goto(address)
        yield page
    assert said == []
    own = (address, "data:")
    assert [url for url in asked if not url.startswith(own)] == []


def await_charts(page: Page) -> None:
    page.wait_for_function(
        "document.querySelectorAll('figure[data-chart]:not(.drawn)').length === 0"
    )


def cells(page: Page) -> list[str]:
    return page.locator("td, th").all_text_contents()


def seconds_until_interactive(page: Page) -> float:
    milliseconds: float = page.evaluate(
        "performance.getEntriesByType('navigation')[0].domInteractive"
    )
    return milliseconds / 1000


def violations(page: Page) -> list[str]:
    """What is hard to read for somebody, with everything unfolded."""
    page.evaluate("document.querySelectorAll('details').forEach(one => one.open = true)")
    found = Axe().run(page).response["violations"]
    return [f"{one['id']}: {one['help']}: {one['nodes'][0]['html'][:200]}" for one in found]


def test_the_report_asks_nothing_of_others_and_can_be_read_at_once(
    browser: Browser, published: Path
) -> None:
    with opened(browser, (published / "report.html").as_uri()) as page:
        assert seconds_until_interactive(page) < _SECONDS
        assert page.locator("#answers-title").is_visible()
        await_charts(page)
        assert page.evaluate("performance.now()") < 1000 * _SECONDS


@pytest.mark.parametrize("look", _LOOKS)
def test_nothing_of_the_report_is_hard_to_read_for_anybody(
    browser: Browser, published: Path, look: str
) -> None:
    with opened(browser, (published / "report.html").as_uri(), **_LOOKS[look]) as page:
        await_charts(page)
        if look == "print":
            page.emulate_media(media="print")
        assert violations(page) == []
        wide = page.evaluate("document.documentElement.scrollWidth > window.innerWidth")
        assert not wide, "the page itself scrolls sideways"


def test_every_number_of_the_report_can_be_read_without_javascript(
    browser: Browser, published: Path
) -> None:
    address = (published / "report.html").as_uri()
    with opened(browser, address) as page:
        with_javascript = cells(page)
    with opened(browser, address, java_script_enabled=False) as page:
        assert cells(page) == with_javascript
    assert len(with_javascript) > 500


def test_the_report_with_its_charts_is_small_enough_to_send(published: Path) -> None:
    assert (published / "report.html").stat().st_size < _MOST_BYTES


def test_a_chart_is_on_the_screen_and_its_picture_where_no_script_runs_and_on_paper(
    browser: Browser, published: Path
) -> None:
    address = (published / "report.html").as_uri()
    with opened(browser, address) as page:
        await_charts(page)
        figures = page.locator("figure[data-chart]")
        assert figures.count() == len(_CHARTS)
        for figure in figures.all():
            assert figure.locator(".chart svg").is_visible()
            assert not figure.locator("img").is_visible()
        page.emulate_media(media="print")
        for figure in figures.all():
            assert not figure.locator(".chart").is_visible()
            assert figure.locator("img").is_visible()
    with opened(browser, address, java_script_enabled=False) as page:
        for figure in page.locator("figure").all():
            assert figure.locator("img").is_visible()


def test_the_arrow_keys_read_the_values_of_every_chart(browser: Browser, published: Path) -> None:
    with opened(browser, (published / "report.html").as_uri()) as page:
        await_charts(page)
        for name in _CHARTS:
            page.locator(f"figure[data-chart={name}] .chart").focus()
            page.keyboard.press("ArrowRight")
            first = page.locator(".tip").text_content()
            page.keyboard.press("ArrowRight")
            assert first
            assert page.locator(".tip").text_content() not in ("", first)
            page.keyboard.press("Escape")
            assert not page.locator(".tip").is_visible()


def test_the_charts_show_the_numbers_of_the_summary_for_programs(published: Path) -> None:
    rows = json.loads((published / "summary.json").read_text())["rows"]
    html = (published / "report.html").read_text()
    (text,) = re.findall(r'<script type="application/json" id="charts">(.*?)</script>', html)
    specs = json.loads(text)
    assert sorted(specs) == sorted(_CHARTS)
    for name, (metrics, field) in _CHARTS.items():
        shown = {
            (value["engine"], value[field])
            for data in specs[name]["data"]
            for value in data.get("values", ())
            if value.get(field) is not None and "engine" in value
        }
        assert shown == {
            (row["engine"], row["value"])
            for row in rows
            if (row["experiment"], row["metric"]) in metrics
            if isinstance(row["value"], float)
            if row["case"].get("phase", "warm") == "warm"
        }


def test_every_estimate_of_the_report_is_that_of_the_summary_for_programs(
    browser: Browser, published: Path
) -> None:
    rows = json.loads((published / "summary.json").read_text())["rows"]
    checked, foreign = 0, []
    with opened(browser, (published / "report.html").as_uri()) as page:
        for experiment in {row["experiment"] for row in rows}:
            lines = page.locator(f"section#{experiment} tbody tr")
            sections = EXPERIMENTS[experiment].sections if experiment in EXPERIMENTS else ()
            sources = {experiment, _OF_SESSIONS, *(section.rows_of for section in sections)}
            for line in lines.evaluate_all(
                """lines => lines.map(line => [...line.cells].map((cell, at) =>
                    [line.closest("table").tHead.rows[0].cells[at].textContent, cell.textContent]
                ))"""
            ):
                of_engine = [
                    float(row["value"])
                    for row in rows
                    if row["experiment"] in sources and row["engine"] == line[0][1]
                    if isinstance(row["value"], int | float)
                ]
                if line[1][0] == "against":  # a comparison of two engines is no row
                    continue
                for heading, cell in line[1:]:
                    found = None if heading.startswith("against ") else _CELL.fullmatch(cell)
                    if found is None:
                        continue
                    checked += 1
                    if not any(_is(found, value) for value in of_engine):
                        foreign.append((experiment, line[0][1], heading, cell))
    assert checked > 100
    assert foreign == []


def _is(cell: re.Match[str], value: float) -> bool:
    """The cell is the value, rounded to the digits that it has."""
    digits = cell["value"].replace(",", "")
    whole, _, decimals = digits.partition(".")
    last = 10.0 ** (-len(decimals) if decimals else max(0, len(whole) - 3))
    factor = _UNITS.get(cell["unit"], 1.0)
    return any(
        abs(float(digits) * factor - value * scale) <= 0.5001 * last * factor for scale in _SCALES
    )


@pytest.mark.parametrize("sessions", [2, None], ids=["while it is measured", "finished"])
def test_the_served_page_asks_nothing_of_others_and_is_hard_to_read_for_nobody(
    browser: Browser, tmp_path: Path, sessions: int | None
) -> None:
    stored(fakes.run(), tmp_path / "run", sessions=sessions)
    with served(tmp_path / "run") as port, opened(browser, f"http://127.0.0.1:{port}/") as page:
        assert seconds_until_interactive(page) < _SECONDS
        await_charts(page)
        assert (page.locator(".chart svg").count() > 0) == (sessions is None)
        assert violations(page) == []


def test_the_served_page_becomes_the_report_when_the_run_has_ended(
    browser: Browser, tmp_path: Path
) -> None:
    run = fakes.run()
    folder = stored(run, tmp_path / "run", sessions=2)
    begun = {session.id for session in run.plan.sessions[:2]}
    with served(tmp_path / "run") as port, opened(browser, f"http://127.0.0.1:{port}/") as page:
        page.get_by_text(f"2 of {len(run.plan.sessions)} sessions").first.wait_for()
        for record in run.records:
            if record.session not in begun:
                folder.append(record)
        page.locator("#answers-title").wait_for(timeout=30_000)
