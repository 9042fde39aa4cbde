"""Where the length of a job's tasks lies on the efficiency curves of the same run."""

import statistics
from collections.abc import Mapping

from compare.experiments.experiment import Facts
from compare.experiments.overhead import sweep_cases
from compare.formatting import enumeration, seconds
from compare.observations.metg import Limit, efficiency_of_work
from compare.observations.reader import Observations, valid
from compare.records.plan import CEILING, SERIAL, is_contender


def on_the_curves(facts: Facts, lengths_s: Mapping[str, float]) -> str | None:
    """The efficiency that each engine reaches with tasks as long as those of the job.

    ``lengths_s`` are the lengths of a task by engine; that on the ceiling counts.  ``None`` if the
    run has no efficiency curve.
    """
    task_s = lengths_s.get(CEILING) or lengths_s.get(SERIAL)
    if task_s is None:
        return None
    told = [
        f"{efficiency} on `{engine}`"
        for engine in facts.observations.plan.engines
        if is_contender(engine) and engine != SERIAL
        if (efficiency := _efficiency(facts.observations, engine, task_s)) is not None
    ]
    if not told:
        return None
    return (
        f"A task takes {seconds(task_s)}; with tasks of that length, the efficiency curves of this "
        f"run reach {enumeration(told)}."
    )


def _efficiency(observations: Observations, engine: str, task_s: float) -> str | None:
    """The mean of the blocks; beyond the sweep, that of its end is a limit."""
    sweeps = [
        swept.busy
        for case in sweep_cases(observations.plan, engine)
        for swept in valid(observations.sweep(engine, case)).values()
    ]
    found = [efficiency_of_work(one, task_s) for one in sweeps]
    limits = [one.more for one in found if isinstance(one, Limit)]
    known = [one.value if isinstance(one, Limit) else one for one in found if one is not None]
    if not known:
        return None
    limit = ("at least " if limits[0] else "at most ") if limits else ""
    return f"{limit}{statistics.fmean(known):.0%}"
