"""Each gate is broken once by a real engine in a real session, and then there is no number."""

import functools
import os
import re
from collections.abc import Sequence
from pathlib import Path

import pytest

from compare.measure.adapters import adapter_of
from compare.measure.bench import Bench
from compare.observations.series import Row
from compare.plan.resolve import cache_folder
from compare.records.measurements import Record, Run
from compare.records.plan import SERIAL, Case, Plan, Session, Workload
from compare.records.store import RunFolder
from compare.run.session import resources_of
from engines.environment import thread_environment
from engines.registry import ENTRY_POINT_GROUP
from tests.compare import fakes, strange_engines
from tests.compare.analysed import rows
from tests.compare.command_line import REPOSITORY
from tests.compare.run.sessions import recorded
from workload import images
from workload.kernels import sleep
from workload.model import VIT_DIGITS, resolve

pytestmark = [pytest.mark.alone, pytest.mark.timeout(300)]

CLASSIFY = Case(experiment="throughput", parameters={"chunk": 2})
WAIT = Case(experiment="timeline", parameters={"how": "blocking", "tasks": 8, "seconds": 0.1})
SWEEP = Case(experiment="overhead", parameters={"point_s": 0.02})
CASES = {
    SERIAL: (CLASSIFY,),
    "multiprocessing": (CLASSIFY, WAIT, SWEEP),
    **dict.fromkeys(("forgetful", "repeating", "diligent", "failing", "polite"), (WAIT,)),
    **dict.fromkeys(("confused", "threaded", "lopsided", "crowded"), (CLASSIFY,)),
    **dict.fromkeys(("mortal-ray", "mortal-dask"), (WAIT,)),
    "disturbing": (SWEEP,),
}
"""What each engine measures."""
NUMBERS = {"throughput", "cpu_time", "peak_memory", "waits_at_once", "over_one_wait"}
"""Metrics that none but a broken gate leaves without one."""


@pytest.fixture(scope="module")
def plan() -> Plan:
    model = resolve(VIT_DIGITS, cache_folder())
    workload = Workload(
        model=VIT_DIGITS,
        model_folder=model.folder,
        dtype="float32",
        images=tuple(str(path) for path in images.held_out_digits(24, cache_folder())),
        images_skipped=(),
        labels=None,
        chunk=2,
        random_weights=False,
    )
    sessions = tuple(
        Session(
            id=f"1-{engine}",
            block=1,
            position=position,
            engine=engine,
            label="",
            workers=2,
            smallest_share=1.0,
            traced=False,
            cases=cases,
        )
        for position, (engine, cases) in enumerate(CASES.items())
    )
    return fakes.plan(
        engines=tuple(CASES),
        experiments=("throughput", "overhead", "timeline"),
        blocks=1,
        workload=workload,
        sessions=sessions,
    )


class Sessions:
    """Runs a session of the plan in a process of its own, once."""

    def __init__(self, plan: Plan, folder: Path) -> None:
        self.plan = plan
        self._folder = folder
        RunFolder(folder / "run").create(plan, fakes.environment())
        # What ``pip install`` of a package with these engines would put on the path.
        information = folder / "strange-1.0.dist-info"
        information.mkdir()
        (information / "METADATA").write_text("Metadata-Version: 2.1\nName: strange\nVersion: 1\n")
        found = vars(strange_engines).values()
        points = [
            f"{engine.name} = {strange_engines.__name__}:{engine.__name__}"
            for engine in found
            if isinstance(engine, type) and issubclass(engine, strange_engines.Strange)
            if hasattr(engine, "name")
        ]
        (information / "entry_points.txt").write_text(
            f"[{ENTRY_POINT_GROUP}]\n" + "\n".join(points) + "\n"
        )

    @functools.cache  # noqa: B019 - lives as long as the module's tests
    def records(self, engine: str) -> tuple[Record, ...]:
        session = next(one for one in self.plan.sessions if one.engine == engine)
        variables = {
            **os.environ,
            **thread_environment(resources_of(self.plan, session)),
            "PYTHONPATH": os.pathsep.join([str(self._folder), str(REPOSITORY)]),
            strange_engines.MARK: str(self._folder / f"{engine}.mark"),
        }
        written = self._folder / f"{engine}.jsonl"
        return recorded(self._folder / "run", session, written, variables)

    def rows(self, engine: str, *, records: Sequence[Record] = ()) -> list[Row]:
        """Of the engine, beside the serial one whose labels are the right ones."""
        kept = (*self.records(SERIAL), *(records or self.records(engine)))
        run = Run(plan=self.plan, environment=fakes.environment(), records=kept)
        return [row for row in rows(run) if row.engine == engine]


