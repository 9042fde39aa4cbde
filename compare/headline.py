"""The answer in three sentences: which is fastest, what a task costs, what a share of a core is.

Every sentence has its numbers and says what was not shown.  Nothing is extrapolated to other
machines.
"""

from collections.abc import Sequence

from compare.experiments.fractional import CPUS, WARM
from compare.machine_cautions import cores_of
from compare.metrics import ADMITTED
from compare.observations import Observations, valid
from compare.records import CEILING, SERIAL, Row, Run, original_of
from compare.statistics import all_pairs, throughput_ratio
from compare.wording import estimate, listed, number, plural, seconds, seconds_of, short


def headline(run: Run, rows: Sequence[Row]) -> tuple[str, ...]:
    """One sentence for each of the first three experiments that is in the plan, in that order;
    for a plan without them, what was asked.
    """
    sentences = {
        "throughput": _fastest(run, rows),
        "overhead": _task_cost(run, rows),
        "fractional": _small_share(rows),
    }
    told = tuple(sentences[name] for name in sentences if name in run.plan.experiments)
    return told or (_asked(run),)


def _asked(run: Run) -> str:
    experiments = listed([f"`{name}`" for name in run.plan.experiments])
    engines = listed([f"`{name}`" for name in run.plan.engines])
    return f"Asked was {experiments} on {engines}; the tables below answer."


def fastest_engine(rows: Sequence[Row]) -> str | None:
    """The engine with the highest throughput; neither the ceiling nor a control is one."""
    found = {
        row.engine: row.value
        for row in rows
        if row.metric == row.experiment == "throughput"
        and isinstance(row.value, float)
        and _is_engine(row.engine)
    }
    return max(found, key=lambda engine: found[engine], default=None)


def _is_engine(name: str) -> bool:
    return name != CEILING and original_of(name) == name


def _fastest(run: Run, rows: Sequence[Row]) -> str:
    best = fastest_engine(rows)
    plan = run.plan
    if best is None or plan.workload is None:
        return "No engine gave a valid throughput."
    row = next(
        row for row in rows if row.metric == row.experiment == "throughput" and row.engine == best
    )
    cores = cores_of(run)
    machine = "this machine" if cores is None else f"this machine with {plural(cores, 'core')}"
    said = (
        f"On {machine}, `{best}` had the highest throughput with {plural(plan.workers, 'worker')} "
        f"and {plural(len(plan.workload.images), 'image')}, {estimate(row)} images/s"
    )
    # The fastest of several is compared with each of the others: one at a time, of five equal
    # engines it would seem to differ from some other in a quarter of the runs.
    apart = {frozenset((one.engine, one.other)) for one in all_pairs(run) if one.difference_shown}
    shown, tied, without = [], [], []
    for other in dict.fromkeys(
        row.engine for row in rows if row.metric == row.experiment == "throughput"
    ):
        if other == best or not _is_engine(other):
            continue
        ratio = throughput_ratio(run, best, other)
        if ratio is None:
            without.append(f"`{other}`")
        elif frozenset((best, other)) in apart:
            shown.append(f"`{other}` ({number(ratio.value)} ×)")
        else:
            tied.append(f"`{other}` ({number(ratio.value)} ×)")
    told = [said]
    if shown:
        told.append(f"the difference to {listed(shown)} is shown")
    if tied:
        one = "from one block there is " if plan.blocks == 1 else ""
        told.append(f"{one}no difference shown to {listed(tied)}")
    if without:
        told.append(f"no valid number of {listed(without)} in the same blocks")
    return "; ".join(told) + "."


def _task_cost(run: Run, rows: Sequence[Row]) -> str:
    costs, sizes = (
        [
            f"{seconds_of(row)} on `{row.engine}`"
            for row in rows
            if row.metric == metric
            and row.experiment == "overhead"
            and isinstance(row.value, float)
            and _is_engine(row.engine)
            and row.engine != SERIAL
        ]
        for metric in ("per_task_cost", "metg50")
    )
    if not costs:
        return "No engine gave a valid cost per task."
    told = [f"An empty task costs {listed(costs)}"]
    if sizes:
        told.append(f"half of the workers' time is useful when a task lasts {listed(sizes)}")
    task_s = _task_s(run)
    if task_s is not None:
        told.append(f"the image tasks here took {seconds(task_s)}")
    return "; ".join(told) + "."


def _task_s(run: Run) -> float | None:
    """Mean duration of an image task on the ceiling."""
    spans = [
        span
        for task_run in valid(Observations(run).throughput(CEILING)).values()
        for span in task_run.spans or ()
    ]
    return sum(span.end_s - span.start_s for span in spans) / len(spans) if spans else None


def _small_share(rows: Sequence[Row]) -> str:
    warm = [
        row
        for row in rows
        if row.experiment == "fractional" and _is_engine(row.engine)
        if CPUS in row.case and row.case["phase"] == WARM
    ]
    if not warm:
        return "No engine was asked for a share of a core."
    share = min(float(row.case[CPUS]) for row in warm)
    here = [row for row in warm if row.case[CPUS] == share]
    peaks = {row.engine: row for row in here if row.metric == "peak_concurrency"}
    accuracy = {row.engine: row for row in here if row.metric == "admission_accuracy"}
    said = []
    cannot = []
    for row in here:
        if row.metric != ADMITTED:
            continue
        if row.value is None and (row.verdict or "").startswith("not applicable"):
            cannot.append(f"`{row.engine}`")
        else:
            said.append(_answer(row, peaks[row.engine], accuracy[row.engine]))
    if cannot:
        said.append(f"{listed(cannot)} cannot express it")
    return f"Of tasks that ask for {share:g} CPU, " + "; ".join(said) + "."


def _answer(admitted: Row, peak: Row, accuracy: Row) -> str:
    engine = f"`{admitted.engine}`"
    if admitted.value == "rejected":
        return f"{engine} rejects them"
    if not isinstance(peak.value, float) or not isinstance(accuracy.value, float):
        return f"{engine} gave no number ({short(admitted.verdict or 'not measured')})"
    fitting = round(peak.value / accuracy.value) if accuracy.value else 0
    said = f"runs {peak.value:.0f} at once where {fitting} fit"
    if admitted.value == "rounded":
        return f"{engine} rounds the share up to whole cores and {said}"
    over = ", too many" if accuracy.value > 1 else ""
    return f"{engine} {said}{over}"
