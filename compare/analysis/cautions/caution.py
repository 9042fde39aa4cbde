"""Defines a caution: a class with the evidence in its fields, the threshold and the advice."""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Self

from compare.experiments.registry import identity, load_experiment
from compare.formatting import enumeration
from compare.observations.disturbance import Repeated
from compare.observations.reader import Observations, Observed, planned_cases, timed
from compare.observations.series import Row
from compare.records.measurements import Lifecycle, Run


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """The data from which cautions are decided."""

    run: Run
    observations: Observations
    rows: tuple[Row, ...]
    repeated: tuple[Repeated, ...] = ()
    """Sessions that were measured again; ``run`` has the second measurement of each."""

    @property
    def lifecycles(self) -> list[Lifecycle]:
        """Start and stop of all timed sessions whose workers were left alone."""
        sessions = {session.id for session in timed(self.run.plan) if session.is_usual}
        return [
            record
            for record in self.run.records
            if isinstance(record, Lifecycle) and record.session in sessions
        ]

    @property
    def cores(self) -> int | None:
        """Cores of the machine; ``None`` if the environment does not contain it."""
        cores = self.run.environment.get("cores")
        return cores if isinstance(cores, int) else None


class Caution(ABC):
    """What a reader must know before quoting a number.

    A subclass in a module of this package is found and printed; no other change is needed.
    """

    @classmethod
    @abstractmethod
    def find(cls, evidence: Evidence) -> Iterator[Self]:
        """All cautions of this kind that apply to the run."""

    @abstractmethod
    def __str__(self) -> str:
        """The evidence and the advice, in one or two sentences."""


def gated(observations: Observations, engine: str) -> Iterator[tuple[str, Observed[object]]]:
    """What the validity gates decide on, in each case of an engine, with a name to print."""
    for case in planned_cases(observations.plan, engine):
        axes = identity(case.experiment, case.parameters)
        name = " ".join([case.experiment, *(str(case.parameters[axis]) for axis in axes)])
        if load_experiment(case.experiment).sweeps(case):
            yield f"{name} (sweep)", observations.sweep(engine, case)
        else:
            yield name, observations.runs(engine, case, ())


def with_reasons(reasons: Mapping[str, str]) -> str:
    """``2-ray (a core was slow) and 3-dask (the hypervisor took 2%)``."""
    return enumeration([f"{what} ({reason})" for what, reason in reasons.items()])