@pytest.fixture(scope="module")
def sessions(plan: Plan, tmp_path_factory: pytest.TempPathFactory) -> Sessions:
    return Sessions(plan, tmp_path_factory.mktemp("gates"))


@pytest.mark.parametrize(
    ("engine", "experiment", "reason"),
    [
        ("forgetful", "timeline", "1 of 8 results did not come exactly once; input 3 came 0 times"),
        ("repeating", "timeline", "1 of 8 results did not come exactly once; input 3 came 2 times"),
        ("diligent", "timeline", "16 kernel calls were counted for 8 tasks"),
        ("mortal-ray", "timeline", "9 kernel calls were counted for 8 tasks"),
        ("mortal-dask", "timeline", "kernel calls were counted for 8 tasks"),
        ("failing", "timeline", "8 of 8 tasks raised; the first: TypeError: 'str' object"),
        ("polite", "timeline", "niceness read in the tasks: 5; tuned means 0 for every engine"),
        ("confused", "throughput", "24 of 24 outputs differ from the serial engine's"),
        ("threaded", "throughput", "native threads read in the tasks: 3; planned: 1"),
        ("lopsided", "throughput", "1 of 2 workers took part"),
        ("crowded", "throughput", "3 tasks ran at once on 2 workers"),
    ],
)
def test_a_broken_gate_leaves_no_number(
    sessions: Sessions, engine: str, experiment: str, reason: str
) -> None:
    told = [row for row in sessions.rows(engine) if row.experiment == experiment]
    assert told
    for row in told:
        assert (row.value, row.low, row.high, row.n) == (None, None, None, 0)
        assert row.verdict is not None
        assert row.verdict.startswith("INVALID: ")
        assert reason in row.verdict


def test_without_a_fault_there_are_numbers(sessions: Sessions) -> None:
    # The quick sweep of a machine that does other things as well may lack a side.
    told = [row for row in sessions.rows("multiprocessing") if row.metric in NUMBERS]
    assert {row.metric for row in told} == NUMBERS
    assert [row for row in told if row.value is None] == []


def test_a_sweep_that_was_disturbed_leaves_no_number(sessions: Sessions) -> None:
    told = [row for row in sessions.rows("disturbing") if row.metric in ("metg50", "metg90")]
    assert len(told) == 2
    for row in told:
        assert row.value is None
        assert row.verdict is not None
        assert row.verdict.startswith("disturbed: ")
        assert re.search(r"the kernel .*took \d+% of its", row.verdict)


def test_too_little_memory_leaves_no_number(
    sessions: Sessions, plan: Plan, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(str(REPOSITORY))
    session = next(one for one in plan.sessions if one.engine == "multiprocessing")
    with adapter_of("multiprocessing").open(resources_of(plan, session)) as engine:
        bench = Bench(engine, plan, session, memory_room_bytes=20 * 2**20)
        run = bench.run(WAIT, [sleep.task(bench.label(), 0.1)] * 8, memory=True)
    told = [
        row
        for row in sessions.rows("multiprocessing", records=[run])
        if row.experiment == "timeline"
    ]
    assert told
    for row in told:
        assert row.value is None
        assert row.verdict is not None
        assert row.verdict.startswith("INVALID: it used ")
        assert row.verdict.endswith(" of 20 MiB of available memory")
