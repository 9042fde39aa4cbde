"""What is measured and said of code and packages that tasks import."""

import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from typing_extensions import override

from compare.experiments.environments import CODE, INSTALLED, PACKAGE, Environments
from compare.measure.bench import Bench
from compare.measure.parcels import new_copy, write_code
from compare.observations.series import Row
from compare.records.measurements import Record, Run, TaskRun
from compare.records.plan import Case, Plan
from engines._stdlib.loop import SerialEngine
from engines.errors import ShippingError
from engines.parcel import Code, Package, Parcel, zipped
from engines.parcel import Run as Runs
from tests.compare import fakes
from tests.compare.analysed import headlines, rows, summary
from tests.compare.fake_bench import PARCEL_S

RAY = fakes.FakeEngine(fixed_s=0.0, per_task_s=0.0)


class Shipping(SerialEngine):
    """Ships by searching where the parcel is; or something else of the same name."""

    def __init__(self, folder: Path, *, other: bool = False) -> None:
        super().__init__(())
        self._folder = folder
        self._other = other
        self.shipped: list[Parcel] = []

    @override
    def ship(self, parcel: Parcel) -> Runs:
        self.shipped.append(parcel)
        if isinstance(parcel, Package):
            raise ShippingError("no installer")
        archive = zipped(parcel, self._folder)
        if self._other and isinstance(parcel, Code):
            archive = self._folder / str(len(self.shipped))
            archive.mkdir()
            write_code(new_copy()._replace(name=parcel.folder.name), archive)
        sys.path.insert(0, str(archive))
        return self.run


@pytest.fixture(autouse=True)
def _same_path_after() -> Iterator[None]:
    before = list(sys.path)
    yield
    sys.path[:] = before


def plan(**changes: object) -> Plan:
    return fakes.plan(experiments=("environments",), **changes)


def measured(engine: Shipping, what: str) -> list[TaskRun]:
    of = plan()
    (session,) = (one for one in of.sessions if one.id == "1-serial-environments")
    case = Case(experiment="environments", parameters={"what": what})
    return list(Environments().measure(Bench(engine, of, session), case))


def row_of(run: Run, engine: str, metric: str, what: str) -> Row:
    (row,) = (
        row
        for row in rows(run)
        if (row.experiment, row.engine, row.metric) == ("environments", engine, metric)
        and row.case["what"] == what
    )
    return row


def test_a_parcel_is_shipped_for_the_first_task_and_for_another_request(tmp_path: Path) -> None:
    engine = Shipping(tmp_path)
    runs = measured(engine, CODE)
    assert [run.case.parameters["part"] for run in runs] == ["first", "second", "again"]
    assert [run.errors for run in runs] == [()] * 3
    first, again = engine.shipped
    assert first == again
    assert isinstance(first, Code)


def test_a_task_that_brings_back_another_mark_is_an_error(tmp_path: Path) -> None:
    first = measured(Shipping(tmp_path, other=True), CODE)[0]
    (error,) = first.errors
    assert error.startswith("a task returned '")
    assert "instead of '" in error


def test_what_is_installed_is_imported_without_any_shipping(tmp_path: Path) -> None:
    engine = Shipping(tmp_path)
    assert [run.errors for run in measured(engine, INSTALLED)] == [(), ()]
    assert engine.shipped == []


def test_a_parcel_that_cannot_be_shipped_fails_its_case(tmp_path: Path) -> None:
    with pytest.raises(ShippingError, match="no installer"):
        measured(Shipping(tmp_path), PACKAGE)


def test_each_metric_is_the_time_of_its_own_task() -> None:
    whole = fakes.run(plan(blocks=1), engines={**fakes.ENGINES, "ray": RAY}, noise=0.0)
    longer = {"first": 3.0, "second": 1.0, "again": 2.0}

    def lengthened(record: Record) -> Record:
        if not isinstance(record, TaskRun) or "part" not in record.case.parameters:
            return record
        added_s = longer[str(record.case.parameters["part"])]
        return replace(record, makespan_s=record.makespan_s + added_s)

    run = replace(whole, records=tuple(map(lengthened, whole.records)))
    for metric, added_s in (("first_task", 3), ("second_task", 1), ("first_task_again", 2)):
        assert row_of(run, "ray", metric, CODE).value == pytest.approx(PARCEL_S + added_s)
    (sentence,) = (said for said in headlines(run) if "code that no worker had" in said)
    assert "3.50 s on `ray`" in sentence


def test_a_wrong_mark_makes_the_case_invalid_and_no_other() -> None:
    whole = fakes.run(plan(blocks=1))

    def spoiled(record: Record) -> Record:
        if isinstance(record, TaskRun) and record.case.parameters == {
            "what": CODE,
            "part": "again",
        }:
            return replace(record, errors=("a task returned 'old' instead of 'new'",))
        return record

    run = replace(whole, records=tuple(map(spoiled, whole.records)))
    spoilt = row_of(run, "ray", "first_task", CODE)
    assert spoilt.value is None
    assert (spoilt.verdict or "").startswith("INVALID")
    assert "a task returned 'old' instead of 'new'" in (spoilt.verdict or "")
    assert row_of(run, "ray", "first_task", "wheel").value is not None


def test_pools_of_this_machine_import_what_is_installed_and_receive_nothing() -> None:
    text = summary(fakes.run(plan(blocks=1)))
    section = text.split("## Shipping code and packages to workers")[1].split("\n## ")[0]
    lines = [line for line in section.splitlines() if line.startswith("| multiprocessing |")]
    assert len(lines) == 2
    assert lines[0].startswith("| multiprocessing | installed |")
    assert "ships nothing to its workers: install what they import before the start" in lines[1]


def test_the_lines_of_an_engine_go_from_what_is_installed_to_what_pip_installs() -> None:
    found = rows(fakes.run(plan(blocks=1)))
    for engine in ("ray", "spark"):
        kinds = [row.case["what"] for row in found if row.engine == engine and "what" in row.case]
        assert list(dict.fromkeys(kinds)) == [INSTALLED, CODE, "wheel", PACKAGE]


def test_an_engine_without_an_installer_says_what_takes_its_place() -> None:
    row = row_of(fakes.run(plan(blocks=1)), "spark", "first_task", PACKAGE)
    assert row.value is None
    assert "spark has no installer for its workers" in (row.verdict or "")
