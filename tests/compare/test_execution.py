"""A whole run against a simulated clock: what is measured in the time, and what again."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from compare import console, execution
from compare.execution import Execution
from compare.options import PresetName
from compare.plan.duration import expected_s
from compare.records.measurements import Lifecycle, Record
from compare.records.plan import Plan, Session
from compare.records.store import RunFolder
from tests.compare import fakes
from tests.compare.fake_bench import session_records

IMAGE_S = 0.2
LIMIT_S = 600.0


class Machine:
    """Runs sessions in no time; says that they took a share of what was expected."""

    def __init__(self, slower: float = 0.7, busy: Sequence[str] = ()) -> None:
        self.now_s = 1000.0
        self.ran: list[str] = []
        self._slower = slower
        self._busy = busy

    def run_session(
        self, plan: Plan, session: Session, folder: RunFolder, image_s: float, way: object
    ) -> list[Record]:
        del way
        took_s = self._slower * expected_s(plan, session, image_s)
        self.now_s += 2 * took_s if session.id in self._busy else took_s
        self.ran.append(session.id)
        engine = fakes.ENGINES.get(session.engine, fakes.FakeEngine())
        records = list(self._told(session, session_records(plan, session, engine, self._noisy)))
        for record in records:
            folder.append(record)
        return records

    def _told(self, session: Session, records: Iterator[Record]) -> Iterator[Record]:
        for record in records:
            if isinstance(record, Lifecycle) and session.id in self._busy:
                # No core was idle, and another program had half of them.
                yield replace(record, wall_s=20.0, own_cpu_s=20.0, host_cpu_s=40.0)
            else:
                yield record

    def _noisy(self, seconds: float) -> float:
        self._state = (getattr(self, "_state", 1) * 16807) % 2147483647
        return seconds * (0.95 + 0.1 * self._state / 2147483647)


def executed(
    machine: Machine, folder: Path, monkeypatch: pytest.MonkeyPatch, **changes: object
) -> Plan:
    clock = SimpleNamespace(monotonic=lambda: machine.now_s)
    monkeypatch.setattr(execution, "time", clock)
    monkeypatch.setattr(execution, "run_session", machine.run_session)
    plan = fakes.plan(
        experiments=("throughput", "overhead"), preset=PresetName.STANDARD, minutes=10
    )
    plan = replace(plan, options=replace(plan.options, **changes))  # type: ignore[arg-type]
    stored = RunFolder(folder / "run")
    stored.create(plan, fakes.environment())
    run = Execution(stored, plan, IMAGE_S, console.Lines())
    run.run(list(plan.sessions))
    assert stored.read_plan() == run.plan
    assert len(machine.ran) == len(set(machine.ran)) == len(run.plan.sessions)
    return run.plan


def test_a_run_takes_the_time_that_it_was_given(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine = Machine()
    plan = executed(machine, tmp_path, monkeypatch, precision="0.1%")
    assert machine.now_s - 1000 == pytest.approx(LIMIT_S, rel=0.1)
    assert plan.blocks_of("throughput") >= 5


def test_a_machine_half_as_fast_gets_fewer_blocks_and_no_more_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fast, slow = Machine(), Machine(slower=1.4)
    of_fast = executed(fast, tmp_path / "fast", monkeypatch, precision="0.1%")
    of_slow = executed(slow, tmp_path / "slow", monkeypatch, precision="0.1%")
    # It ends early by less than the block that did not fit any more.
    assert 0.8 * LIMIT_S <= slow.now_s - 1000 <= 1.1 * LIMIT_S
    assert of_slow.blocks < of_fast.blocks


def test_where_time_is_short_throughput_gets_its_three_blocks_rather_than_overhead_two(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine = Machine(slower=1.6)
    plan = executed(machine, tmp_path, monkeypatch)
    assert (plan.blocks_of("throughput"), plan.blocks_of("overhead")) == (3, 1)
    assert machine.now_s - 1000 <= 1.1 * LIMIT_S


def test_a_run_ends_when_every_pair_is_known_well_enough(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine = Machine()
    plan = executed(machine, tmp_path, monkeypatch, precision="90%", minutes=20)
    assert (plan.blocks_of("throughput"), plan.blocks_of("overhead")) == (5, 5)
    # It could have measured many more blocks.
    assert machine.now_s - 1000 < 0.6 * 2 * LIMIT_S


def test_disturbed_sessions_are_measured_again_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine = Machine(busy=("1-ray", "2-dask", "2-dask-again"))
    plan = executed(machine, tmp_path, monkeypatch, precision="90%")
    again = [session.id for session in plan.sessions if session.repeats]
    assert sorted(again) == ["1-ray-again", "2-dask-again"]


def test_a_program_beside_the_first_block_does_not_make_later_ones_look_as_long(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    engines = ("multiprocessing", "ray", "dask", "spark")
    busy = Machine(slower=1.3, busy=[f"1-{name}" for name in engines])
    plan = executed(busy, tmp_path, monkeypatch)
    assert plan.blocks_of("throughput") == 3


def test_with_a_fixed_number_of_blocks_nothing_is_added(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine = Machine(busy=("1-ray",))
    plan = executed(machine, tmp_path, monkeypatch, blocks=3, minutes=None)
    assert plan.blocks == 3
    assert not any(session.repeats for session in plan.sessions)


def test_when_not_even_the_planned_blocks_fit_the_later_ones_are_left_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine = Machine(slower=8.0)
    plan = executed(machine, tmp_path, monkeypatch)
    assert plan.blocks == 1
