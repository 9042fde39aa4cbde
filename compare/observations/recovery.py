"""What a fault cost: of one batch with a fault and its undisturbed twin.  Pure functions."""

import statistics
from collections.abc import Mapping, Sequence

from compare.observations.compound import Trial
from compare.observations.reader import Observations, cases_of, engines, valid

BACK = 0.95
"""Share of the usual rate at which an engine has recovered."""
_WINDOW = 4
"""Tasks per worker over which a rate is taken."""


def first_trials(observations: Observations, experiment: str) -> Mapping[tuple[str, str], Trial]:
    """The trial of the first valid block, by engine and fault."""
    found: dict[tuple[str, str], Trial] = {}
    for engine in engines(observations.plan):
        for case in cases_of(observations.plan, engine, experiment):
            if "fault" in case.parameters and (trials := valid(observations.trials(engine, case))):
                found[engine, str(case.parameters["fault"])] = trials[min(trials)]
    return found


def correct(trial: Trial) -> float:
    """1 if every result came exactly once and is right, else 0."""
    faulty = trial.faulty
    return float(all(times == 1 for times in faulty.received) and not faulty.wrong)


def ran_twice(trial: Trial) -> float:
    """Tasks that workers started more than once."""
    return float(sum(times > 1 for times in trial.faulty.starts))


def time_lost_s(trial: Trial) -> float | None:
    """How much longer than its twin the batch took; ``None`` if it did not finish."""
    if trial.faulty.verdict != "finished":
        return None
    return trial.faulty.ended_s - trial.twin.makespan_s


def recovery_s(trial: Trial, workers: int) -> float | None:
    """Seconds from the fault until tasks end at the usual rate again.

    The rate is that of four tasks per worker in a row; the usual one is the median of the twin.
    The first task of the first such row marks the recovery.  ``None`` if there was none before the
    tasks ran out.
    """
    fault_s = trial.faulty.fault_s
    if fault_s is None:
        return None
    row = _WINDOW * workers
    usual = _durations(sorted(span.end_s for span in trial.twin.spans or ()), row)
    if not usual:
        return None
    usual_s = statistics.median(usual)
    since = [ended_s for ended_s in trial.faulty.completed_s if ended_s >= fault_s]
    for ended_s, took_s in zip(since, _durations(since, row), strict=False):
        if took_s <= usual_s / BACK:
            return ended_s - fault_s
    return None


def _durations(ended_s: Sequence[float], row: int) -> list[float]:
    """Seconds that each row of so many tasks in succession took."""
    return [last - first for first, last in zip(ended_s, ended_s[row:], strict=False)]
