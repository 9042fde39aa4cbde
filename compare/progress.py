"""How long the rest of a run will take.  Pure: told how long each session took."""

from collections.abc import Iterable

from compare.records import Case, Session

_DOUBT_S = 30.0
"""Of evidence that the first sessions are weighed against: one alone may be an exception."""

_Kind = tuple[str, str, tuple[Case, ...]]


class Progress:
    """Learns from the sessions that have run.

    A session like one that has run already takes as long as that did; the others take what was
    expected of them, times how far the expectation was off until now.
    """

    def __init__(self, expected_s: Iterable[tuple[Session, float]]) -> None:
        self._left = {session.id: (session, seconds) for session, seconds in expected_s}
        self._took: dict[str, list[tuple[_Kind, float]]] = {}
        self._expected_s = self._spent_s = 0.0

    def left_s(self) -> float:
        """Seconds until all sessions have run."""
        factor = (self._spent_s + _DOUBT_S) / (self._expected_s + _DOUBT_S)
        return sum(
            self._like(session) or seconds * factor for session, seconds in self._left.values()
        )

    def finished(self, session: Session, took_s: float) -> None:
        """The session has run."""
        _, expected_s = self._left.pop(session.id)
        self._expected_s += expected_s
        self._spent_s += took_s
        self._took.setdefault(session.engine, []).append((_kind(session), took_s))

    def _like(self, session: Session) -> float | None:
        """Mean of what sessions of the same kind took; ``None`` when none has run."""
        alike = [s for kind, s in self._took.get(session.engine, ()) if kind == _kind(session)]
        return sum(alike) / len(alike) if alike else None


def _kind(session: Session) -> _Kind:
    return session.engine, session.label, session.cases
