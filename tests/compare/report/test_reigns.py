"""The bars of the picture of which engine is done first are the rows of its tables."""

from itertools import pairwise

import pytest

from compare.analysis.analysis import analyse
from compare.experiments.done_first import ANY, FROM, ON_HOSTS, WORK_S
from compare.experiments.section import FirstDone
from compare.formatting import value_of
from compare.report.reigns import powers, reigns
from tests.compare import fakes


@pytest.mark.parametrize("rows_of", [ANY, ON_HOSTS])
def test_every_number_of_tasks_has_exactly_one_engine_that_is_done_first(rows_of: str) -> None:
    analysis = analyse(fakes.run())
    found = reigns(FirstDone(name="first", description="", rows_of=rows_of), analysis)
    rows = [
        row
        for row in analysis.rows
        if (row.experiment, row.metric) == (rows_of, FROM.name) and isinstance(row.value, float)
    ]
    assert [reign.row for reign in found] == sorted(
        rows, key=lambda row: (row.case[WORK_S], row.value)
    )
    for length in {reign.length for reign in found}:
        bars = [reign for reign in found if reign.length == length]
        assert value_of(bars[0].row) == 1
        assert [reign.is_last for reign in bars] == [False] * (len(bars) - 1) + [True]
        for before, after in pairwise(bars):
            assert before.until == value_of(after.row)
    assert max(powers(found)) <= max(reign.until for reign in found)


def test_a_bar_says_who_is_done_first_from_where_to_where() -> None:
    analysis = analyse(fakes.run())
    first, *_ = reigns(FirstDone(name="first", description="", rows_of=ANY), analysis)
    assert first.said.startswith(f"{first.row.engine}\ntasks of 1 ms: done first from 1 ")
    assert first.said.endswith(" on") == first.is_last
