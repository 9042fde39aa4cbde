"""The commands, each written as a table of contents of its steps."""

import os
import shutil
import signal
from collections.abc import Set as AbstractSet
from pathlib import Path

from compare import console
from compare.analysis import diff
from compare.analysis.advice import advise
from compare.analysis.analysis import Analysis, analyse
from compare.analysis.history import NoHistoryError, history
from compare.console import print_plan, print_report, say, show
from compare.errors import UsageError
from compare.execution import Execution, announced
from compare.history_questions import AskedHistory, case_of, read_runs
from compare.job_questions import Asked, Description, job_of, needed, record_for_advice
from compare.measure import machine
from compare.options import Options, differing, planned_fields, spelled
from compare.plan.digests import check_unchanged
from compare.plan.duration import workload_image_s
from compare.plan.job import check_unchanged as check_job_unchanged
from compare.plan.resolve import canonical, check_writable, prepare
from compare.records.measurements import Run
from compare.records.plan import Plan, Session
from compare.records.store import RunFolder, StoreError
from compare.report.advice_text import (
    advice_json,
    advice_sentences,
    advice_table,
    job_sentence,
)
from compare.report.diff_table import diff_table
from compare.report.history_table import history_sentences, history_table, title
from compare.report.markdown import details_markdown, summary_markdown
from compare.report.page import report_page
from compare.report.summary_json import summary_json
from compare.report.trace import trace_json
from compare.run.compose import ComposeError, check_docker
from compare.run.job_outputs import reference_outputs
from compare.run.leftovers import stop_on_signals
from compare.run.preflight import check_host, preflight
from compare.run.runner import alone_on_this_machine, another_run, drop_interrupted, remaining
from workload import example_job

_OK, _SOMETHING_FAILED, _BAD_INPUT, _INTERRUPTED = 0, 1, 2, 130


def start_run(options: Options) -> int:
    """Start a new run; returns the exit code."""
    stop_on_signals()
    check_host()
    if options.composed:
        check_docker()
    if options.job is not None:
        say(f"Trying {options.job} once, in a process of its own.")
    if options.images is not None:
        say(f"Checking the images in {options.images} …")
    plan = prepare(options)
    image_s = workload_image_s(plan.workload)
    _print_plan(plan, image_s, options.out)
    if options.dry_run:
        return _dry()
    folder = RunFolder(options.out / plan.run_id)
    with alone_on_this_machine():
        folder.create(plan, machine.collect(plan.engines))
        with reference_outputs(plan):
            return _execute(folder, plan, list(plan.sessions), image_s)


def resume_run(run_dir: Path, options: Options, given: AbstractSet[str]) -> int:
    """Finish an interrupted run with its stored plan; returns the exit code.

    ``given`` contains the names of the options that the user gave together with ``--resume``.
    """
    stop_on_signals()
    check_host()
    folder = RunFolder(run_dir)
    run = folder.read()
    _check_same_options(run.plan, run_dir, options, given)
    _check_same_machine(run, run_dir)
    if run.plan.workload is not None:
        check_unchanged(run.plan.workload, run_dir)
    check_writable(run_dir)
    image_s = workload_image_s(run.plan.workload)
    _print_plan(run.plan, image_s, run_dir)
    sessions = remaining(run.plan, run.records)
    done = len(run.plan.sessions) - len(sessions)
    say(f"{done} of {len(run.plan.sessions)} sessions are already on disk")
    if options.dry_run:
        return _dry()
    with alone_on_this_machine():
        drop_interrupted(folder)
        with reference_outputs(run.plan):
            return _execute(folder, run.plan, sessions, image_s)


def write_example_job(file: Path) -> int:
    """Write an example of the user's own job; returns the exit code.

    Raises:
        UsageError: the file exists, or cannot be written.
    """
    example = Path(example_job.__file__).read_text(encoding="utf-8").replace("FILE", str(file))
    try:
        with file.open("x", encoding="utf-8") as new:
            new.write(example)
    except FileExistsError as error:
        raise UsageError(f"{file} exists and is left as it is; name another file") from error
    except OSError as error:
        raise UsageError(f"cannot write {file}: {error.strerror}; name another file") from error
    say(f"Change {file} to your own work, then: python -m compare --job {file}")
    return _OK


