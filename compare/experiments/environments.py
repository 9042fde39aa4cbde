"""How long what a task imports takes to reach workers that run: code, a wheel, a package.

Beside it, a task whose import every worker can resolve already.
"""

import tempfile
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import TypeVar

from typing_extensions import override

from compare.experiments.experiment import Estimable, Experiment, Facts, Opening, Pace, Scope
from compare.experiments.section import Column, Columns, Section
from compare.formatting import enumeration, seconds
from compare.measure.bench import Bench
from compare.measure.parcels import Copy, new_copy, write_code, write_wheel
from compare.measure.wake import wake
from compare.observations.metric import Better, Metric, metric
from compare.observations.reader import Observations, Runs, cases_of
from compare.observations.series import planned_case, series_of
from compare.options import PresetName
from compare.presets import BLOCKS, Sizes
from compare.records.measurements import Record, TaskRun
from compare.records.plan import Case, Plan, Site, refine
from engines.interface import Capability, Engine
from engines.parcel import Code, Package, Parcel, Run, Wheel
from workload.kernels import parcel

_Input = TypeVar("_Input")
_Output = TypeVar("_Output")

INSTALLED, CODE, WHEEL, PACKAGE = "installed", "code", "wheel", "package"
"""What the task imports: something that every worker can import already; a folder of modules; a
wheel that is handed over; a package that an installer finds by its name."""
FIRST, SECOND, AGAIN = "first", "second", "again"
"""The first task that needs a parcel which no worker has seen; the next one; the first task of
another request for an equal parcel."""
_METRICS = {FIRST: "first_task", SECOND: "second_task", AGAIN: "first_task_again"}
_NEEDS: dict[str, frozenset[Capability]] = {
    INSTALLED: frozenset(),
    CODE: frozenset({Capability.SHIPS}),
    WHEEL: frozenset({Capability.SHIPS}),
    PACKAGE: frozenset({Capability.SHIPS, Capability.INSTALLS}),
}
_EXPECTED_S = {INSTALLED: 0.5, CODE: 3.0, WHEEL: 5.0, PACKAGE: 30.0}
"""Of the slowest engine, approximately; used for the estimate only."""
_WAKE_S = 0.05
_BLOCKS = Sizes(quick=1, standard=1, full=3)
"""Fewer blocks than for other experiments, because an installer takes long."""

_SECTION = Section(
    title="Shipping code and packages to workers",
    explanation="""One task imports a small package and returns a random mark that only this copy
of the package has; with another mark the result is invalid.  All workers run, and have run a task
before.  Either they can import the package already (*installed*), or it is given to the engine: as
a folder of modules (*code*), as a *wheel*, or as the name of a *package* that an installer finds in
a folder of wheels, without a network.  *First task* is the time from the request until the result
of a task that needs the package; *second task* is the time of the next one.  *Requested again* is
the first task of another request for an equal parcel.  Lower is better.

Each engine uses its own means.  *Ray* takes an environment with a task (`runtime_env`), and starts
worker processes for it.  Code is a zip archive at a `file://` address, because Ray takes local
folders for a whole program only.  A wheel is one of the `py_modules`, which Ray unpacks with `pip
install --target`.  A package is installed by `pip` into a virtual environment.  If Ray itself runs
in one, the new one is a copy of all of it: here with torch and the frameworks, so it takes long.
Another request gets other processes, as another program would; Ray keeps what it unpacked or
installed.

*Dask* sends code and wheels to all workers as zip archives (`upload_file`), and they import them at
once.  For a package, `PipInstall` runs `pip` for the scheduler and then for one worker after the
other; no worker starts anew.  It installs into a folder of its own here, because all these
processes share the environment of this program.  Dask does all of it for every request.

*Spark* sends code and wheels as zip archives with the next tasks (`addPyFile`), and sends no file
twice.  It has no installer; its users start it with a packed environment (`spark.archives`).""",
    table=Columns(
        axes=(("what", "what the task imports"),),
        columns=(
            Column(metric=_METRICS[FIRST], heading="first task"),
            Column(metric=_METRICS[SECOND], heading="second task"),
            Column(metric=_METRICS[AGAIN], heading="requested again"),
        ),
    ),
)


