"""What the commands do: run a plan with progress, resume one, write and show the report."""

import os
import shutil
import signal
import sys
import time
from collections.abc import Iterator, Mapping
from collections.abc import Set as AbstractSet
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console

from compare import differences, environment, plots, report, statistics, trace
from compare.cautions import cautions
from compare.composed import Composed, ComposeError, check_docker
from compare.errors import UsageError
from compare.estimate import image_s as estimated_image_s
from compare.experiments import EXPERIMENTS
from compare.experiments.fractional import Fractional, resource_of
from compare.plan import expected_s
from compare.prepare import COMPOSE, Flags, check_writable, prepare
from compare.processes import stop_on_signals
from compare.progress import Progress
from compare.records import (
    Failure,
    Lifecycle,
    OwnTrace,
    Plan,
    Record,
    Rejected,
    Run,
    Session,
    TaskRun,
    original_of,
)
from compare.runner import (
    BusyError,
    Way,
    alone_on_this_machine,
    failed,
    remaining,
    run_session,
    start_here,
)
from compare.store import RunFolder, StoreError
from compare.wording import plural

_OK, _SOMETHING_FAILED, _BAD_INPUT, _INTERRUPTED = 0, 1, 2, 130

# In a log there is no width to keep to, and the table is wider than the 80 columns assumed there.
_WIDTH = None if sys.stdout.isatty() or "COLUMNS" in os.environ else 120
console = Console(highlight=False, width=_WIDTH)


def _say(sentence: str, style: str | None = None) -> None:
    """One line, however long: it may be read from a log."""
    console.print(sentence, style=style, markup=False, soft_wrap=True)


def start_run(flags: Flags) -> int:
    """A new run; returns the exit code."""
    stop_on_signals()
    if flags.on == COMPOSE:
        check_docker()
    plan = prepare(flags)
    image_s = estimated_image_s(plan.workload)
    _print_plan(plan, image_s)
    if flags.dry_run:
        return _OK
    folder = RunFolder(flags.out / plan.run_id)
    with _lock():
        folder.create(plan, environment.collect(plan.engines))
        return _execute(folder, plan, list(plan.sessions), image_s)


def resume_run(run_dir: Path, flags: Flags, given: AbstractSet[str]) -> int:
    """Finish an interrupted run with the plan that is stored in it; returns the exit code."""
    stop_on_signals()
    with _readable():
        folder = RunFolder(run_dir)
        run = folder.read()
    _check_fits(run, run_dir, flags, given)
    check_writable(run_dir)
    image_s = estimated_image_s(run.plan.workload)
    with _lock():
        sessions = remaining(run.plan, folder)
        _print_plan(run.plan, image_s)
        done = len(run.plan.sessions) - len(sessions)
        _say(f"{done} of {len(run.plan.sessions)} sessions are on disk already")
        if flags.dry_run:
            return _OK
        return _execute(folder, run.plan, sessions, image_s)


def show_report(run_dir: Path) -> int:
    """Say it again from the records; returns the exit code."""
    with _readable():
        run = RunFolder(run_dir).read()
    _write_report(run_dir, run)
    _print_report(run, run_dir / "summary.md")
    return _OK


def show_differences(run_a: Path, run_b: Path, *, anyway: bool) -> int:
    """What changed from one run to another; 1 when something got significantly slower."""
    with _readable():
        a, b = RunFolder(run_a).read(), RunFolder(run_b).read()
    try:
        found = differences.compare_runs(a, b, anyway=anyway)
    except differences.DifferentPlansError as error:
        raise UsageError(str(error)) from error
    console.print(differences.console_table(found))
    return _SOMETHING_FAILED if found.slower else _OK


def _execute(folder: RunFolder, plan: Plan, sessions: list[Session], image_s: float) -> int:
    interrupted = False
    try:
        _run_all(folder, plan, sessions, image_s)
    except ComposeError as error:
        raise UsageError(str(error)) from error
    except KeyboardInterrupt:
        interrupted = True
        _say("\nStopped. Writing the report from what was measured.")
    # What was measured must be told, whatever key is pressed now; it takes seconds.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    run = folder.read()
    _write_report(folder.path, run)
    _publish(folder.path)
    _print_report(run, folder.path.parent / "summary.md")
    if interrupted:
        _say(f"Finish it with: python -m compare --resume {folder.path}")
        return _INTERRUPTED
    if plan.missing:
        return _BAD_INPUT
    return _SOMETHING_FAILED if _failed(run) else _OK


