import math

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from compare.analysis.intervals import (
    geometric_if_positive,
    geometric_mean,
    holm,
    mean,
    mean_and_range,
    share,
    unpaired_ratio,
)
from compare.observations.fits import fit_line, percentile, samples_needed

positive = st.floats(min_value=1e-6, max_value=1e6)
several = st.lists(positive, min_size=3, max_size=12)

Samples = npt.NDArray[np.float64]

_SD = 0.05
_TRIALS = 2000


@given(several)
def test_the_interval_holds_the_geometric_mean_and_lies_about_the_values(
    values: list[float],
) -> None:
    found = geometric_mean(values)
    assert found.low is not None
    assert found.high is not None
    assert found.low <= found.value * (1 + 1e-9)
    assert found.value <= found.high * (1 + 1e-9)
    assert min(values) * (1 - 1e-9) <= found.value <= max(values) * (1 + 1e-9)
    assert found.n == len(values)


@given(several, st.floats(min_value=1e-3, max_value=1e3))
def test_another_unit_changes_the_estimate_by_its_factor(
    values: list[float], factor: float
) -> None:
    found, scaled = geometric_mean(values), geometric_mean([value * factor for value in values])
    assert scaled.value == pytest.approx(found.value * factor, rel=1e-6)


@given(several)
def test_the_ratio_of_an_engine_to_itself_is_one(values: list[float]) -> None:
    found = geometric_mean([value / value for value in values])
    assert (found.value, found.low, found.high) == (1, 1, 1)
    assert not found.difference_shown


@given(several)
def test_the_ratio_turned_around_is_the_inverse(ratios: list[float]) -> None:
    found, turned = geometric_mean(ratios), geometric_mean([1 / ratio for ratio in ratios])
    assert turned.value == pytest.approx(1 / found.value, rel=1e-6)
    assert turned.difference_shown == found.difference_shown


@given(positive)
def test_one_block_has_no_interval_and_shows_no_difference(value: float) -> None:
    found = geometric_mean([value])
    assert (found.low, found.high, found.n) == (None, None, 1)
    assert not found.difference_shown


def test_what_is_zero_in_a_block_has_the_range_of_its_blocks() -> None:
    found = geometric_if_positive([0.001, 0.002, 0.0])
    assert found.value == pytest.approx(0.001)
    assert (found.low, found.high) == (0.0, 0.002)


def test_what_may_be_negative_gets_a_plain_interval() -> None:
    found = mean([-0.001, 0.002, 0.0])
    assert found.low is not None
    assert found.low < -0.001


@given(st.lists(st.floats(min_value=0, max_value=1.2), min_size=3, max_size=12))
def test_the_interval_of_a_share_is_cut_where_no_share_can_be(values: list[float]) -> None:
    found, whole = share(values), mean(values)
    assert found.low is not None
    assert whole.low is not None
    assert found.high is not None
    assert whole.high is not None
    assert found.low == max(whole.low, 0)
    assert found.high in (whole.high, 1.0, found.value)
    assert found.low <= found.value <= found.high <= max(1.0, found.value)


@given(st.lists(st.floats(min_value=0, max_value=1e6), min_size=1, max_size=12))
def test_a_duration_that_may_be_zero_has_the_range_of_its_blocks(values: list[float]) -> None:
    found = mean_and_range(values)
    assert found.value == pytest.approx(sum(values) / len(values))
    assert found.n == len(values)
    bounds = (None, None) if len(values) == 1 else (min(values), max(values))
    assert (found.low, found.high) == bounds


@pytest.mark.parametrize("blocks", [3, 5, 10])
def test_the_95_percent_interval_holds_the_true_value_95_times_in_100(blocks: int) -> None:
    rng = np.random.default_rng(1)
    samples = 5.0 * np.exp(rng.normal(0, _SD, size=(_TRIALS, blocks)))
    # Not more often, either: an interval that is too wide hides differences.
    assert 0.93 <= share_held(samples, 5.0) <= 0.97