class Environments(Experiment):
    """One case for each thing that a task may import."""

    name = "environments"
    with_ceiling = False
    sections = (_SECTION,)

    @override
    def cases(self, scope: Scope) -> tuple[Case, ...]:
        return tuple(Case(experiment=self.name, parameters={"what": what}) for what in _NEEDS)

    @override
    def blocks(self, preset: PresetName) -> int:
        return min(_BLOCKS.of(preset), BLOCKS.of(preset))

    @override
    def needs(self, case: Case) -> frozenset[Capability]:
        return _NEEDS[_what(case)]

    @override
    def inapplicable(self, case: Case, site: Site) -> str | None:
        if site is Site.HERE:
            return None
        return "what is shipped lies in a folder of this host, and workers on others cannot read it"

    @override
    def opening(self, case: Case, workers: int) -> Opening:
        # Not the main session: what was shipped stays with the workers, and some start anew.
        return Opening(workers=workers, label=self.name)

    @override
    def expected_s(self, plan: Plan, case: Case, pace: Pace) -> float:
        return _EXPECTED_S[_what(case)]

    @override
    def measure(self, bench: Bench, case: Case) -> Iterator[TaskRun]:
        wake(bench, case, _WAKE_S)
        if _what(case) == INSTALLED:
            for part in (FIRST, SECOND):
                yield _run(bench, case, part, Copy(parcel.INSTALLED, parcel.MARK), None)
            return
        copy = new_copy()
        with tempfile.TemporaryDirectory(prefix="ec-parcel-") as folder:
            shipping = _Shipping(bench.engine, _parcel(_what(case), copy, Path(folder)))
            yield _run(bench, case, FIRST, copy, shipping.first)
            yield _run(bench, case, SECOND, copy, shipping.later)
            yield _run(bench, case, AGAIN, copy, shipping.first)

    @override
    def rows(self, observations: Observations, engine: str) -> Iterator[Estimable]:
        plan = observations.plan
        # A case that does not apply belongs to another session, and would be out of order.
        for planned in sorted(cases_of(plan, engine, self.name), key=_place):
            observed = observations.runs(engine, planned, _parts(planned))
            for each in self.metrics(plan, planned):
                yield series_of(self.name, engine, planned_case(plan, planned), each, observed)

    @override
    def metrics(self, plan: Plan, case: Case) -> tuple[Metric[Runs], ...]:
        def makespan_s(part: str, runs: Runs) -> float:
            return runs[part].makespan_s

        return tuple(
            metric(_METRICS[part], "s", Better.LOWER, partial(makespan_s, part))
            for part in _parts(case)
        )

    @override
    def answer(self, facts: Facts) -> str | None:
        waits = facts.ordered(self.name, _METRICS[FIRST], what=CODE)
        if not waits:
            return None
        clauses = [f"{seconds(wait_s)} on `{engine}`" for engine, wait_s in waits]
        return f"The first task with code that no worker had took {enumeration(clauses)}."

    @override
    def progress(self, records: Sequence[Record]) -> str | None:
        found = {
            _what(record.case): record.makespan_s
            for record in records
            if isinstance(record, TaskRun) and record.case.parameters.get("part") == FIRST
        }
        return ", ".join(f"{what} {seconds(took_s)}" for what, took_s in found.items()) or None


class _Shipping:
    """A parcel on its way to the workers of an engine."""

    def __init__(self, engine: Engine, what: Parcel) -> None:
        self._engine = engine
        self._what = what
        self._run: Run | None = None

    def first(
        self, function: Callable[[_Input], _Output], inputs: Sequence[_Input]
    ) -> Iterator[tuple[int, _Output]]:
        """Ship the parcel and run tasks that need it."""
        self._run = self._engine.ship(self._what)
        return self._run(function, inputs)

    def later(
        self, function: Callable[[_Input], _Output], inputs: Sequence[_Input]
    ) -> Iterator[tuple[int, _Output]]:
        """Run more of these tasks.

        Raises:
            ValueError: the parcel was not shipped before.
        """
        if self._run is None:
            raise ValueError("the parcel was not shipped")
        return self._run(function, inputs)


def _what(case: Case) -> str:
    return str(case.parameters["what"])


def _place(case: Case) -> int:
    return list(_NEEDS).index(_what(case))


def _parts(case: Case) -> tuple[str, ...]:
    """Names of the batches.  What is installed already is not requested."""
    return (FIRST, SECOND) if _what(case) == INSTALLED else (FIRST, SECOND, AGAIN)


def _parcel(what: str, copy: Copy, folder: Path) -> Parcel:
    if what == CODE:
        return Code(folder=write_code(copy, folder))
    file = write_wheel(copy, folder)
    return Wheel(file=file) if what == WHEEL else Package(name=copy.name, wheels=folder)


def _run(bench: Bench, case: Case, part: str, copy: Copy, through: Run | None) -> TaskRun:
    """Run one task that imports the copy; its result is invalid without the mark of the copy."""
    task = parcel.task(bench.label(), copy.name)
    return bench.run(refine(case, part=part), [task], through=through, answer=copy.mark)
