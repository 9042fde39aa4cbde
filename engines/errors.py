"""What can go wrong with an engine.  Every message names the thing, the cause and the next step.

EngineError
├── UnknownEngineError      no engine has that name
├── EngineMissingError      its package, or Java, is not installed
├── EngineStartError        it did not come up
├── CpusRejectedError       it refuses a task that asks for this share of a core
└── WorkerLostError         a worker died and the engine does not finish without it
"""


class EngineError(Exception):
    """Base of all errors that an engine raises on purpose."""


class UnknownEngineError(EngineError):
    """No engine of that name is registered."""


class EngineMissingError(EngineError):
    """Something that the engine needs is not installed; the message says how to get it."""


class EngineStartError(EngineError):
    """The engine did not come up with the resources asked for."""


class CpusRejectedError(EngineError):
    """The engine refuses the share of a core that a task asks for; carries the engine's words."""


class WorkerLostError(EngineError):
    """A worker died in mid-run and the engine cannot finish without it."""