def _dry() -> int:
    """End a dry run, which disturbs no other run, but tells of it."""
    if (busy := another_run()) is not None:
        say(busy, style="yellow")
    return _OK


def show_report(run_dir: Path) -> int:
    """Write the report of a run again from its records; returns the exit code."""
    run = RunFolder(run_dir).read()
    analysis = analyse(run)
    write_report(run_dir, run, analysis)
    print_report(analysis, run_dir)
    return _OK


def serve_run(run_dir: Path | None, port: int) -> int:
    """Serve a run to the browser until Ctrl-C; returns the exit code."""
    from compare.serve import serve  # a web server takes a while to import

    if run_dir is None:
        run_dir = _newest_run(Options().out)
    serve(run_dir, port)
    return _OK


def _newest_run(out: Path) -> Path:
    """The run that was started last.

    Raises:
        UsageError: there is none.
    """
    runs = sorted(path.parent for path in out.glob("*/plan.json"))
    if not runs:
        raise UsageError(f"{out} holds no run; name the folder of one")
    return runs[-1]


def show_differences(run_a: Path, run_b: Path, *, anyway: bool) -> int:
    """Print what changed between two runs; returns 1 if something got significantly slower."""
    a, b = (analyse(RunFolder(path).read()) for path in (run_a, run_b))
    try:
        differences = diff.compare_runs(a, b, anyway=anyway)
    except diff.DifferentPlansError as error:
        raise UsageError(str(error)) from error
    show(diff_table(differences))
    return _SOMETHING_FAILED if differences.slower else _OK


def show_advice(said: Description, asked: Asked, *, as_json: bool) -> int:
    """Print what a job is expected to take on each engine; returns the exit code."""
    needs = needed(asked.needs)
    folder = record_for_advice(asked)
    job = job_of(said)
    analysis = analyse(folder.read())
    advice = advise(analysis, job, needs, record=f"{folder.path}")
    if not advice.predictions:
        raise UsageError(
            f"{folder.path} has no prediction for this job: {'; '.join(advice.left_out.values())}"
        )
    if as_json:
        say(advice_json(advice))
        return _OK
    say(job_sentence(job, said.job if said.task_s is None else None))
    show(advice_table(advice))
    for sentence in advice_sentences(advice, analysis.environment):
        say(sentence)
    return _OK


def show_history(asked: AskedHistory) -> int:
    """Print a metric over the runs of a folder, and draw it; returns the exit code."""
    runs, unreadable = read_runs(asked.results)
    try:
        found = history(runs, asked.metric, case_of(asked.case), anyway=asked.anyway)
    except NoHistoryError as error:
        raise UsageError(f"{asked.results}: {error}") from error
    say(title(found))
    show(history_table(found))
    for sentence in (*history_sentences(found), *unreadable):
        say(sentence)
    if asked.out is not None:
        from compare.report.plot_history import write_history

        try:
            write_history(found, asked.out)
        except OSError as error:
            raise UsageError(f"cannot write {asked.out}: {error.strerror}") from error
        say(f"Drawn in {asked.out}")
    return _OK


def write_report(run_dir: Path, run: Run, analysis: Analysis) -> None:
    """Write summary.json, summary.md, details.md, report.html, plots/ and trace.json; they depend
    only on the records.

    Raises:
        UsageError: the files cannot be written.
    """
    # Not above: a plan, or a refusal, need not wait for matplotlib.
    from compare.report.plots import write_plots

    try:
        _replace(run_dir / "summary.json", summary_json(analysis))
        _replace(run_dir / "summary.md", summary_markdown(analysis))
        _replace(run_dir / "details.md", details_markdown(analysis))
        write_plots(analysis, run_dir / "plots")
        _replace(run_dir / "report.html", report_page(analysis, run_dir / "plots"))
        _replace(run_dir / "trace.json", trace_json(run))
    except OSError as error:
        raise _unwritten(run_dir, error) from error


