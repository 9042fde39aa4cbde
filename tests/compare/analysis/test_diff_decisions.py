"""How often ``diff`` is right: simulated pairs of runs of engines whose costs are known, on a
machine that need not be equally fast in both.
"""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from unittest import mock

import numpy as np
import numpy.typing as npt
import pytest

from compare.analysis import diff
from compare.analysis.diff import Change, Outcome, compare_series
from compare.analysis.relative import Pair, Source, machine_of
from compare.observations.metric import Better, Quantity
from compare.observations.series import Series
from compare.records.plan import CEILING, SERIAL

pytestmark = pytest.mark.timeout(60)

PAIRS = 200
NOISE, BLOCK_NOISE, SHIFT = 0.03, 0.05, 0.10
"""Of one measurement, of all of a block, and of all of a run."""
MOST_WRONG = 0.05
ENGINES = (CEILING, SERIAL, "multiprocessing", "ray", "dask", "spark")
NOISY = {"spark": 4.0}
"""Times the noise of the others."""


@dataclass(frozen=True, kw_only=True)
class Kind:
    """A quantity, its size on the serial engine and on others, and how it follows the machine."""

    experiment: str
    name: str
    unit: str
    value: float
    serial: float | None
    follows: float
    """Exponent of the machine's speed."""
    noise: float = 1.0
    better: Better = Better.LOWER

    def series(self, engine: str, values: Mapping[int, float]) -> Series:
        quantity = Quantity(name=self.name, unit=self.unit, better=self.better)
        return Series(
            experiment=self.experiment,
            engine=engine,
            quantity=quantity,
            case={},
            values=values,
            absences={},
        )


KINDS = (
    Kind(
        experiment="throughput",
        name="throughput",
        unit="images/s",
        value=5.0,
        serial=2.5,
        follows=1,
        better=Better.HIGHER,
    ),
    Kind(experiment="throughput", name="cpu_time", unit="s", value=13, serial=12.6, follows=-1),
    Kind(experiment="throughput", name="submit", unit="s", value=0.02, serial=3e-5, follows=-1),
    Kind(
        experiment="overhead",
        name="noop_throughput",
        unit="tasks/s",
        value=3e3,
        serial=4e5,
        follows=1,
        better=Better.HIGHER,
    ),
    Kind(
        experiment="overhead", name="per_task_cost", unit="s", value=3e-4, serial=2e-6, follows=-1
    ),
    Kind(
        experiment="overhead", name="round_trip_p50", unit="s", value=1e-3, serial=2e-6, follows=-1
    ),
    Kind(
        experiment="overhead",
        name="metg50",
        unit="s",
        value=1e-3,
        serial=4e-6,
        follows=-1,
        noise=5,
    ),
    Kind(
        experiment="granularity",
        name="throughput",
        unit="images/s",
        value=4.0,
        serial=None,
        follows=1,
        better=Better.HIGHER,
    ),
    # Of tasks that sleep: they do not care about the machine, and there is next to no noise.
    Kind(
        experiment="imbalance",
        name="makespan",
        unit="s",
        value=2.0,
        serial=None,
        follows=0,
        noise=0.02,
    ),
    Kind(experiment="payload", name="payload_rate", unit="MB/s", value=200, serial=1e6, follows=1),
    # The half of it is computing, the other half waits.
    Kind(experiment="startup", name="open", unit="s", value=3.0, serial=6e-5, follows=-0.5),
    Kind(experiment="startup", name="warm_up", unit="s", value=5.0, serial=4.9, follows=-1),
    Kind(experiment="memory", name="peak_memory", unit="bytes", value=8e8, serial=8e8, follows=0),
)


@dataclass(frozen=True, kw_only=True)
class Simulated:
    """One run: the values per block and the calibrations of the machine."""

    series: list[Series]
    calibrated: dict[int, float]


