"""The settings of the engines that differ from their defaults, as lines of one table."""

from typing import NamedTuple

from compare.records.measurements import Lifecycle, Run
from compare.records.plan import Session


class SettingLine(NamedTuple):
    """One setting, and the engines that have it."""

    name: str
    value: str
    engines: str
    reason: str


def settings_of(run: Run) -> tuple[SettingLine, ...]:
    """All settings of the run, in the order of the engines."""
    holders: dict[tuple[str, str, str], dict[str, None]] = {}
    order = {engine: place for place, engine in enumerate(run.plan.engines)}
    special = {
        session.id: _kind(session)
        for session in run.plan.sessions
        if session.traced or not session.is_usual
    }
    lives = [record for record in run.records if isinstance(record, Lifecycle)]

    def place(life: Lifecycle) -> tuple[int, bool, int]:
        # Special sessions last: a setting that first appears there was absent when timed.
        return order.get(life.engine, -1), life.session in special, life.position

    for life in sorted(lives, key=place):
        for setting in life.settings:
            engines = holders.setdefault((setting.name, setting.value, setting.reason), {})
            if life.engine not in engines:
                only = special.get(life.session)
                engines[f"{life.engine} ({only})" if only else life.engine] = None
    return tuple(
        SettingLine(name, value, ", ".join(engines), reason)
        for (name, value, reason), engines in holders.items()
    )


def _kind(session: Session) -> str:
    if session.traced:
        return "traced"
    return "with a fault" if session.faults else "with workers on demand"
