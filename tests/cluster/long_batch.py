"""Classifies photographs on a cluster and tells what the records and the report say of it.

    python -m tests.cluster.long_batch ENGINE TASKS

Says ``begun`` when the batch begins; the last line is JSON.
"""

import json
import sys

from compare.bench import Bench
from compare.experiments.images import image_tasks, settings
from compare.machine_cautions import machine_cautions
from compare.observations import Observations
from compare.prepare import cache_folder
from compare.records import Run
from compare.session import resources_of
from engines.registry import clusters, load_engine
from tests.compare import fakes
from workload import calls, images
from workload.kernels import vit
from workload.model import VIT_DIGITS, resolve

_PHOTOGRAPHS = 20
_CHUNK = 400
"""The small model has done with so many in about a second."""


def main() -> None:
    engine, tasks = sys.argv[1], int(sys.argv[2])
    address = clusters()[engine].address()
    photographs = [str(p) for p in images.default_photographs(_PHOTOGRAPHS, cache_folder())]
    # Each photograph many times, another one first in each task.
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
    session = next(one for one in plan.sessions if one.engine == engine)
    (case,) = session.cases
    with calls.kept(), load_engine(engine).open(resources_of(plan, session)) as opened:
        bench = Bench(opened, plan, session)
        bench.find_hosts(address, (*photographs, model.folder + "/config.json"))
        batch = image_tasks(plan, bench.label())
        bench.warm_up(batch[0])
        sys.stdout.write("begun\n")
        sys.stdout.flush()
        run = bench.run(case, batch, items=len(files))
    found = Run(plan=plan, environment=fakes.environment(), records=(run,))
    right = dict(zip(photographs, vit.load(*settings(plan))(tuple(photographs)), strict=True))
    told = {
        "received": run.received,
        "lost": sum(node.lost for node in run.nodes),
        "kernel_calls": run.kernel_calls,
        "right": run.outputs == tuple(right[file] for file in files),
        "makespan_s": run.makespan_s,
        "caution": " ".join(map(str, machine_cautions(found, Observations(found)))),
    }
    sys.stdout.write(json.dumps(told) + "\n")


if __name__ == "__main__":
    main()
