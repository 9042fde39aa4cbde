"""Times and rates of two runs in units of the machine's speed.

A machine is not equally fast every day, and all engines of a run share its speed.  So a time or a
rate is divided by what the serial engine needed for the same in the same block.  Where that is
nothing that can be measured (its tasks have no overhead), the speed of the machine is the unit.
"""

import enum
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from compare.analysis.intervals import Estimate, unpaired_ratio
from compare.experiments.registry import identity
from compare.experiments.shared_metrics import THROUGHPUT
from compare.experiments.throughput import NAME
from compare.observations.metric import Quantity
from compare.observations.series import Series
from compare.records.measurements import Calibration, Run
from compare.records.plan import SERIAL, Scalar

_LEAST_S = 0.1
"""Shorter times of the serial engine are noise of the clock and the scheduler, and no unit."""

Key = tuple[str, str, str, str]
"""Experiment, engine, name of the quantity, and the parameters that distinguish its cases."""


class Kind(enum.Enum):
    """What a faster machine does to a quantity."""

    TIME = "shorter"
    RATE = "higher"
    OTHER = "the same"
    """Counts, shares, ratios, bytes."""


class Source(enum.StrEnum):
    """The measurement of the machine's speed.  The value is printed."""

    SERIAL = "serial throughput"
    CALIBRATION = "calibration of the spin kernel"


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """The speed of the machine in each block of two runs, from one source."""

    source: Source
    before: Mapping[int, float]
    after: Mapping[int, float]

    @property
    def ratio(self) -> Estimate:
        """Speed in the later run over that in the earlier one; below 1 if it got slower."""
        return unpaired_ratio(list(self.after.values()), list(self.before.values())).estimate


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """The values of one row in both runs, by block; they may be relative to the machine."""

    before: Mapping[int, float]
    after: Mapping[int, float]
    proxy: bool = False
    """The unit is the machine's speed at other work: the quantity may follow it only in part, as
    a start that waits for the disk, or not at all, as tasks that sleep."""


def kind(quantity: Quantity) -> Kind:
    """What the unit says about the quantity."""
    if quantity.unit == "s":
        return Kind.TIME
    return Kind.RATE if quantity.unit.endswith("/s") else Kind.OTHER


def calibrated(run: Run) -> Mapping[int, float]:
    """Iterations of the spin kernel per second in each block: the median of its sessions."""
    found: dict[int, list[float]] = {}
    for record in run.records:
        if isinstance(record, Calibration) and record.before_s > 0 and record.after_s > 0:
            found.setdefault(record.block, []).append(2 / (record.before_s + record.after_s))
    return {block: statistics.median(speeds) for block, speeds in found.items()}


def machine_of(
    old: Sequence[Series],
    new: Sequence[Series],
    calibrations: tuple[Mapping[int, float], Mapping[int, float]] = ({}, {}),
) -> Machine | None:
    """The speed of the machine, by the best source that both runs have; ``None`` without one."""
    before, after = (
        next((item for item in items if _is_speed(item) and measurable(item)), None)
        for items in (old, new)
    )
    if before is not None and after is not None:
        return Machine(source=Source.SERIAL, before=before.values, after=after.values)
    if all(calibrations):
        return Machine(source=Source.CALIBRATION, before=calibrations[0], after=calibrations[1])
    return None


def relative(
    before: Series,
    after: Series,
    serial: tuple[Series | None, Series | None],
    machine: Machine | None,
) -> Pair:
    """Both series in units of the machine's speed, as far as their unit has anything to do with it.

    ``serial`` is the same quantity of the serial engine in both runs.
    """
    plain = Pair(before=before.values, after=after.values)
    what = kind(before.quantity)
    if what is Kind.OTHER:
        return plain
    units = [item for item in serial if item is not None and _is_unit(item)]
    if len(units) == len(serial):
        ours, theirs = (item.values for item in units)
        return Pair(before=_over(before.values, ours), after=_over(after.values, theirs))
    if machine is None:
        return plain
    to_unit = _times if what is Kind.TIME else _over
    same_work = machine.source is Source.SERIAL and before.quantity.unit == THROUGHPUT.quantity.unit
    return Pair(
        before=to_unit(before.values, machine.before),
        after=to_unit(after.values, machine.after),
        proxy=not same_work,
    )


def key(series: Series, engine: str | None = None) -> Key:
    """What two runs call the same row; of another engine, if its name is given."""
    cases = case_key(series.experiment, series.case)
    return series.experiment, engine or series.engine, series.quantity.name, cases


def case_key(experiment: str, case: Mapping[str, Scalar]) -> str:
    """The parameters that distinguish the cases of an experiment.

    Different settings were refused before, or the user allowed them: they give no other row.
    """
    return " ".join(f"{name}={case[name]}" for name in identity(experiment, case))


def measurable(series: Series) -> bool:
    """Whether all its blocks are valid and positive, so that they have logarithms."""
    return series.usable and min(series.values.values()) > 0


def _is_speed(series: Series) -> bool:
    return key(series) == (NAME, SERIAL, THROUGHPUT.quantity.name, "")


def _is_unit(serial: Series) -> bool:
    if not measurable(serial):
        return False
    if kind(serial.quantity) is Kind.TIME:
        return min(serial.values.values()) >= _LEAST_S
    # Rates of anything but images are rates of the engine's overhead, which serial has none of.
    return serial.quantity.unit == THROUGHPUT.quantity.unit


def _over(values: Mapping[int, float], units: Mapping[int, float]) -> dict[int, float]:
    return {block: value / units[block] for block, value in values.items() if block in units}


def _times(values: Mapping[int, float], units: Mapping[int, float]) -> dict[int, float]:
    return {block: value * units[block] for block, value in values.items() if block in units}
