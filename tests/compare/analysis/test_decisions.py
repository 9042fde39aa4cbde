"""How often the whole procedure, from records to sentences, is right: simulated runs of engines
whose costs are known, on a machine that is now quicker and now slower.
"""

import math
from collections.abc import Iterator, Sequence

import pytest

from compare.records.measurements import Run
from compare.records.plan import SERIAL
from tests.compare import fakes
from tests.compare.analysed import all_pairs, headlines, throughput_ratio

RUNS = 600
NOISE, BLOCK_NOISE = 0.03, 0.2
"""Of one measurement, and of all of a block."""
MOST_WRONG = 0.05 + 3 * math.sqrt(0.05 * 0.95 / RUNS)
"""Three standard errors of the simulation above 5%."""


def runs(engines: Sequence[str], blocks: int, **chunk_s: float) -> Iterator[Run]:
    images = tuple(f"/photos/{number}.jpg" for number in range(8))
    plan = fakes.plan(
        engines=(SERIAL, *engines),
        experiments=("throughput",),
        workload=fakes.workload(images=images),
        blocks=blocks,
    )
    # Serial differs from all the others by far: a test may not depend on it.
    costs = {SERIAL: fakes.FakeEngine(chunk_s=0.8)} | {
        engine: fakes.FakeEngine(chunk_s=chunk_s.get(engine, 0.8)) for engine in engines
    }
    for seed in range(RUNS):
        yield fakes.run(plan, engines=costs, noise=NOISE, block_noise=BLOCK_NOISE, seed=seed)


@pytest.mark.parametrize("blocks", [3, 5, 10])
def test_the_interval_of_a_ratio_of_two_engines_holds_it_95_times_in_100(blocks: int) -> None:
    # One task a worker, and what the engine adds before and after it.
    true = (0.8 + 2 * 0.0002) / (0.6 + 2 * 0.0002)
    held = 0
    for run in runs(("ray", "dask"), blocks, ray=0.6):
        ratio = throughput_ratio(run, "ray", "dask")
        assert ratio is not None
        assert ratio.low is not None
        assert ratio.high is not None
        held += ratio.low <= true <= ratio.high
    tolerance = 3 * math.sqrt(0.95 * 0.05 / RUNS)
    assert 0.95 - tolerance <= held / RUNS <= 0.95 + tolerance


def test_a_small_difference_is_shown_since_what_a_block_has_in_common_cancels() -> None:
    """10% between engines, where the blocks themselves differ by 20%."""
    shown = 0
    for run in runs(("ray", "dask"), 5, ray=0.72):
        ratio = throughput_ratio(run, "ray", "dask")
        assert ratio is not None
        shown += ratio.difference_shown
    assert shown / RUNS >= 0.9


@pytest.mark.parametrize("blocks", [3, 5])
def test_of_equal_engines_any_pair_is_told_apart_in_at_most_5_percent_of_the_runs(
    blocks: int,
) -> None:
    wrong = pairs = 0
    for run in runs(("multiprocessing", "ray", "dask", "spark"), blocks):
        equal = [pair for pair in all_pairs(run) if SERIAL not in (pair.engine, pair.other)]
        wrong += any(pair.difference_shown for pair in equal)
        pairs += len(equal)
    assert pairs == 6 * RUNS
    assert wrong / RUNS <= MOST_WRONG


def test_of_equal_engines_the_fastest_seems_to_differ_in_at_most_5_percent_of_the_runs() -> None:
    """The answer that is read first: the fastest is picked, and compared with all others."""
    wrong = 0
    for run in runs(("multiprocessing", "ray", "dask", "spark"), 3):
        (answer,) = headlines(run)
        shown = answer.partition("the difference to ")[2].partition(" shown")[0]
        wrong += any(f"`{name}`" in shown for name in ("multiprocessing", "ray", "dask", "spark"))
    assert wrong / RUNS <= MOST_WRONG


def test_an_engine_and_itself_are_told_apart_in_at_most_5_percent_of_the_runs() -> None:
    shown = 0
    for run in runs(("ray", "ray-control"), 3):
        ratio = throughput_ratio(run, "ray", "ray-control")
        assert ratio is not None
        shown += ratio.difference_shown
    assert shown / RUNS <= MOST_WRONG


def test_engines_that_differ_are_told_apart_by_the_answer() -> None:
    told = 0
    for run in runs(("ray", "dask", "spark"), 5, dask=1.2):
        (answer,) = headlines(run)
        told += "`dask`" in answer.partition("the difference to ")[2].partition(" shown")[0]
    assert told / RUNS >= 0.9
