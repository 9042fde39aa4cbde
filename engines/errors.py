"""Errors of engines.  Every message names the object, the cause and the next step.

EngineError
├── UnknownEngineError      no engine has that name
├── EngineMissingError      its package, or something else it needs, is missing here
├── EngineStartError        it did not start
├── CpusRejectedError       it rejects a task that requests this share of a core
├── WorkerLostError         a worker died and the engine cannot finish the run
└── ShippingError           code or a package did not reach the workers
"""


class EngineError(Exception):
    """Base of all errors that an engine raises on purpose."""


class UnknownEngineError(EngineError):
    """No engine with that name is registered."""


class EngineMissingError(EngineError):
    """Something that the engine needs is missing here; the message says how to get it."""


class EngineStartError(EngineError):
    """The engine did not start with the requested resources."""


class CpusRejectedError(EngineError):
    """The engine rejects the share of a core that a task requests; has the engine's message."""


class WorkerLostError(EngineError):
    """A worker died during a run and the engine cannot finish the run."""


class ShippingError(EngineError):
    """Code or a package did not reach the workers; has the engine's message."""
