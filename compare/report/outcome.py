"""A finished session in one line: its main results, or why it failed."""

from collections.abc import Iterable, Iterator, Sequence

from compare.experiments.registry import load_experiment
from compare.formatting import plural
from compare.records.measurements import Failure, Lifecycle, OwnTrace, Record
from compare.records.plan import Plan, Session


def heading(plan: Plan, session: Session) -> str:
    """The number of the session, its block, its engine and what it measures."""
    names = list(dict.fromkeys(case.experiment for case in session.cases))
    contents = ", ".join(names) or "start and stop"
    if session.repeats is not None:
        contents += ", again because other programs had taken the machine"
    if session.traced:
        contents += ", traced and not timed"
    place = f"[{session.position + 1}/{len(plan.sessions)}]"
    return f"{place} block {session.block}, {session.engine}: {contents}"


def outcome(session: Session, records: Sequence[Record]) -> str:
    """The main results of the session, from its records."""
    return "; ".join(_parts(session, records))


def _parts(session: Session, records: Sequence[Record]) -> Iterator[str]:
    for record in records:
        if isinstance(record, Failure):
            yield f"FAILED: {record.reason.splitlines()[0]}"
    for record in records:
        if isinstance(record, OwnTrace):
            yield f"{plural(len(record.spans), 'span')} in the engine's own trace"
    if not session.traced:
        for name in dict.fromkeys(case.experiment for case in session.cases):
            progress = load_experiment(name).progress(list(_of_experiment(records, name)))
            if progress is not None:
                yield progress
    for record in records:
        if isinstance(record, Lifecycle):
            yield f"took {record.wall_s:.0f} s"


def _of_experiment(records: Iterable[Record], name: str) -> Iterator[Record]:
    for record in records:
        if isinstance(record, Lifecycle | OwnTrace):
            continue
        if record.case is not None and record.case.experiment == name:
            yield record