@pytest.mark.parametrize("blocks", [3, 5, 10])
def test_the_interval_of_a_ratio_holds_it_95_times_in_100(blocks: int) -> None:
    rng = np.random.default_rng(1)
    # What a block has in common cancels in the ratio; the rest does not.
    common = rng.normal(0, 4 * _SD, size=(_TRIALS, blocks))
    first, second = np.exp(common + rng.normal(0, _SD, size=(2, _TRIALS, blocks)))
    assert 0.93 <= share_held(1.3 * first / second, 1.3) <= 0.97


def test_narrowed_by_the_other_engines_the_interval_of_a_noisy_one_would_not_hold() -> None:
    """With half of their degrees of freedom, as the variance of a pair is shrunk."""
    rng = np.random.default_rng(1)
    noise, blocks = np.array([0.5, 1.0, 1.5, 2.0]), 3
    logs = noise[:, None] * rng.standard_normal((20_000, len(noise), blocks))
    own = logs.var(axis=2, ddof=1)
    own_degrees, prior = blocks - 1, (len(noise) - 1) * (blocks - 1) / 2
    degrees = own_degrees + prior
    shrunk = (prior * own.mean(axis=1, keepdims=True) + own_degrees * own) / degrees

    def holds(variance: Samples, degrees: float) -> Samples:
        half = stats.t.ppf(0.975, degrees) * np.sqrt(variance / blocks)
        return np.asarray((np.abs(logs.mean(axis=2)) <= half).mean(axis=0))

    assert holds(own, own_degrees) == pytest.approx(0.95, abs=0.01)
    assert holds(shrunk, degrees)[-1] < 0.9


def test_a_bootstrap_would_be_too_narrow_at_ten_blocks() -> None:
    """Why there is none: BCa (Efron 1987, J. Am. Stat. Assoc. 82:171) holds 89 times in 100."""
    rng = np.random.default_rng(1)
    samples = np.exp(rng.normal(0, _SD, size=(_TRIALS, 10)))
    bounds = stats.bootstrap(
        (np.log(samples),), np.mean, axis=-1, method="BCa", n_resamples=999, rng=rng, batch=50
    ).confidence_interval
    held = np.mean((bounds.low <= 0) & (bounds.high >= 0))
    assert 0.87 <= held <= 0.91
    assert share_held(samples, 1.0) >= 0.93


def share_held(samples: Samples, true: float) -> float:
    """How often the interval holds the true value; one line of samples is one run."""
    held = 0
    for values in samples:
        found = geometric_mean(values.tolist())
        assert found.low is not None
        assert found.high is not None
        held += found.low <= true <= found.high
    return held / len(samples)


@pytest.mark.parametrize("blocks", [3, 5, 10])
def test_the_same_engine_twice_is_told_apart_at_most_5_times_in_100(blocks: int) -> None:
    rng = np.random.default_rng(2)
    shown = 0
    for _ in range(_TRIALS):
        # What a block has in common cancels in the ratio; the rest does not.
        block = rng.normal(0, 4 * _SD, size=blocks)
        first, second = np.exp(block + rng.normal(0, _SD, size=(2, blocks)))
        shown += geometric_mean((first / second).tolist()).difference_shown
    assert shown / _TRIALS <= 0.05 + 3 * math.sqrt(0.05 * 0.95 / _TRIALS)


def test_two_runs_of_the_same_are_told_apart_at_most_5_times_in_100() -> None:
    rng = np.random.default_rng(3)
    shown = 0
    for _ in range(_TRIALS):
        first, second = np.exp(rng.normal(0, _SD, size=(2, 3)))
        shown += unpaired_ratio(first.tolist(), second.tolist()).estimate.difference_shown
    assert shown / _TRIALS <= 0.05 + 3 * math.sqrt(0.05 * 0.95 / _TRIALS)


@given(several, several)
def test_the_unpaired_ratio_lies_in_its_interval(new: list[float], old: list[float]) -> None:
    found = unpaired_ratio(new, old)
    assert found.p is not None
    if found.estimate.low is not None and found.estimate.high is not None:
        assert found.estimate.low <= found.estimate.value * (1 + 1e-6)
        assert found.estimate.value <= found.estimate.high * (1 + 1e-6)


