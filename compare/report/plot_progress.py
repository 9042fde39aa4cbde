"""Draws how a batch went on after a fault, beside its undisturbed twin."""

from collections.abc import Sequence

from matplotlib.figure import Figure

from compare.analysis.analysis import Analysis
from compare.experiments.section import Progress
from compare.report.drawable import trials_of
from compare.report.plot_style import GREY, WIDTH, look

_ROOM = 1.12
"""Time that is shown, over the longest batch that finished; a hang is longer than any of them."""


def draw_progress(picture: Progress, experiment: str, analysis: Analysis) -> Figure:
    """The twin as a grey area and the batch with the fault as a line, engines on one time axis."""
    trials = trials_of(picture, experiment, analysis)
    figure = Figure(figsize=(WIDTH, 0.8 + 0.95 * len(trials)), layout="constrained")
    finished = [one.faulty.ended_s for one in trials.values() if one.faulty.verdict == "finished"]
    until_s = _ROOM * max(finished or [one.twin.makespan_s for one in trials.values()])
    stacked = figure.subplots(len(trials), sharex=True, squeeze=False)[:, 0]
    for axes, (engine, trial) in zip(stacked, trials.items(), strict=True):
        color, _marker = look(analysis, engine)
        faulty = trial.faulty
        twin = sorted(span.end_s for span in trial.twin.spans or ())
        axes.fill_between(*_steps(twin, until_s), step="post", color=GREY, alpha=0.35, linewidth=0)
        axes.step(*_steps(faulty.completed_s, until_s), where="post", color=color, linewidth=1.6)
        if faulty.fault_s is not None:
            axes.axvline(faulty.fault_s, color="black", linestyle=":", linewidth=1)
        axes.set_ylim(0, 1.08 * faulty.tasks)
        axes.set_yticks([0, faulty.tasks])
        axes.set_xlim(0, until_s)
        ended = f" after {faulty.ended_s:.1f} s" if faulty.verdict == "finished" else ""
        axes.set_title(f"{engine}: {faulty.verdict}{ended}", loc="left", fontsize=9)
    stacked[-1].set_xlabel(
        "seconds; line: tasks that had ended in a worker; grey: the same tasks undisturbed;\n"
        "dotted: the fault"
    )
    return figure


def _steps(ended_s: Sequence[float], until_s: float) -> tuple[list[float], list[int]]:
    """Times and numbers of ended tasks, from none at 0 to the end of the picture."""
    shown = [at_s for at_s in ended_s if at_s <= until_s]
    return [0.0, *shown, until_s], [*range(len(shown) + 1), len(shown)]
