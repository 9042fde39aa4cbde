"""One metric over several runs, in order of time, and the changes from each run to the next."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from compare.analysis.analysis import Analysis
from compare.analysis.diff import Change, compare_runs, compare_series, what_differs
from compare.analysis.relative import case_key, key, machine_of
from compare.experiments.registry import identity
from compare.observations.series import Row
from compare.records.plan import Scalar

FEWEST_RUNS = 2


class NoHistoryError(Exception):
    """The runs have no metric in common; the message says what they have."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One run."""

    run_id: str
    date: str
    """Day and time of its start, UTC, as far as it was recorded."""
    versions: Mapping[str, str]
    """Of Python and of the packages, by name."""
    rows: Mapping[str, Row]
    """The row of the metric by engine."""
    changes: Mapping[str, Change]
    """By engine: the comparison with the run before; empty for the first run."""


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """A metric of one case over the runs that measured it with the same plan."""

    experiment: str
    metric: str
    unit: str
    case: Mapping[str, Scalar]
    """The parameters that distinguish the case from others of the experiment."""
    engines: tuple[str, ...]
    entries: tuple[Entry, ...]
    """The earliest first."""
    left_out: Mapping[str, str]
    """Runs that cannot be compared with the latest, each with what differs."""


def history(
    runs: Sequence[Analysis], metric: str, case: Mapping[str, str], *, anyway: bool = False
) -> History:
    """The history of a metric, such as ``throughput`` or ``payload/payload_rate``.

    The latest run that has the metric decides what is compared: runs with another plan or machine
    are left out, unless ``anyway`` is set.

    Raises:
        NoHistoryError: fewer than two runs have the metric, or several cases fit.
    """
    ordered = sorted(runs, key=_when)
    having = [run for run in ordered if list(_rows(run, metric, case))]
    if not having:
        known = sorted({f"{row.experiment}/{row.metric}" for run in ordered for row in run.rows})
        raise NoHistoryError(f"no run has the metric {metric!r}; known: {', '.join(known)}")
    latest = having[-1]
    experiment, name, parameters = _one_case(latest, metric, case)
    left_out = {run.plan.run_id: "it did not measure it" for run in ordered if run not in having}
    kept = []
    for run in having:
        differs = [] if anyway else list(what_differs(run, latest))
        if differs:
            left_out[run.plan.run_id] = "; ".join(differs)
        else:
            kept.append(run)
    if len(kept) < FEWEST_RUNS:
        others = "; ".join(f"{run_id}: {reason}" for run_id, reason in left_out.items())
        raise NoHistoryError(
            f"{latest.plan.run_id} is the only run of its plan that has {metric!r}"
            + (f" ({others})" if others else "")
        )
    of_case = case_key(experiment, parameters)
    found = [_wanted(run, experiment, name, of_case) for run in kept]
    entries = tuple(
        Entry(
            run_id=run.plan.run_id,
            date=_date(run),
            versions=_versions(run),
            rows=rows,
            changes={} if place == 0 else _changes(kept[place - 1], run, rows),
        )
        for place, (run, rows) in enumerate(zip(kept, found, strict=True))
    )
    return History(
        experiment=experiment,
        metric=name,
        unit=next(iter(found[-1].values())).unit,
        case=parameters,
        engines=tuple(dict.fromkeys(engine for rows in found for engine in rows)),
        entries=entries,
        left_out=left_out,
    )


def _when(run: Analysis) -> str:
    """Its start, as 14 digits, which sort by time."""
    # The identifier of a run begins with it as well.
    return re.sub(r"\D", "", str(run.environment.get("started_at", run.plan.run_id)))[:14]


def _date(run: Analysis) -> str:
    digits = _when(run)
    return f"{digits[:4]}-{digits[4:6]}-{digits[6:8]} {digits[8:10]}:{digits[10:12]}"


def _versions(run: Analysis) -> dict[str, str]:
    facts = run.environment.get("versions")
    versions = {str(k): str(v) for k, v in facts.items()} if isinstance(facts, Mapping) else {}
    python = str(run.environment.get("python", "")).split()
    return versions | ({"python": python[0]} if python else {})


def _rows(run: Analysis, metric: str, case: Mapping[str, str]) -> Iterator[Row]:
    """Yield the numbers of the metric in the cases that fit."""
    for row in run.rows:
        fits = all(str(row.case.get(name)) == value for name, value in case.items())
        named = metric in (row.metric, f"{row.experiment}/{row.metric}")
        if fits and named and isinstance(row.value, float):
            yield row


def _one_case(
    run: Analysis, metric: str, case: Mapping[str, str]
) -> tuple[str, str, Mapping[str, Scalar]]:
    """Experiment, metric and distinguishing parameters; without a choice, the case without any.

    Raises:
        NoHistoryError: several cases fit.
    """
    found = {
        (row.experiment, row.metric, case_key(row.experiment, row.case)): {
            name: row.case[name] for name in identity(row.experiment, row.case)
        }
        for row in _rows(run, metric, case)
    }
    bare = [key for key, parameters in found.items() if not parameters]
    keys = list(found) if len(found) == 1 else bare
    if len(keys) != 1:
        told = "; ".join(
            f"{experiment}/{name} with {of_case or 'no parameter'}"
            for experiment, name, of_case in found
        )
        raise NoHistoryError(
            f"several cases have the metric {metric!r}: {told}; choose one with --case, such as "
            "--case bytes=1000,direction=in"
        )
    experiment, name, _ = keys[0]
    return experiment, name, found[keys[0]]


def _wanted(run: Analysis, experiment: str, metric: str, of_case: str) -> dict[str, Row]:
    return {
        row.engine: row
        for row in run.rows
        if (row.experiment, row.metric) == (experiment, metric)
        and case_key(row.experiment, row.case) == of_case
    }


def _changes(before: Analysis, after: Analysis, rows: Mapping[str, Row]) -> dict[str, Change]:
    """By engine, what ``diff`` says about these rows."""
    wanted = next(iter(rows.values()))
    of_case = case_key(wanted.experiment, wanted.case)

    def is_wanted(change: Change) -> bool:
        place = (change.experiment, change.metric, case_key(change.experiment, change.case))
        return place == (wanted.experiment, wanted.metric, of_case)

    # Whether their plans may differ was decided before.
    listed = compare_runs(before, after, anyway=True).changes
    found = {change.engine: change for change in listed if is_wanted(change)}
    # `diff` leaves out rows that repeat others, such as a speed-up; here they are what is asked.
    machine = machine_of(before.series, after.series, (before.calibrated, after.calibrated))
    ours, theirs = (
        [
            series
            for series in run.series
            if key(series)[0] == wanted.experiment and key(series)[2:] == (wanted.metric, of_case)
        ]
        for run in (before, after)
    )
    alone = {change.engine: change for change in compare_series(ours, theirs, machine)}
    return {**alone, **found}
