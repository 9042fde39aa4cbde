"""Asks the runner for what cannot be done from inside a container."""

from collections.abc import Callable
from queue import Empty, SimpleQueue
from typing import TypeAlias

from compare.records.deeds import Answer, Deed
from engines.errors import EngineError

_LIMIT_S = 60.0
"""Docker takes about half a second."""

Ask: TypeAlias = Callable[[Deed], float]
"""Lets something be done; returns when it was done, by the clock of this machine.

Raises ``EngineError`` if it was not done.
"""


def nobody(deed: Deed) -> float:
    """Nobody does anything for a session that has no runner."""
    raise EngineError(f"there is nobody to {deed.what} {deed.host}")


class Asking:
    """Says what shall be done, and waits for the answer."""

    def __init__(self, say: Callable[[Deed], None]) -> None:
        self._say = say
        self._answers: SimpleQueue[Answer] = SimpleQueue()

    def ask(self, deed: Deed) -> float:
        """See ``Ask``."""
        self._say(deed)
        try:
            answer = self._answers.get(timeout=_LIMIT_S)
        except Empty:
            answer = Answer(done_s=None, reason=f"no answer in {_LIMIT_S:g} s")
        if answer.done_s is None:
            raise EngineError(f"the runner did not {deed.what} {deed.host}: {answer.reason}")
        return answer.done_s

    def answered(self, answer: Answer) -> None:
        """Take the runner's answer; called in another thread."""
        self._answers.put(answer)
