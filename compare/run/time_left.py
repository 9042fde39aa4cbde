"""Estimates how long the rest of a run will take, from the durations of its sessions."""

from collections.abc import Iterable
from typing import NamedTuple

from compare.records.plan import Case, Session

_DOUBT_S = 30.0
"""Weight of the estimate against the first sessions: a single session may be an exception."""
_DOUBT_OF_ENGINE_S = 10.0
"""Weight of what all engines took against the first sessions of one."""

_Kind = tuple[str, str, tuple[Case, ...]]


class _Took(NamedTuple):
    """A session that has run."""

    kind: _Kind
    expected_s: float
    took_s: float


class TimeLeft:
    """Learns from the sessions that have run.

    A session of a kind that has already run is expected to take as long as the shortest of them:
    the others may have been slowed down by other programs.  Others take their estimate, multiplied
    by the ratio of measured to estimated time of their engine so far: engines differ most in how
    long they take to start.
    """

    def __init__(self, expected_s: Iterable[tuple[Session, float]] = ()) -> None:
        self._left: dict[str, tuple[Session, float]] = {}
        self._took: dict[str, list[_Took]] = {}
        self.expect(expected_s)

    def expect(self, expected_s: Iterable[tuple[Session, float]]) -> None:
        """Add sessions that will run, each with its estimate in seconds."""
        self._left |= {session.id: (session, seconds) for session, seconds in expected_s}

    def forget(self, sessions: Iterable[Session]) -> None:
        """Remove sessions that will not run."""
        for session in sessions:
            self._left.pop(session.id, None)

    def left_s(self) -> float:
        """Seconds until all sessions have run."""
        return self.of(self._left.values())

    def of(self, expected_s: Iterable[tuple[Session, float]]) -> float:
        """Seconds that these sessions will take, whether they are expected or not."""
        return sum(
            self._like(session) or seconds * self._factor(session.engine)
            for session, seconds in expected_s
        )

    def finished(self, session: Session, took_s: float) -> None:
        """Record that the session has run, in ``took_s`` without what other programs took of it."""
        _, expected_s = self._left.pop(session.id)
        took = _Took(_kind(session), expected_s, took_s)
        self._took.setdefault(session.engine, []).append(took)

    def _like(self, session: Session) -> float | None:
        """Shortest duration of a session of the same kind; ``None`` if none has run."""
        took = self._took.get(session.engine, ())
        return min((one.took_s for one in took if one.kind == _kind(session)), default=None)

    def _factor(self, engine: str) -> float:
        """Measured over estimated time of this engine, drawn towards that of all engines."""
        every = [one for took in self._took.values() for one in took]
        return _ratio(self._took.get(engine, ()), _ratio(every, 1.0, _DOUBT_S), _DOUBT_OF_ENGINE_S)


def _ratio(took: Iterable[_Took], prior: float, weight_s: float) -> float:
    """Measured over estimated time, as if ``weight_s`` had been estimated before at ``prior``."""
    took = tuple(took)
    spent_s = sum(one.took_s for one in took) + weight_s * prior
    return spent_s / (sum(one.expected_s for one in took) + weight_s)


def _kind(session: Session) -> _Kind:
    return session.engine, session.label, session.cases
