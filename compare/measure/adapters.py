"""The adapters of a plan's engines, and their capabilities.  Opens no engine."""

from compare.records.plan import original_of
from engines._stdlib.ceiling import Ceiling
from engines.interface import CEILING, Capability, Engine
from engines.registry import load_engine

LACKING = {
    Capability.PARALLEL: "runs one task at a time",
    Capability.STREAMS: "hands over no result before all tasks have finished",
    Capability.FRACTIONAL_CPUS: "has no way to say that a task needs a share of a core",
    Capability.SLOTS: "has no resources that a task can ask for",
    Capability.BULK: "has one way only to take tasks",
    Capability.AWAITS: "has no way to let a task wait without its worker waiting, too",
    Capability.GRAPHS: "has no way to hand the result of a task to another but through the driver",
    Capability.TRACES: "keeps no record of its own",
    Capability.SPANS_HOSTS: "runs on one host only",
    Capability.SCALES: "has the same workers from its start to its end",
    Capability.SHIPS: "ships nothing to its workers: install what they import before the start",
    Capability.INSTALLS: "has no installer for its workers: ship wheels, or start them in a "
    "packed environment",
}
"""The report's text about an engine that does not claim the capability."""


def adapter_of(engine: str) -> type[Engine]:
    """The adapter of an engine of the plan, of a control, or of the ceiling."""
    return Ceiling if engine == CEILING else load_engine(original_of(engine))


def capabilities(engine: str) -> frozenset[Capability]:
    """The capabilities that an engine, or the ceiling, claims."""
    return adapter_of(engine).capabilities


def lacking(name: str, claimed: frozenset[Capability], needed: frozenset[Capability]) -> str | None:
    """Why an engine cannot do something, in a sentence; ``None`` if it can."""
    missing = [capability for capability in Capability if capability in needed - claimed]
    return f"{name} {LACKING[missing[0]]}" if missing else None
