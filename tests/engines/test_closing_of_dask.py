"""Dask closes without an error on a host that is too busy to answer within seconds."""

import subprocess
import sys

from tests.engines.outcomes import REPOSITORY

_CLOSED = "closed"
_CLOSES_WHILE_BUSY = f"""
import time
from distributed import default_client
from engines.interface import Resources
from engines.registry import load_engine
if __name__ == "__main__":
    with load_engine("dask").open(Resources(workers=1, threads_per_worker=1)) as engine:
        list(engine.run(abs, [-1]))
        default_client().loop.add_callback(time.sleep, 7)
    print("{_CLOSED}")
"""


def test_dask_closes_although_its_event_loop_answers_only_after_seconds() -> None:
    done = subprocess.run(
        [sys.executable, "-c", _CLOSES_WHILE_BUSY],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.stdout.strip(), done.returncode) == (_CLOSED, 0), done.stderr
