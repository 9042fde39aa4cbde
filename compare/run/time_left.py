"""How long the rest of a run will take, from how long its sessions took."""

import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from compare.records.plan import Case, Session

_DOUBT_S = 30.0
"""Weight of the estimate against the first sessions: a single one may be an exception."""

_Kind = tuple[str, str, tuple[Case, ...]]


class TimeLeft:
    """Learns from the sessions that have run.

    A session of a kind that has run already takes as long as that one did; others take their
    estimate times the ratio of measured to estimated time so far.
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

    @contextmanager
    def running(self, session: Session) -> Iterator[None]:
        """Run the session inside; how long it takes is noted."""
        started_s = time.monotonic()
        yield
        self.finished(session, time.monotonic() - started_s)

    def finished(self, session: Session, took_s: float) -> None:
        """Note that the session has run."""
        _, expected_s = self._left.pop(session.id)
        self._expected_s += expected_s
        self._spent_s += took_s
        self._took.setdefault(session.engine, []).append((_kind(session), took_s))

    def _like(self, session: Session) -> float | None:
        """Mean duration of sessions of the same kind; ``None`` when none has run."""
        alike = [s for kind, s in self._took.get(session.engine, ()) if kind == _kind(session)]
        return sum(alike) / len(alike) if alike else None


def _kind(session: Session) -> _Kind:
    return session.engine, session.label, session.cases