def _run_all(folder: RunFolder, plan: Plan, sessions: list[Session], image_s: float) -> None:
    """One line before and one after each session, and nothing while it is measured."""
    composed = Composed(plan, folder) if plan.composed else None
    try:
        if composed is not None:
            _say("Building the image of the nodes, some minutes the first time")
            composed.build()
        _run_each(folder, plan, sessions, image_s, composed)
    finally:
        if composed is not None:
            composed.close()


def _run_each(
    folder: RunFolder,
    plan: Plan,
    sessions: list[Session],
    image_s: float,
    composed: Composed | None,
) -> None:
    progress = Progress((session, expected_s(plan, session, image_s)) for session in sessions)
    for session in sessions:
        _say(
            f"[{session.position + 1}/{len(plan.sessions)}] block {session.block}, "
            f"{session.engine}: {_contents(session)}; {_duration(progress.left_s())} left"
        )
        started_s = time.monotonic()
        if composed is None:
            records = run_session(plan, session, folder, image_s, Way(start_here))
        else:
            records = _in_containers(composed, plan, session, folder, image_s)
        progress.finished(session, time.monotonic() - started_s)
        _say(f"    {_outcome(session, records)}")


def _in_containers(
    composed: Composed, plan: Plan, session: Session, folder: RunFolder, image_s: float
) -> list[Record]:
    try:
        with composed.cluster(session) as cluster_start_s:
            way = Way(composed.start, cluster_start_s)
            return run_session(plan, session, folder, image_s, way)
    except ComposeError as error:
        return [failed(session, folder, str(error))]


def _contents(session: Session) -> str:
    names = list(dict.fromkeys(case.experiment for case in session.cases))
    told = ", ".join(names) or "start and stop"
    return f"{told}, traced and not timed" if session.traced else told


def _outcome(session: Session, records: list[Record]) -> str:
    """What a session found, in half a line; the report says it properly."""
    told = [
        f"FAILED: {record.reason.splitlines()[0]}"
        for record in records
        if isinstance(record, Failure)
    ]
    told += [
        f"{plural(len(record.spans), 'span')} of its own"
        for record in records
        if isinstance(record, OwnTrace)
    ]
    runs = [] if session.traced else [r for r in records if isinstance(r, TaskRun)]
    told += [
        f"{run.items / run.makespan_s:.2f} images/s"
        for run in runs
        if run.case.experiment == "throughput"
    ]
    no_ops = [run.tasks / run.makespan_s for run in runs if run.case.experiment == "overhead"]
    if no_ops:
        told.append(f"{max(no_ops):,.0f} no-ops/s")
    shares = {
        resource_of(record.case)
        for record in records
        if isinstance(record, TaskRun | Rejected)
        and isinstance(EXPERIMENTS[record.case.experiment], Fractional)
    }
    if shares:
        told.append(f"{len(shares)} shares")
    wall_s = [record.wall_s for record in records if isinstance(record, Lifecycle)]
    if wall_s:
        told.append(f"took {wall_s[0]:.0f} s")
    return "; ".join(told)


def _duration(seconds: float) -> str:
    in_seconds = seconds < 90  # noqa: PLR2004 - where minutes begin to read better
    return f"about {seconds:.0f} s" if in_seconds else f"about {seconds / 60:.0f} min"


def _print_plan(plan: Plan, image_s: float) -> None:
    for engine, reason in plan.missing.items():
        _say(f"{engine} will not be measured: {reason}", style="yellow")
    if plan.clusters:
        told = "containers" if plan.composed else ", ".join(plan.clusters.values())
        _say(f"On clusters of {plan.workers} workers: {told}.")
    if plan.workers > environment.cores() and (plan.composed or not plan.clusters):
        _say(
            f"{plan.workers} workers on {environment.cores()} cores: they will wait for each other",
            style="yellow",
        )
    total_s = sum(expected_s(plan, session, image_s) for session in plan.sessions)
    _say(
        f"Run {plan.run_id}: {', '.join(plan.experiments)} on {', '.join(plan.engines)}; "
        f"{plan.workers} workers of {plan.threads_per_worker} threads, {plan.config.value}; "
        f"{plan.blocks} blocks, {len(plan.sessions)} sessions, {_duration(total_s)}."
    )
    if plan.workload is not None:
        workload = plan.workload
        _say(
            f"{len(workload.images)} images in chunks of {workload.chunk}, {workload.model} in "
            f"{workload.dtype}; {len(workload.images_skipped)} files skipped."
        )
        for skipped in workload.images_skipped:
            _say(f"  skipped {skipped}")


