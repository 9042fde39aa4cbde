"""The user's own job.  Inputs and outputs cross the kernel as pickles.

So every engine carries the same bytes, an output that cannot be pickled is the same error on each,
and no task can see what another one did to its input.
"""

import pickle
import time
from collections.abc import Sequence
from typing import TypeAlias

from workload.interface import Kernel, Task
from workload.job import Source, import_job, packed

Payload: TypeAlias = bytes | tuple[bytes, float]
"""A pickled input; with seconds to stay afterwards, it warms the worker up and gives no output."""

_STAY_S = 0.1


def load(*source: str) -> Kernel:
    """A kernel that takes a ``Payload`` and returns the pickled output.

    Raises:
        JobError: the job cannot be imported, or its ``load`` raised.
    """
    job = import_job(Source(*source))
    run = job.ready()

    def call(payload: Payload) -> bytes | None:
        given, stay_s = (payload, None) if isinstance(payload, bytes) else payload
        # The pickle was made by the driver of this session.
        output = job.call("run", run, pickle.loads(given))  # noqa: S301
        if stay_s is None:
            return packed(output, "the output of run")
        # Long enough that the other workers have to take the next tasks.
        time.sleep(stay_s)
        return None

    return call


def tasks(case: str, source: Source, inputs: Sequence[bytes]) -> list[Task]:
    """One task for each pickled input."""
    return [Task("job", tuple(source), case, given) for given in inputs]


def warm_up_task(case: str, source: Source, given: bytes) -> Task:
    """A task that loads the job, runs one input, and leaves its output in the worker."""
    return Task("job", tuple(source), case, (given, _STAY_S))
