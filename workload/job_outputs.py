"""Computes the outputs of the user's job once, one after the other: what ``same`` compares with.

    python -m workload.job_outputs RESULT_FILE FILE MODULE NAME FOLDER SHA256

The result file is a pickle of the pickled outputs, in the order of the inputs.
"""

import pickle
import sys
from pathlib import Path

from workload.errors import JobError
from workload.job import Source, import_job, packed
from workload.job_check import inputs_of


def main() -> None:
    """Compute the outputs; a mistake of the job is one sentence, with exit code 1."""
    result, *where = sys.argv[1:]
    try:
        outputs = outputs_of(Source(*where))
    except JobError as error:
        sys.exit(str(error))
    Path(result).write_bytes(pickle.dumps(outputs))


def outputs_of(source: Source) -> list[bytes]:
    """The pickled output of each input.

    Raises:
        JobError: the job has a mistake.
    """
    job = import_job(source)
    run = job.ready()
    outputs = []
    for index, given in enumerate(inputs_of(job)):
        what = f"run(input {index})"
        # This process has made the pickle.
        output = job.call(what, run, pickle.loads(given))  # noqa: S301
        outputs.append(packed(output, f"the output of {what}"))
    return outputs


if __name__ == "__main__":
    main()
