"""Runs a batch of waits on a cluster and tells what the records and the report say of it.

    python -m tests.cluster.long_batch ENGINE TASKS

Says ``begun`` when the batch begins; the last line is JSON.
"""

import json
import sys

from compare.bench import Bench
from compare.machine_cautions import machine_cautions
from compare.observations import Observations
from compare.records import Case, Run
from compare.session import resources_of
from engines.registry import clusters, load_engine
from tests.compare import fakes
from workload import calls, sleep

_NAP_S = 1.0


def main() -> None:
    engine, tasks = sys.argv[1], int(sys.argv[2])
    address = clusters()[engine].address()
    plan = fakes.plan(
        engines=("serial", "multiprocessing", engine),
        experiments=("timeline",),
        blocks=1,
        clusters={engine: address},
    )
    session = next(one for one in plan.sessions if one.engine == engine)
    with calls.kept(), load_engine(engine).open(resources_of(plan, session)) as opened:
        bench = Bench(opened, plan, session)
        bench.find_hosts(address, ())
        case = Case(experiment="timeline", parameters={"how": "blocking"})
        sys.stdout.write("begun\n")
        sys.stdout.flush()
        run = bench.run(case, [sleep.task(bench.label(), _NAP_S)] * tasks)
    found = Run(plan=plan, environment=fakes.environment(), records=(run,))
    told = {
        "received": run.received,
        "lost": sum(node.lost for node in run.nodes),
        "kernel_calls": run.kernel_calls,
        "makespan_s": run.makespan_s,
        "caution": " ".join(map(str, machine_cautions(found, Observations(found)))),
    }
    sys.stdout.write(json.dumps(told) + "\n")


if __name__ == "__main__":
    main()
