"""What a session asks of the runner, and the answer.

A session runs in a container and cannot act on the others.  Neither is stored: a record of the
session says what came of it.
"""

from dataclasses import dataclass
from typing import ClassVar, Literal

from compare.records.plan import STRICT


@dataclass(frozen=True, slots=True, kw_only=True)
class Deed:
    """Something to be done to a node of the session's cluster."""

    __pydantic_config__: ClassVar[dict[str, str]] = STRICT
    kind: Literal["deed"] = "deed"

    what: Literal["kill", "cut", "mend"]
    """End all its processes; take it off the network; connect it again."""
    host: str
    """The name that its own kernel reports."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """Whether it was done."""

    __pydantic_config__: ClassVar[dict[str, str]] = STRICT

    done_s: float | None
    """When, by the clock of the machine, which is that of all its containers; ``None``: it was
    not done."""
    reason: str = ""
    """Why not."""
