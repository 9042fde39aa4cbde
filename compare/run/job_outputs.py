"""Keeps the outputs that a job with ``same`` is compared with, while its run goes on.

They are pickles, so they are made anew for each start and each ``--resume``, in a private folder,
and never kept in the results.
"""

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from compare.errors import UsageError
from compare.measure.job_tasks import OUTPUTS, source_of
from compare.records.plan import Plan
from engines.environment import import_path


@contextmanager
def reference_outputs(plan: Plan) -> Iterator[None]:
    """Compute the outputs one after the other, and let the sessions of this process find them.

    Does nothing without a job that has ``same``.

    Raises:
        UsageError: the job has a mistake.
    """
    if plan.job is None or not plan.job.has_same:
        yield
        return
    with tempfile.TemporaryDirectory(prefix="ec-job-") as folder:
        file = Path(folder) / "outputs"
        done = subprocess.run(
            [sys.executable, "-m", "workload.job_outputs", file, *source_of(plan.job)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            env=os.environ | import_path(),
            check=False,
        )
        if done.returncode:
            words = done.stderr.strip().splitlines() or [f"exit code {done.returncode}"]
            raise UsageError(f"the outputs that same(a, b) needs cannot be computed: {words[-1]}")
        os.environ[OUTPUTS] = str(file)
        try:
            yield
        finally:
            del os.environ[OUTPUTS]