def _write_report(run_dir: Path, run: Run) -> None:
    """summary.json, summary.md, plots/ and trace.json: functions of the records alone."""
    rows = statistics.rows(run)
    with _writable(run_dir):
        _replace(run_dir / "summary.json", report.summary_json(run))
        _replace(run_dir / "summary.md", report.summary_markdown(run))
        plots.write_plots(run, rows, run_dir / "plots")
        _replace(run_dir / "trace.json", trace.trace_json(run))


def _publish(run_dir: Path) -> None:
    """Copy the newest run's summary to where everybody looks; what it links to stays there."""
    out = run_dir.parent
    text = (run_dir / "summary.md").read_text()
    for linked in ("plots/", "trace.json)"):
        text = text.replace(f"]({linked}", f"]({run_dir.name}/{linked}")
    _replace(out / "summary.md", text)
    shutil.copyfile(run_dir / "summary.json", out / "summary.json")


def _replace(path: Path, text: str) -> None:
    new = path.with_name(path.name + ".new")
    new.write_text(text)
    new.replace(path)


def _print_report(run: Run, where: Path) -> None:
    rows = statistics.rows(run)
    for table in report.console_tables(run, rows):
        console.print(table)
    for caution in cautions(run, rows):
        _say(f"• {caution}")
    _say(f"Read {where}")


def _failed(run: Run) -> bool:
    return any(isinstance(record, Failure) for record in run.records) or any(
        row.verdict is not None and row.verdict.startswith("INVALID")
        for row in statistics.rows(run)
    )


def _check_fits(run: Run, run_dir: Path, flags: Flags, given: AbstractSet[str]) -> None:
    """Flags beside --resume may repeat the stored plan but not contradict it.

    And the machine must be the one it began on: half a run from each of two is no comparison.
    """
    plan = run.plan
    workload = plan.workload
    stored: dict[str, object] = {
        "preset": plan.preset,
        "workers": plan.workers,
        "threads_per_worker": plan.threads_per_worker,
        "blocks": plan.blocks,
        "config": plan.config,
        "seed": plan.seed,
        "control": next((original_of(e) for e in plan.engines if original_of(e) != e), None),
        "native_trace": plan.native_trace,
        "on": COMPOSE if plan.composed else _listed(plan.clusters),
        "link_rate": plan.link_rate,
        "ship": "bytes" if plan.shipped else "paths",
        "model": workload.model if workload else None,
        "dtype": workload.dtype if workload else None,
        "chunk": workload.chunk if workload else None,
        "n_images": len(workload.images) if workload else None,
        "engines": ",".join(plan.engines),
        "experiments": ",".join(plan.experiments),
    }
    for name in sorted(given & stored.keys()):
        if not _same(name, getattr(flags, name), stored[name]):
            raise UsageError(
                f"--{name.replace('_', '-')} {getattr(flags, name)} does not fit {run_dir}, which "
                f"was planned with {stored[name]}; leave it out, or start a new run"
            )
    now = environment.collect(plan.engines)
    for fact in ("cpu_model", "cores", "versions"):
        if now.get(fact) != run.environment.get(fact):
            raise UsageError(
                f"{run_dir} was begun with other {fact.replace('_', ' ')} than there are now "
                f"({run.environment.get(fact)}, now {now.get(fact)}); start a new run"
            )
    gone = [path for path in (workload.images if workload else ()) if not Path(path).is_file()]
    if gone:
        raise UsageError(f"{gone[0]} of {run_dir} is gone; restore it, or start a new run")


def _listed(clusters: Mapping[str, str]) -> str | None:
    return ",".join(f"{engine}={address}" for engine, address in clusters.items()) or None


def _same(name: str, asked: object, stored: object) -> bool:
    if name in ("engines", "experiments"):
        names = set(str(stored).split(","))
        return asked == "all" or set(str(asked).replace(" ", "").split(",")) <= names
    return asked == stored


@contextmanager
def _lock() -> Iterator[None]:
    try:
        with alone_on_this_machine():
            yield
    except BusyError as error:
        raise UsageError(str(error)) from error


@contextmanager
def _readable() -> Iterator[None]:
    try:
        yield
    except StoreError as error:
        raise UsageError(str(error)) from error


@contextmanager
def _writable(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise UsageError(
            f"cannot write to {folder}: {error.strerror}; its records are kept"
        ) from error
