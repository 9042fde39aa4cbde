"""Cuts one node of a cluster off from its network for some seconds, and then kills one.

    python -m tests.cluster.faulty_sessions ENGINE FOLDER

Two sessions, as a run on clusters of containers has them, but on one cluster: the second one starts
only if the node came back.  The folder then holds the run.
"""

import functools
import os
import sys
from pathlib import Path

from compare.records.plan import Case
from compare.records.store import RunFolder
from compare.run.compose import Composed
from compare.run.runner import Way, run_session
from engines.registry import clusters
from tests.compare import fakes
from tests.compare.run.sessions import session_of

FAULTS = ("network-cut", "container-killed")


def main() -> None:
    engine, path = sys.argv[1:]
    sessions = [
        session_of(
            engine,
            Case(experiment="faults", parameters={"fault": fault, "tasks": 120, "seconds": 0.15}),
            fault,
            faults=True,
        )
        for fault in FAULTS
    ]
    plan = fakes.plan(
        run_id=f"faults-{engine}-{os.getpid()}",
        engines=(engine,),
        experiments=("faults",),
        blocks=1,
        workload=None,
        clusters={engine: clusters()[engine].address()},
        on="compose",
        sessions=tuple(sessions),
    )
    folder = RunFolder(Path(path))
    folder.create(plan, fakes.environment())
    composed = Composed(plan, folder)
    try:
        with composed.cluster(sessions[0]) as start_s:
            for session in sessions:
                way = Way(composed.start, start_s, functools.partial(composed.act, session))
                run_session(plan, session, folder, 0.1, way)
    finally:
        composed.close()


if __name__ == "__main__":
    main()
