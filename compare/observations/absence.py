"""Why a planned block has no number.  The report prints these words."""

import enum
from dataclasses import dataclass


class Why(enum.StrEnum):
    """Kinds of absence, most serious first.  The report prints the value."""

    INVALID = "INVALID"
    MISSING = "not run"
    FAILED = "failed"
    DISTURBED = "disturbed"
    NOT_APPLICABLE = "not applicable"
    REJECTED = "rejected"
    BEYOND = "beyond what was measured"
    NOT_GIVEN = "not given"
    PENDING = "not measured"


@dataclass(frozen=True, slots=True, kw_only=True)
class Absence:
    """Why a planned block has no number."""

    why: Why
    reason: str

    def __str__(self) -> str:
        return f"{self.why}: {self.reason}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Beyond(Absence):
    """A block whose number is only known to lie beyond a limit: censored, not missing."""

    limit: float
    more: bool
    """The number is larger than ``limit``; otherwise it is smaller."""

    def __str__(self) -> str:
        return self.reason
