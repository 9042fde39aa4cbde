"""Tries to run a task on a cluster with the credentials that the environment contains.

    python -m tests.cluster.uninvited ENGINE [bare]

With ``bare``, it removes the credentials first.
The last line is ``ran 42`` or ``refused``.
"""

import os
import sys
import traceback

from engines.environment import forget
from engines.errors import EngineError
from engines.interface import Resources
from engines.registry import clusters, load_engine


def answer(_: object) -> int:
    return 42


def main() -> None:
    engine = sys.argv[1]
    if "bare" in sys.argv:
        forget("RAY_AUTH", "DASK_DISTRIBUTED__COMM", "SPARK_CONF_DIR")
        os.environ["RAY_AUTH_MODE"] = "disabled"
    resources = Resources(workers=2, threads_per_worker=1, cluster=clusters()[engine].address())
    try:
        with load_engine(engine).open(resources) as opened:
            ((_, output),) = opened.run(answer, [0])
    except EngineError:
        traceback.print_exc()
        sys.stdout.write("refused\n")
    else:
        sys.stdout.write(f"ran {output}\n")


if __name__ == "__main__":
    main()