def _unwritten(folder: Path, error: OSError) -> UsageError:
    return UsageError(
        f"cannot write to {folder}: {error.strerror}; the records are kept: make room, then write "
        "the report with 'python -m compare report RUN_DIR'"
    )


def _print_plan(plan: Plan, image_s: float, out: Path) -> None:
    """Check this host and print the plan, with what was found.

    Raises:
        UsageError: the run cannot succeed here.
    """
    print_plan(plan, announced(plan, image_s), preflight(plan, out))


def _execute(folder: RunFolder, plan: Plan, sessions: list[Session], image_s: float) -> int:
    interrupted = False
    full: StoreError | None = None
    try:
        with console.shown() as progress:
            Execution(folder, plan, image_s, progress).run(sessions)
    except ComposeError as error:
        raise UsageError(str(error)) from error
    except StoreError as error:
        full = error
        say("Stopped. Writing the report from the measurements so far.")
    except KeyboardInterrupt:
        interrupted = True
        say("\nStopped. Writing the report from the measurements so far.")
    # Writing the report takes seconds and must not be interrupted.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    run = folder.read()
    analysis = analyse(run)
    try:
        write_report(folder.path, run, analysis)
        _publish(folder.path)
    except UsageError as error:
        # The reason of the first failure names the way to go on.
        raise full or error from error
    print_report(analysis, folder.path.parent)
    if full is not None:
        raise full
    if interrupted:
        say(f"Finish the run with: python -m compare --resume {folder.path}")
        return _INTERRUPTED
    if plan.missing:
        return _BAD_INPUT
    return _SOMETHING_FAILED if analysis.failed else _OK


def _publish(run_dir: Path) -> None:
    """Copy the run's report to the results folder; its links point into the run's folder.

    Raises:
        UsageError: the files cannot be written.
    """
    out = run_dir.parent
    text = (run_dir / "summary.md").read_text(encoding="utf-8")
    for linked in ("plots/", "trace.json)", "details.md)"):
        text = text.replace(f"]({linked}", f"]({run_dir.name}/{linked}")
    try:
        _replace(out / "summary.md", text)
        for name in ("summary.json", "report.html"):
            shutil.copyfile(run_dir / name, out / name)
    except OSError as error:
        raise _unwritten(out, error) from error


def _replace(path: Path, text: str) -> None:
    new = path.with_name(path.name + ".new")
    new.write_text(text, encoding="utf-8")
    new.replace(path)


def _check_same_options(
    plan: Plan, run_dir: Path, options: Options, given: AbstractSet[str]
) -> None:
    """Check that the options given with ``--resume`` do not contradict the stored plan.

    Raises:
        UsageError: an option contradicts the plan; the message names the first.
    """
    stored = plan.effective_options()
    names = (name for name in planned_fields() if name in given)
    for name in differing(canonical(options), stored, names):
        planned = getattr(stored, name)
        raise UsageError(
            f"{spelled(name)} {getattr(options, name)} does not fit {run_dir}, which was planned "
            f"{f'with {planned}' if planned not in (None, False) else 'without it'}; leave it out, "
            "or start a new run"
        )


def _check_same_machine(run: Run, run_dir: Path) -> None:
    """Check that the machine is the same: halves from two machines are not a comparison.

    Raises:
        UsageError: the machine or a version has changed.
    """
    now = machine.collect(run.plan.engines)
    # On clusters the priority of the driver is not that of the workers.
    niceness = 0 if run.plan.clusters else os.getpriority(os.PRIO_PROCESS, 0)
    if niceness != run.plan.niceness:
        raise UsageError(
            f"{run_dir} was started at niceness {run.plan.niceness}, and this program runs at "
            f"{niceness}; start it as before, or start a new run"
        )
    for fact in dict.fromkeys((*run.environment, *now)):
        if fact not in machine.PASSING and now.get(fact) != run.environment.get(fact):
            raise UsageError(
                f"{run_dir} was started with different {fact.replace('_', ' ')} "
                f"({run.environment.get(fact)}, now {now.get(fact)}); start a new run"
            )
    if run.plan.job is not None:
        check_job_unchanged(run.plan.job)
