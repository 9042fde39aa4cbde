"""Follows a run while another process measures it.  Reads each record once."""

from compare.records.measurements import Failure, Lifecycle, Record
from compare.records.plan import Plan, Session
from compare.records.store import RunFolder


class LiveRun:
    """The sessions of a run that have ended so far."""

    def __init__(self, folder: RunFolder) -> None:
        """Read the plan.

        Raises:
            StoreError: the folder holds no run.
        """
        self._folder = folder
        self._read_bytes = 0
        self._records: dict[str, list[Record]] = {}
        self.plan: Plan = folder.read_plan()
        self.sessions: list[tuple[Session, list[Record]]] = []
        """In the order in which they ended, with their records."""

    @property
    def finished(self) -> bool:
        """Whether every session of the plan has ended."""
        return len(self.sessions) >= len(self.plan.sessions)

    def update(self) -> None:
        """Read what was written since the last call.

        Raises:
            StoreError: the folder is damaged.
        """
        records, read_bytes = self._folder.read_from(self._read_bytes)
        if read_bytes < self._read_bytes:  # a resumed run has dropped an interrupted session
            self._records, self.sessions = {}, []
        self._read_bytes = read_bytes
        for record in records:
            self._records.setdefault(record.session, []).append(record)
            if isinstance(record, Lifecycle) or (
                isinstance(record, Failure) and record.case is None
            ):
                self._ended(record.session)

    def _ended(self, name: str) -> None:
        # The plan grows while there is time left.
        self.plan = self._folder.read_plan()
        session = next((one for one in self.plan.sessions if one.id == name), None)
        if session is not None:
            self.sessions.append((session, self._records.pop(name)))