def test_the_fixed_and_per_task_costs_are_recovered() -> None:
    fixed_s, per_task_s = 0.05, 0.0003
    rng = np.random.default_rng(4)
    sizes = [1, 100, 300, 1_000, 3_000, 10_000] * 3
    makespans_s = [(fixed_s + per_task_s * n) * float(np.exp(rng.normal(0, 0.01))) for n in sizes]
    found = fit_line(sizes, makespans_s)
    assert found is not None
    assert found.fixed_s == pytest.approx(fixed_s, rel=0.05)
    assert found.per_task_s == pytest.approx(per_task_s, rel=0.05)


@given(
    fixed_s=st.floats(min_value=0.001, max_value=1),
    per_task_s=st.floats(min_value=1e-6, max_value=1e-2),
)
def test_without_noise_there_is_no_residual(fixed_s: float, per_task_s: float) -> None:
    sizes = [1, 100, 1_000, 10_000]
    found = fit_line(sizes, [fixed_s + per_task_s * n for n in sizes])
    assert found is not None
    assert found.per_task_s == pytest.approx(per_task_s, rel=1e-4)
    assert found.residual <= 1e-6


def test_small_batches_that_lie_off_the_line_do_not_bend_it() -> None:
    sizes = [1, 10, 100, 1_000, 10_000]
    makespans_s = [0.03, 0.031, *(0.05 + 0.001 * n for n in sizes[2:])]
    found = fit_line(sizes, makespans_s)
    assert found is not None
    assert found.per_task_s == pytest.approx(0.001)
    assert found.fixed_s == pytest.approx(0.03 - 0.001)


def test_without_a_single_task_there_is_no_fixed_cost() -> None:
    assert fit_line([100, 1_000, 10_000], [0.1, 1.0, 10.0]) is None


def test_two_sizes_leave_no_residual_and_give_no_line() -> None:
    assert fit_line([1, 100, 1_000, 100], [0.01, 0.1, 1.0, 0.1]) is None


@pytest.mark.parametrize(("share", "samples"), [(0.5, 20), (0.95, 200), (0.99, 1_000)])
def test_a_percentile_needs_ten_samples_beyond_it(share: float, samples: int) -> None:
    assert samples_needed(share) == samples
    assert percentile([1.0] * (samples - 1), share) is None
    assert percentile([1.0] * samples, share) == 1.0


def test_the_unpaired_interval_is_that_of_scipy() -> None:
    new, old = [1.0, 1.1, 1.3], [2.0, 2.3, 1.9, 2.1]
    expected = stats.ttest_ind(np.log(new), np.log(old), equal_var=False)
    found = unpaired_ratio(new, old)
    assert found.p == pytest.approx(expected.pvalue)
    interval = expected.confidence_interval(0.95)
    assert found.estimate.low == pytest.approx(math.exp(interval.low))
    assert found.estimate.high == pytest.approx(math.exp(interval.high))


@given(p_values=st.lists(st.floats(0, 1) | st.floats(0, 0.06), min_size=1, max_size=12))
def test_holm_shows_what_its_definition_shows(p_values: list[float]) -> None:
    """The smallest at alpha/m, the next at alpha/(m - 1), … until one is not."""
    shown = set()
    for rank, place in enumerate(sorted(range(len(p_values)), key=lambda i: p_values[i])):
        if p_values[place] * (len(p_values) - rank) > 0.05:
            break
        shown.add(place)
    assert {place for place, p in enumerate(holm(p_values)) if p <= 0.05} == shown
    assert all(raw <= p <= 1 for raw, p in zip(p_values, holm(p_values), strict=True))
    # Of two comparisons the one with the smaller p is never shown less surely.
    in_order = [p for _, p in sorted(zip(p_values, holm(p_values), strict=True))]
    assert in_order == sorted(in_order)
