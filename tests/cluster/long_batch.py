"""Classifies photographs on a cluster; prints what the records and the report say about it.

    python -m tests.cluster.long_batch ENGINE TASKS

Prints ``begun`` when the batch starts; the last line is JSON.
"""

import json
import sys

from compare.analysis.cautions.caution import Evidence
from compare.analysis.cautions.completeness import HostLost
from compare.measure.bench import Bench
from compare.measure.image_tasks import image_tasks, settings
from compare.observations.reader import Observations
from compare.plan.resolve import cache_folder
from compare.records.measurements import Run
from compare.run.session import resources_of
from engines.registry import clusters, load_engine
from tests.compare import fakes
from workload import calls, images
from workload.kernels import vit
from workload.model import VIT_DIGITS, resolve

_PHOTOGRAPHS = 20
_CHUNK = 400
"""Images per task; the small model classifies them in about a second."""


def main() -> None:
    engine, tasks = sys.argv[1], int(sys.argv[2])
    address = clusters()[engine].address()
    photographs = [str(p) for p in images.default_photographs(_PHOTOGRAPHS, cache_folder())]
    # Every photograph occurs many times; each task starts with a different one.
    files = [photographs[(n + n // _CHUNK) % _PHOTOGRAPHS] for n in range(tasks * _CHUNK)]
    model = resolve(VIT_DIGITS, cache_folder())
    plan = fakes.plan(
        engines=("serial", "multiprocessing", engine),
        experiments=("throughput",),
        blocks=1,
        workload=fakes.workload(
            model=VIT_DIGITS, model_folder=model.folder, images=tuple(files), chunk=_CHUNK
        ),
        clusters={engine: address},
    )
    session = next(each for each in plan.sessions if each.engine == engine)
    (case,) = session.cases
    with calls.kept(), load_engine(engine).open(resources_of(plan, session)) as opened:
        bench = Bench(opened, plan, session)
        bench.find_hosts(address, (*photographs, model.folder + "/config.json"))
        batch = image_tasks(plan, bench.label())
        bench.warm_up(batch[0])
        sys.stdout.write("begun\n")
        sys.stdout.flush()
        run = bench.run(case, batch, items=len(files))
    recorded = Run(plan=plan, environment=fakes.environment(), records=(run,))
    labels = dict(zip(photographs, vit.load(*settings(plan))(tuple(photographs)), strict=True))
    evidence = Evidence(run=recorded, observations=Observations(recorded), rows=())
    result = {
        "received": run.received,
        "lost": sum(node.lost for node in run.nodes),
        "kernel_calls": run.kernel_calls,
        "right": run.outputs == tuple(labels[file] for file in files),
        "makespan_s": run.makespan_s,
        "caution": " ".join(map(str, HostLost.find(evidence))),
    }
    sys.stdout.write(json.dumps(result) + "\n")


if __name__ == "__main__":
    main()
