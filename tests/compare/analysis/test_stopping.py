"""The stopping rule: blocks are added until all pairs of engines are known precisely enough.

It looks at the widths of the intervals and never at the differences.  An interval that happens to
be narrow stops a run early, so it holds a little less often than one over a fixed number of blocks;
the limits below are what ``docs/method.md`` says.
"""

import math
from collections.abc import Callable, Mapping

import numpy as np
import pytest

from compare.analysis.blocks import residual
from tests.compare.analysis.test_blocks import PAIRS, compared, normal, shown, simulated, student

RUNS = 600
FEWEST, MOST = 3, 8
PRECISION = 0.08
"""Of noise of 5%: reached after 3 to 8 blocks."""

Values = Mapping[str, Mapping[int, float]]


def first_blocks(values: Values, blocks: int) -> Values:
    return {
        engine: {block: value for block, value in of_engine.items() if block <= blocks}
        for engine, of_engine in values.items()
    }


def precise(values: Values) -> bool:
    differences = compared(values, residual(values)).values()
    return max(one.half_width for one in differences) <= PRECISION


def lucky(values: Values) -> bool:
    """The rule that must not be: stop when a difference is shown."""
    return bool(shown(values, residual(values)))


def stopped(values: Values, rule: Callable[[Values], bool]) -> Values:
    for blocks in range(FEWEST, MOST):
        if rule(first_blocks(values, blocks)):
            return first_blocks(values, blocks)
    return values


@pytest.mark.parametrize("noise", [normal, student])
def test_the_rule_costs_the_intervals_at_most_3_of_100(
    noise: Callable[[np.random.Generator, int, int], np.ndarray],
) -> None:
    rng = np.random.default_rng(11)
    held = 0
    blocks = []
    for _ in range(RUNS):
        values = stopped(simulated(rng, noise, MOST), precise)
        blocks.append(len(values["ray"]))
        for one in compared(values, residual(values)).values():
            low, high = one.ratio.low, one.ratio.high
            assert low is not None
            assert high is not None
            held += low <= 1 <= high
    assert FEWEST < np.mean(blocks) < MOST  # the rule does stop runs
    assert held / (RUNS * len(PAIRS)) >= 0.92


def false_alarms(rule: Callable[[Values], bool]) -> float:
    rng = np.random.default_rng(12)
    wrong = 0
    for _ in range(RUNS):
        values = stopped(simulated(rng, normal, MOST), rule)
        wrong += bool(shown(values, residual(values)))
    return wrong / RUNS


def test_of_equal_engines_some_difference_is_shown_in_at_most_7_percent_of_the_runs() -> None:
    assert false_alarms(precise) <= 0.07


def test_a_rule_that_looks_at_the_differences_would_break_that_promise() -> None:
    assert false_alarms(lucky) > 0.07 + 2 * math.sqrt(0.07 * 0.93 / RUNS)
