"""Two batches of tasks on one engine at once."""

import threading
import time
from collections.abc import Callable
from concurrent.futures import Future

from compare.records import TaskRun

_APART_S = 0.1
"""Between the two submissions: the first has what it asked for when the second comes."""


def together(
    first: Callable[[], TaskRun], second: Callable[[], TaskRun]
) -> tuple[TaskRun, TaskRun]:
    """Both runs; the second is submitted a moment after the first.

    Raises:
        Exception: what either raised, the first one's before.
    """
    futures = []
    for run in (first, second):
        future: Future[TaskRun] = Future()
        # Daemons: a session that is told to stop does not wait for them.
        threading.Thread(target=_fulfil, args=(future, run), daemon=True).start()
        futures.append(future)
        time.sleep(_APART_S)
    return futures[0].result(), futures[1].result()


def _fulfil(future: "Future[TaskRun]", run: Callable[[], TaskRun]) -> None:
    try:
        future.set_result(run())
    except BaseException as error:  # noqa: BLE001 - raised where the result is asked for
        future.set_exception(error)


def makespan_s(runs: tuple[TaskRun, ...]) -> float:
    """From the first submission of all until the last result of all."""
    ended_s = max(run.submitted_s + run.makespan_s for run in runs)
    return ended_s - min(run.submitted_s for run in runs)
