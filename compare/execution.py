"""Runs the sessions of a plan, and plans more of them while there is time."""

import functools
import math
import time
from collections.abc import Sequence

from compare.analysis.analysis import Analysis, analyse
from compare.formatting import duration
from compare.observations.disturbance import disturbances, undisturbed_s
from compare.plan.duration import expected_s
from compare.plan.growth import OVERTIME, Knowledge, has_time, next_sessions, without_later_blocks
from compare.plan.resolve import precision
from compare.records.measurements import Lifecycle, Record, Run
from compare.records.plan import Plan, Session
from compare.records.store import RunFolder
from compare.report.progress import Progress
from compare.run.compose import Composed, ComposeError
from compare.run.runner import Way, failed, run_session, start_here
from compare.run.time_left import TimeLeft


class Execution:
    """One run on this machine."""

    def __init__(self, folder: RunFolder, plan: Plan, image_s: float, progress: Progress) -> None:
        self.plan = plan
        self._progress = progress
        self._folder = folder
        self._image_s = image_s
        self._composed: Composed | None = None
        self._cores: int | None = None
        self._time = TimeLeft()
        self._started_s = time.monotonic()

    def run(self, sessions: Sequence[Session]) -> None:
        """Run these sessions, those of the plan that are not on disk; then more, if there is time.

        Raises:
            ComposeError: the containers of a cluster cannot be built.
        """
        # The time of an interrupted run counts; its sessions are on disk.
        before = self._folder.read()
        self._started_s -= sum(r.wall_s for r in before.records if isinstance(r, Lifecycle))
        self._cores = _cores(before)
        self._expect(sessions)
        self._composed = Composed(self.plan, self._folder) if self.plan.options.composed else None
        try:
            if self._composed is not None:
                self._progress.say(
                    "Building the container image of the nodes; this takes some minutes at first"
                )
                self._composed.build()
            self._run_planned([session for session in sessions if not session.traced])
            if self.plan.options.minutes is not None:
                self._run_more()
            for session in sessions:
                if session.traced:
                    self._run_one(session)
        finally:
            if self._composed is not None:
                self._composed.close()

    def _run_planned(self, sessions: Sequence[Session]) -> None:
        for block in dict.fromkeys(session.block for session in sessions):
            in_block = [session for session in sessions if session.block == block]
            if block > 1 and not has_time(self.plan, block, self._fits):
                left = self.plan.blocks - block + 1
                self._progress.say(
                    f"There is no time for {left} of {self.plan.blocks} planned blocks as a whole."
                )
                self._time.forget(session for session in sessions if session.block >= block)
                self._replan(without_later_blocks(self.plan, block))
                return
            self._run_block(in_block)

    def _run_more(self) -> None:
        while True:
            more = next_sessions(self.plan, self._known(), self._fits)
            if not more:
                return
            self._expect(more)
            timed = tuple(session for session in self.plan.sessions if not session.traced)
            traced = tuple(session for session in self.plan.sessions if session.traced)
            self._replan(self.plan.with_sessions((*timed, *more, *traced)))
            self._run_block(self.plan.sessions[len(timed) : len(timed) + len(more)])

    def _run_block(self, sessions: Sequence[Session]) -> None:
        for session in sessions:
            self._run_one(session)
        self._progress.print_so_far(lambda: analyse(self._folder.read()))

    def _run_one(self, session: Session) -> None:
        """Run a session; print a line before and after it, and nothing while it is measured."""
        self._progress.print_start(self.plan, session, self._time.left_s())
        started_s = time.monotonic()
        if self._composed is None:
            way = Way(start_here)
            records = run_session(self.plan, session, self._folder, self._image_s, way)
        else:
            records = self._in_containers(self._composed, session)
        took_s = time.monotonic() - started_s
        for record in records:
            if isinstance(record, Lifecycle) and self._cores is not None:
                took_s = undisturbed_s(record, self._cores, took_s)
        self._time.finished(session, took_s)
        self._progress.print_outcome(session, records)

    def _in_containers(self, composed: Composed, session: Session) -> list[Record]:
        try:
            with composed.cluster(session) as cluster_start_s:
                act = functools.partial(composed.act, session)
                way = Way(composed.start, cluster_start_s, act)
                return run_session(self.plan, session, self._folder, self._image_s, way)
        except ComposeError as error:
            return [failed(session, self._folder, str(error))]

    def _replan(self, plan: Plan) -> None:
        self.plan = plan
        self._folder.write_plan(plan)

    def _expect(self, sessions: Sequence[Session]) -> None:
        self._time.expect((one, expected_s(self.plan, one, self._image_s)) for one in sessions)

    def _fits(self, sessions: Sequence[Session]) -> bool:
        """Whether the sessions can be run within the time limit; always without one."""
        minutes = self.plan.options.minutes
        if minutes is None:
            return True
        expected = [(one, expected_s(self.plan, one, self._image_s)) for one in sessions]
        spent_s = time.monotonic() - self._started_s
        return spent_s + self._time.of(expected) <= 60 * minutes * (1 + OVERTIME)

    def _known(self) -> Knowledge:
        run = self._folder.read()
        disturbed = {} if self._cores is None else disturbances(run.records, self._cores)
        return Knowledge(
            disturbed={name: one.severity for name, one in disturbed.items()},
            widths=_widths(analyse(run)),
            precision=precision(self.plan.options) / 100,
        )


def _cores(run: Run) -> int | None:
    cores = run.environment.get("cores")
    return cores if isinstance(cores, int) else None


def _widths(analysis: Analysis) -> dict[str, float]:
    """By experiment: half the width of the widest interval between two engines, as a share.

    Of the quantities that an experiment compares, the first one counts.
    """
    widths: dict[str, float] = {}
    for (experiment, _), compared in analysis.comparisons.items():
        if experiment not in widths and compared.pairs:
            widths[experiment] = max(pair.half_width for pair in compared.pairs)
    return widths


def expected_run_s(plan: Plan, image_s: float) -> float:
    """Approximate seconds of the planned sessions."""
    return sum(expected_s(plan, session, image_s) for session in plan.sessions)


def announced(plan: Plan, image_s: float) -> str:
    """How long the run will take, in words."""
    planned_s = expected_run_s(plan, image_s)
    minutes = plan.options.minutes
    if minutes is None:
        return duration(planned_s)
    if planned_s > 60 * minutes * (1 + OVERTIME):
        enough = math.ceil(planned_s / 60 / 5) * 5
        return (
            f"{duration(planned_s)}, which is more than --minutes {minutes}: blocks that do not "
            f"fit are left out; --minutes {enough} is enough for all of them"
        )
    return (
        f"{duration(planned_s)}; then more blocks, until {minutes} minutes have passed or every "
        f"two engines are known to {plan.options.precision}"
    )
