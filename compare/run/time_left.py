"""Estimates how long the rest of a run will take, from the durations of its sessions."""

import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from compare.records.plan import Case, Session

_DOUBT_S = 30.0
"""Weight of the estimate against the first sessions: a single session may be an exception."""

_Kind = tuple[str, str, tuple[Case, ...]]


class TimeLeft:
    """Learns from the sessions that have run.

    A session of a kind that has already run is expected to take as long as the shortest of them:
    the others may have been slowed down by other programs.  Others take their estimate, multiplied
    by the ratio of measured to estimated time so far.
    """

    def __init__(self, expected_s: Iterable[tuple[Session, float]] = ()) -> None:
        self._left: dict[str, tuple[Session, float]] = {}
        self._took: dict[str, list[tuple[_Kind, float]]] = {}
        self._expected_s = self._spent_s = 0.0
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
        factor = (self._spent_s + _DOUBT_S) / (self._expected_s + _DOUBT_S)
        return sum(self._like(session) or seconds * factor for session, seconds in expected_s)

    @contextmanager
    def running(self, session: Session) -> Iterator[None]:
        """Run the session inside; its duration is recorded."""
        started_s = time.monotonic()
        yield
        self.finished(session, time.monotonic() - started_s)

    def finished(self, session: Session, took_s: float) -> None:
        """Record that the session has run."""
        _, expected_s = self._left.pop(session.id)
        self._expected_s += expected_s
        self._spent_s += took_s
        self._took.setdefault(session.engine, []).append((_kind(session), took_s))

    def _like(self, session: Session) -> float | None:
        """Shortest duration of a session of the same kind; ``None`` if none has run."""
        took = self._took.get(session.engine, ())
        return min((s for kind, s in took if kind == _kind(session)), default=None)


def _kind(session: Session) -> _Kind:
    return session.engine, session.label, session.cases
