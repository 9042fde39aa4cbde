"""Runs an action beside the main thread."""

import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import TypeVar

_T = TypeVar("_T")


def in_background(action: Callable[[], _T]) -> "Future[_T]":
    """Run the action in a daemon thread: a session that has to stop does not wait for it."""
    future: Future[_T] = Future()
    threading.Thread(target=_fulfil, args=(future, action), daemon=True).start()
    return future


def _fulfil(future: "Future[_T]", action: Callable[[], _T]) -> None:
    try:
        future.set_result(action())
    except BaseException as error:  # noqa: BLE001 - raised again when the result is read
        future.set_exception(error)
