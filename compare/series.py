"""One quantity of one engine over the blocks, and how it is read from what was observed."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TypeVar

from compare.experiments.overhead import is_sweep
from compare.intervals import median
from compare.metrics import BY_DEFINITION, Metric, Quantity
from compare.observations import Absence, Observed, Why, absent, planned_cases, valid
from compare.records import Case, Plan, Scalar

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Series:
    """One quantity of one engine in one case: for each planned block a number or an absence."""

    experiment: str
    engine: str
    quantity: Quantity
    case: Mapping[str, Scalar]
    values: Mapping[int, float]
    absences: Mapping[int, Absence]
    note: str | None = None
    """What stands against the numbers, or explains them."""

    @property
    def usable(self) -> bool:
        """There is a number, and no block broke a gate.

        One block with wrong results is enough: an engine that is right in two of three runs has
        no throughput.
        """
        broken = any(absence.why is Why.INVALID for absence in self.absences.values())
        return bool(self.values) and not broken


def sweeps_of(plan: Plan, engine: str) -> tuple[Case, ...]:
    """The sweeps of the overhead experiment."""
    return tuple(case for case in cases_of(plan, engine, "overhead") if is_sweep(case))


def cases_of(plan: Plan, engine: str, experiment: str) -> tuple[Case, ...]:
    """What the engine measures of an experiment."""
    return tuple(case for case in planned_cases(plan, engine) if case.experiment == experiment)


def series_of(
    experiment: str,
    engine: str,
    case: Mapping[str, Scalar],
    metric: Metric[_T],
    observed: Observed[_T],
) -> Series:
    """The metric of what each block measured; a reason where it gives no number."""
    values, absences = {}, absent(observed)
    for block, one in valid(observed).items():
        number = metric.value(one)
        if number is None:
            absences[block] = Absence(why=Why.NOT_GIVEN, reason=metric.lacking)
        else:
            values[block] = float(number)
    return Series(
        experiment=experiment,
        engine=engine,
        quantity=metric.quantity,
        case=case,
        values=values,
        absences=absences,
    )


def paired(ours: Series, theirs: Series, quantity: Quantity) -> Series:
    """Ratios within blocks, so that a drift of the machine from block to block cancels out."""
    if ours.engine == theirs.engine and ours.case == theirs.case:
        quantity = replace(quantity, estimate=median)
        return replace(
            ours, quantity=quantity, values=dict.fromkeys(ours.values, 1.0), note=BY_DEFINITION
        )
    unit = theirs.values if theirs.usable else {}
    lacking = Absence(
        why=Why.NOT_GIVEN, reason=f"{theirs.engine} has no valid throughput in the same block"
    )
    return replace(
        ours,
        quantity=quantity,
        values={block: v / unit[block] for block, v in ours.values.items() if block in unit},
        absences={**ours.absences, **{b: lacking for b in ours.values if b not in unit}},
    )


def absence_verdict(absences: Mapping[int, Absence], *, measured: int) -> str | None:
    """The gravest absence, and how many blocks it is about when it is not about all.

    ``measured`` is the number of blocks without an absence.  Blocks that were not reached yet are
    told once, in the report's first line.
    """
    told = [one for one in absences.values() if one.why is not Why.PENDING]
    if not told:
        return None if measured else next((str(one) for one in absences.values()), None)
    gravest = min(told, key=lambda one: list(Why).index(one.why))
    alike = sum(one.why is gravest.why for one in told)
    total = measured + len(told)
    where = f" in {alike} of {total} blocks" if alike < total else ""
    return f"{gravest.why}{where}: {gravest.reason}"


def study_case(plan: Plan, planned: Case) -> dict[str, Scalar]:
    """Of the rows of one planned case."""
    return {**budget_case(plan), **planned.parameters}


def budget_case(plan: Plan) -> dict[str, Scalar]:
    """Of rows that depend on nothing but what every engine was given."""
    return {
        "workers": plan.workers,
        "threads": plan.threads_per_worker,
        "config": plan.config.value,
    }


def batch_case(plan: Plan) -> dict[str, Scalar]:
    """Of the rows of the batch inference."""
    workload = plan.workload
    if workload is None:
        return budget_case(plan)
    return {
        **budget_case(plan),
        "chunk": workload.chunk,
        "model": workload.model,
        "dtype": workload.dtype,
        "n_images": len(workload.images),
    }
