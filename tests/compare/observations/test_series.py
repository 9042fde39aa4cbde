"""Values block by block, and their ratios."""

from compare.observations.absence import Absence, Why
from compare.observations.metric import Better, Quantity
from compare.observations.series import Series, paired

SPEED = Quantity(name="throughput", unit="images/s", better=Better.HIGHER)
SHARE = Quantity(name="share", unit="share", better=Better.HIGHER)
FAILED = Absence(why=Why.FAILED, reason="the JVM ended")


def series(
    engine: str, values: dict[int, float], absences: dict[int, Absence] | None = None
) -> Series:
    return Series(
        experiment="throughput",
        engine=engine,
        quantity=SPEED,
        case={},
        values=values,
        absences=absences or {},
    )


def test_a_block_that_was_planned_for_one_engine_alone_is_no_part_of_the_ratio() -> None:
    """Serial, the baseline, runs in every block; the other in those of its experiment."""
    found = paired(
        series("serial", {1: 2.0, 2: 3.0, 3: 4.0}), series("ceiling", {1: 4.0, 2: 4.0}), SHARE
    )
    assert (dict(found.values), found.absences) == ({1: 0.5, 2: 0.75}, {})


def test_a_block_in_which_the_other_engine_failed_is_told() -> None:
    ceiling = series("ceiling", {1: 4.0}, {2: FAILED})
    found = paired(series("serial", {1: 2.0, 2: 3.0}), ceiling, SHARE)
    assert found.values == {1: 0.5}
    (told,) = found.absences.values()
    assert str(told).startswith("not given: ceiling has no valid throughput")


def test_without_any_common_block_the_reason_is_told() -> None:
    found = paired(series("serial", {1: 2.0}), series("ceiling", {}), SHARE)
    assert not found.values
    assert found.absences.keys() == {1}
