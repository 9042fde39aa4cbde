"""The display of a run in a terminal."""

import io
import threading

import pytest
from rich.cells import cell_len
from rich.console import Console
from rich.live import Live

from compare import console
from compare.analysis.analysis import analyse
from tests.compare import fakes

RUN = fakes.run(fakes.plan(experiments=("throughput", "overhead"), blocks=3))
WIDTH = 80


@pytest.fixture
def screen(monkeypatch: pytest.MonkeyPatch) -> Console:
    """A terminal of 80 columns."""
    terminal = Console(
        file=io.StringIO(), force_terminal=True, width=WIDTH, color_system=None, highlight=False
    )
    monkeypatch.setattr(console, "console", terminal)
    return terminal


def drawn(screen: Console) -> str:
    assert isinstance(screen.file, io.StringIO)
    text = screen.file.getvalue()
    screen.file.seek(0)
    screen.file.truncate()
    return text


def test_the_state_of_a_run_fits_80_columns_and_has_the_results_with_their_intervals(
    screen: Console,
) -> None:
    session = next(one for one in RUN.plan.sessions if one.block == 2 and one.engine == "ray")
    with Live(console=screen, auto_refresh=False, transient=True) as running:
        display = console.Display(running)
        display.print_start(RUN.plan, session, 125.0)
        before = drawn(screen)
        display.print_so_far(lambda: analyse(RUN))
        assert drawn(screen) == ""
        display.print_start(RUN.plan, session, 125.0)
        after = drawn(screen)
    done, planned = session.position, len(RUN.plan.sessions)
    assert f"{done} of {planned} sessions, about 2 min left" in before
    assert f"[{done + 1}/{planned}] block 2, ray: throughput, overhead" in before
    assert "images/s" not in before
    for wanted in ("images/s", "multiprocessing", "METG50", "spark", "95% intervals"):
        assert wanted in after
    assert all(cell_len(line) <= WIDTH for line in after.splitlines())


def test_the_main_results_of_a_session_scroll_by_above_the_state(screen: Console) -> None:
    session = next(one for one in RUN.plan.sessions if one.engine == "ray")
    records = [record for record in RUN.records if record.session == session.id]
    with Live(console=screen, auto_refresh=False, transient=True) as running:
        console.Display(running).print_outcome(session, records)
    assert f"block {session.block}, ray: " in drawn(screen)


def test_nothing_is_drawn_while_a_session_is_measured(
    screen: Console, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdout.isatty", lambda: True, raising=False)
    threads = threading.active_count()
    with console.shown() as progress:
        assert isinstance(progress, console.Display)
        progress.print_start(RUN.plan, RUN.plan.sessions[0], 60.0)
        assert threading.active_count() == threads, "a thread would refresh it"
    assert "0 of " in drawn(screen)


def test_a_log_gets_a_line_before_and_after_each_session(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with console.shown() as progress:
        assert isinstance(progress, console.Lines)
        progress.print_so_far(lambda: pytest.fail("nobody reads the results so far"))
    assert capsys.readouterr().out == ""