@dataclass(frozen=True, kw_only=True)
class Machine:
    """Runs on a machine of some speed; ``slower`` has factors by engine and quantity."""

    blocks: int
    seed: int
    speed: float = 1.0
    noise: float = NOISE
    slower: Mapping[tuple[str, str], float] = field(default_factory=dict)

    def run(self) -> Simulated:
        rng = np.random.default_rng([self.seed, self.blocks, round(1000 * self.speed)])
        blocks = range(1, self.blocks + 1)
        speeds = {b: self.speed * math.exp(rng.normal(0, BLOCK_NOISE)) for b in blocks}
        series = []
        shared: dict[tuple[str, str], npt.NDArray[np.float64]] = {}
        for kind in KINDS:
            for engine in ENGINES:
                center = kind.serial if engine == SERIAL else kind.value
                if center is None:
                    continue
                center *= self.slower.get((engine, kind.name), 1.0)
                sd = self.noise * kind.noise * NOISY.get(engine, 1.0)
                # Half of it (of the variance) belongs to the session that measured all of these.
                common, own = rng.normal(0, sd / math.sqrt(2), (2, self.blocks))
                noise = shared.setdefault((engine, kind.experiment), common / sd) * sd + own
                values = {
                    b: center * speeds[b] ** kind.follows * math.exp(noise[b - 1]) for b in blocks
                }
                series.append(kind.series(engine, values))
        calibrated = {b: 1e7 * speeds[b] * math.exp(rng.normal(0, NOISE)) for b in blocks}
        return Simulated(series=series, calibrated=calibrated)


def pairs(blocks: int, speed: float) -> Iterator[tuple[Simulated, Simulated]]:
    for seed in range(PAIRS):
        # Now the earlier run is on the slower machine, now the later one.
        one = Machine(blocks=blocks, seed=2 * seed).run()
        other = Machine(blocks=blocks, seed=2 * seed + 1, speed=speed).run()
        yield (one, other) if seed % 2 else (other, one)


def compared(a: Simulated, b: Simulated, source: Source = Source.SERIAL) -> tuple[Change, ...]:
    old, new = (
        [s for s in run.series if source is Source.SERIAL or s.experiment != "throughput"]
        for run in (a, b)
    )
    machine = machine_of(old, new, (a.calibrated, b.calibrated))
    assert machine is not None
    assert machine.source is source
    return compare_series(old, new, machine)


def differing(changes: tuple[Change, ...]) -> list[Change]:
    return [c for c in changes if c.outcome in (Outcome.SLOWER, Outcome.FASTER)]


def false_alarms(blocks: int, speed: float, source: Source = Source.SERIAL) -> float:
    found = [bool(differing(compared(a, b, source))) for a, b in pairs(blocks, speed)]
    return sum(found) / PAIRS


@pytest.mark.parametrize("source", Source)
@pytest.mark.parametrize("speed", [1.0, 1 - SHIFT])
@pytest.mark.parametrize("blocks", [3, 5])
def test_at_most_one_pair_of_equal_runs_in_twenty_shows_any_difference(
    blocks: int, speed: float, source: Source
) -> None:
    assert false_alarms(blocks, speed, source) <= MOST_WRONG


def _as_measured(before: Series, after: Series, *_: object) -> Pair:
    return Pair(before=before.values, after=after.values)


@pytest.mark.parametrize("blocks", [3, 5])
def test_the_simulation_notices_a_diff_that_forgets_the_machine(blocks: int) -> None:
    with mock.patch.object(diff, "relative", _as_measured):
        assert false_alarms(blocks, 1 - SHIFT) > 3 * MOST_WRONG


@pytest.mark.parametrize("speed", [1.0, 1 - SHIFT, 1 + SHIFT])
@pytest.mark.parametrize("blocks", [3, 5])
def test_an_engine_that_got_30_percent_slower_is_shown_and_others_are_seldom_blamed(
    blocks: int, speed: float
) -> None:
    slower = {("ray", "throughput"): 1 / 1.3, ("ray", "cpu_time"): 1.3}
    shown, blamed = 0, 0.0
    for seed in range(PAIRS // 3):
        a = Machine(blocks=blocks, seed=2 * seed).run()
        b = Machine(blocks=blocks, seed=2 * seed + 1, speed=speed, slower=slower).run()
        found = differing(compared(a, b))
        shown += any(
            (c.engine, c.experiment, c.metric, c.outcome)
            == ("ray", "throughput", "throughput", Outcome.SLOWER)
            for c in found
        )
        blamed += sum(c.engine != "ray" for c in found) / max(len(found), 1)
    assert shown / (PAIRS // 3) >= 0.9
    assert blamed / (PAIRS // 3) <= MOST_WRONG
