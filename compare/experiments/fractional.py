"""What a share of a core means: sleeping tasks that each ask for 1, ½, ¼ or 0.1 of one.

As many tasks as fit are submitted, floor(C/f), and a quarter more that sleep only briefly: an
engine that admits too many is seen to run them at once, one that keeps its word is not slowed.
"""

from collections.abc import Iterator
from fractions import Fraction

from compare.bench import Bench, refine
from compare.presets import Preset
from compare.records import Case, Plan, Record, Rejected, TaskRun, Workload
from engines.errors import CpusRejectedError
from workload import sleep

SHARES = (1.0, 0.5, 0.25, 0.1)
_PROBE_SECONDS = 0.2
_FILL_SECONDS = 0.5
_FILL_WAVES = 10


def cases(preset: Preset, _workload: Workload | None) -> tuple[Case, ...]:
    """One a share, the largest first: each needs at least the processes of the one before."""
    return tuple(
        Case(
            experiment="fractional",
            parameters={"cpus": cpus, "seconds": preset.nap_s, "probe_seconds": _PROBE_SECONDS},
        )
        for cpus in SHARES
    )


def expected_s(_plan: Plan, case: Case, _workers: int, _image_s: float) -> float:
    """A cold wave, which starts processes, at least one that starts the rest, and a warm one."""
    return 2 * (float(case.parameters["seconds"]) + _PROBE_SECONDS) + _FILL_SECONDS + 1.5


def measure(bench: Bench, case: Case) -> Iterator[Record]:
    """The first wave at this share, and one when the engine has started all that it starts; or
    the engine's words of refusal.
    """
    cpus = float(case.parameters["cpus"])
    fitting = slots(bench.plan.workers, cpus)
    cold, warm = refine(case, phase="cold"), refine(case, phase="warm")
    try:
        yield _wave(bench, cold, cpus, fitting)
    except CpusRejectedError as refusal:
        for phase in (cold, warm):
            yield Rejected(**bench.head(), case=phase, words=str(refusal))
        return
    _fill(bench, cpus, fitting)
    yield _wave(bench, warm, cpus, fitting)


def _wave(bench: Bench, case: Case, cpus: float, fitting: int) -> TaskRun:
    label = bench.label()
    tasks = [sleep.task(label, float(case.parameters["seconds"]))] * fitting
    tasks += [sleep.task(label, _PROBE_SECONDS)] * max(1, fitting // 4)
    return bench.run(case, tasks, cpus=cpus)


def _fill(bench: Bench, cpus: float, fitting: int) -> None:
    """Unmeasured waves until as many tasks as fit have run in workers of their own.

    Ray and Spark run a task in a process, which they start when there is demand and no idle one:
    the cold wave ends before all have been started.
    """
    case = Case(experiment="fractional", parameters={})
    for _ in range(_FILL_WAVES):
        tasks = [sleep.task(bench.label(), _FILL_SECONDS)] * fitting
        if bench.run(case, tasks, cpus=cpus).workers_seen >= fitting:
            return


def slots(cores: int, cpus: float) -> int:
    """floor(C / f) of the decimal that was written, not of its binary neighbour."""
    return int(Fraction(cores) / Fraction(str(cpus)))
