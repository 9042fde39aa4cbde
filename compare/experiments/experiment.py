"""Defines an experiment: a question that is measured in the same way on every engine."""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, TypeAlias

from compare.measure.image_tasks import image_tasks
from compare.observations.reader import Observations, Runs, cases_of
from compare.observations.series import Answers, Row, Series, planned_case, series_of
from compare.options import PresetName
from compare.presets import BLOCKS
from compare.records.plan import is_contender

if TYPE_CHECKING:
    from compare.experiments.section import Section
    from compare.measure.bench import Bench
    from compare.observations.metric import Metric
    from compare.records.measurements import Record
    from compare.records.plan import Case, Job, Plan, Scalar, Site, Workload
    from engines.interface import Capability
    from workload.interface import Task

Estimable: TypeAlias = Series | Answers
"""The values from which a row of the summary is computed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """The inputs that determine the cases of an experiment."""

    preset: PresetName
    workload: "Workload | None"
    workers: int
    job: "Job | None" = None

    def need_workload(self) -> "Workload":
        """The workload.

        Raises:
            ValueError: there is no workload; see ``Experiment.needs_images``.
        """
        if self.workload is None:
            raise ValueError("this experiment needs images")
        return self.workload


@dataclass(frozen=True, slots=True, kw_only=True)
class Opening:
    """How an engine is opened.  Cases with the same opening share a session."""

    workers: int
    smallest_share: float = 1.0
    traced: bool = False
    faults: bool = False
    """See ``engines.interface.Resources.faults``."""
    idle_s: float | None = None
    """See ``engines.interface.Resources.idle_s``."""
    nodes: bool = False
    """See ``compare.records.plan.Session.nodes``."""
    own_driver: bool = False
    """See ``compare.records.plan.Session.own_driver``."""
    label: str = ""
    """Part of the session's name; empty for the main session."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """Speeds that are known in advance, to estimate the duration of a session."""

    workers: int
    image_s: float
    """Seconds for one image on one core."""
    fixed_s: float
    """Fixed seconds of a batch, in addition to its tasks."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Versus:
    """Ratio of the throughputs of two engines."""

    value: float
    shown: bool
    """The difference is shown, with the correction for all pairs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """The data that an experiment may use for its sentence in the headline."""

    observations: Observations
    rows: Sequence[Row]
    versus: Mapping[str, Mapping[tuple[str, str], Versus]]
    """By experiment that compares throughputs, and by pair of engines, if both have a valid one in
    the same blocks."""
    within: Mapping[tuple[str, str], float]
    """By experiment and metric: with 95% confidence, no ratio of two engines exceeds this."""
    cores: int | None
    """Cores of the machine."""

    def ordered(self, experiment: str, metric: str, **case: "Scalar") -> list[tuple[str, float]]:
        """Engines with a number for this metric and these parameters, the lowest first."""
        found = [
            (row.engine, row.value)
            for row in self.rows
            if (row.experiment, row.metric) == (experiment, metric)
            and case.items() <= row.case.items()
            and isinstance(row.value, float)
            and is_contender(row.engine)
        ]
        return sorted(found, key=lambda one: one[1])


class Experiment(ABC):
    """A question.  To add one, write a subclass in a new file and add a line to the registry."""

    name: ClassVar[str]
    """The name on the command line."""
    question: ClassVar[str] = ""
    """One line.  Experiments of this project have it in the registry instead."""
    classifies: ClassVar[bool] = False
    """Its tasks classify images with a model that every worker has loaded before."""
    needs_images: ClassVar[bool] = False
    needs_job: ClassVar[bool] = False
    """It runs the user's own job: it is measured if and only if there is one."""
    with_ceiling: ClassVar[bool] = True
    """The engine-free ceiling also runs this experiment."""
    ceiling_twice: ClassVar[bool] = False
    """The ceiling runs it at the beginning of a block and at its end."""
    ceiling_once: ClassVar[bool] = False
    """The ceiling runs it in the first block only: nothing is compared with it there."""
    gives_reference: ClassVar[bool] = False
    """The serial engine always runs this experiment: its outputs are the reference."""
    parts: ClassVar[tuple[str, ...]] = ("",)
    """Names of the batches of a case."""
    sections: "ClassVar[tuple[Section, ...]]"
    """Its sections of the report."""

    @abstractmethod
    def cases(self, scope: Scope) -> "tuple[Case, ...]":
        """The cases that an engine measures, in this order."""

    def warm_up_task(self, plan: "Plan", label: str) -> "Task | None":
        """What every worker runs before the clock starts; ``None`` if it has nothing to load."""
        return image_tasks(plan, label)[0] if self.classifies else None

    @abstractmethod
    def expected_s(self, plan: "Plan", case: "Case", pace: Pace) -> float:
        """Approximate seconds that the case takes."""

    @abstractmethod
    def measure(self, bench: "Bench", case: "Case") -> "Iterator[Record]":
        """Measure the case on an open engine; yields records."""

    def metrics(self, plan: "Plan", case: "Case") -> "tuple[Metric[Runs], ...]":
        """The metrics of the batches of a case, which the default ``rows`` uses."""
        del plan, case
        return ()

    def rows(self, observations: Observations, engine: str) -> Iterator[Estimable]:
        """The values that become rows; by default one series for each case and metric."""
        plan = observations.plan
        for planned in cases_of(plan, engine, self.name):
            observed = observations.runs(engine, planned, self.parts)
            for metric in self.metrics(plan, planned):
                yield series_of(self.name, engine, planned_case(plan, planned), metric, observed)

    def answer(self, facts: Facts) -> str | None:
        """The sentence of this experiment in the headline; ``None`` if it has none."""
        del facts
        return None

    def progress(self, records: "Sequence[Record]") -> str | None:
        """A session's main result for the console; ``records`` are those of this experiment."""
        del records
        return None

    def blocks(self, preset: PresetName) -> int:
        """Number of blocks that every run has; ``--blocks`` overrides it."""
        return BLOCKS.of(preset)

    def wanted_blocks(self, preset: PresetName) -> int:
        """Number of blocks that come before those of other experiments, while there is time."""
        return self.blocks(preset)

    def needs(self, case: "Case") -> "frozenset[Capability]":
        """Capabilities that an engine must have."""
        del case
        return frozenset()

    def inapplicable(self, case: "Case", site: "Site") -> str | None:
        """Why the case cannot be measured where the workers are; ``None`` if it can."""
        del case, site
        return None

    def sweeps(self, case: "Case") -> bool:
        """Whether the case measures fixed work in tasks of many sizes, to compute METG."""
        del case
        return False

    def calibrated(self, case: "Case") -> bool:
        """Whether its tasks do fixed work, calibrated before the case and checked after it."""
        return self.sweeps(case)

    def opening(self, case: "Case", workers: int) -> Opening:
        """How the engine is opened for the case."""
        del case
        return Opening(workers=workers)

    def traced_cases(self, cases: "tuple[Case, ...]") -> "tuple[Case, ...]":
        """The cases that an untimed session repeats to record the engine's own trace."""
        del cases
        return ()

    def identity(self, case: "Mapping[str, Scalar]") -> tuple[str, ...]:
        """Names of the parameters in ``case`` that distinguish the cases of this experiment."""
        from compare.experiments.section import Columns

        tables = [section.table for section in self.sections if isinstance(section.table, Columns)]
        names = [name for table in tables for name, _ in table.axes]
        names += [table.where[0] for table in tables if table.where is not None]
        return tuple(name for name in dict.fromkeys(names) if name in case)
