"""Whether a share of a core is enforced or only counted."""

from compare.experiments.lying import ALONE, HONEST, LYING
from compare.metrics import Better, Metric, metric
from compare.observations import Runs
from compare.records import Case, Plan, TaskRun
from compare.studies.base import Column, Study


def _took_s(run: TaskRun) -> float | None:
    """From the start to the end of the neighbour's only task."""
    if not run.spans:
        return None
    return run.spans[0].end_s - run.spans[0].start_s


def _slowdown(runs: Runs, part: str) -> float | None:
    took_s, alone_s = _took_s(runs[part]), _took_s(runs[ALONE])
    return None if took_s is None or alone_s is None else took_s / alone_s


def _metrics(_plan: Plan, _case: Case) -> tuple[Metric[Runs], ...]:
    return (
        metric("neighbour_alone", "s", Better.NEITHER, lambda runs: _took_s(runs[ALONE])),
        metric("slowdown_honest", "× alone", Better.LOWER, lambda runs: _slowdown(runs, HONEST)),
        metric("slowdown_lying", "× alone", Better.LOWER, lambda runs: _slowdown(runs, LYING)),
    )


STUDY = Study(
    experiment="lying",
    title="The lying task",
    explanation="""One task asks for a core and uses it; as many others as fit beside it ask for
0.1 each.  *Honest* others sleep, *lying* ones burn a core each.  The slowdown is how much longer
the first task's own work took than alone: 1 means that its core was kept for it, more that a share
is only counted when tasks are placed, and nothing holds a task to it.""",
    axes=(),
    columns=(
        Column(metric="neighbour_alone", heading="alone (s)"),
        Column(metric="slowdown_honest", heading="beside honest tasks (×)"),
        Column(metric="slowdown_lying", heading="beside lying tasks (×)"),
    ),
    metrics=_metrics,
    parts=(ALONE, HONEST, LYING, f"{HONEST} others", f"{LYING} others"),
)
