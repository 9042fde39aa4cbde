"""A session waits for the runner's answer, and not for ever."""

import pytest

from compare.measure import deeds
from compare.measure.deeds import Asking
from compare.records.deeds import Answer, Deed
from engines.errors import EngineError

DEED = Deed(what="kill", host="one")


def test_the_answer_is_when_it_was_done() -> None:
    said: list[Deed] = []
    asking = Asking(said.append)
    asking.answered(Answer(done_s=12.5))
    assert asking.ask(DEED) == 12.5
    assert said == [DEED]


def test_a_refusal_is_an_error_with_its_reason() -> None:
    asking = Asking(lambda _: None)
    asking.answered(Answer(done_s=None, reason="it is not ours"))
    with pytest.raises(EngineError, match="the runner did not kill one: it is not ours"):
        asking.ask(DEED)


def test_a_runner_that_does_not_answer_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deeds, "_LIMIT_S", 0.05)
    with pytest.raises(EngineError, match=r"did not kill one: no answer in 0\.05 s"):
        Asking(lambda _: None).ask(DEED)
