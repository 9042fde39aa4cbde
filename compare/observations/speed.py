"""Whether the cores kept their speed while a sweep was measured.  Pure functions."""

from collections.abc import Sequence
from statistics import fmean, median

from compare.records.measurements import Calibration

_MOST_IDLE, _MOST_BUSY = 1.2, 1.4
"""Largest accepted change of the kernel's time.  A core whose other hardware thread belongs to
somebody else has two speeds, and goes back and forth between them.  The calibrations of 21 sweeps
on such a machine, put in random order, differ by 40% from half to half in less than one of a
thousand cases."""
_MOST_MOSTLY = 2.0
"""Median over fastest of the calibrations between the batches of a sweep; 1.6 is usual where a core
has two speeds."""
_MOST_OVER_IDLE = 3.0
"""Median of the same over the time on an idle core.  Two hardware threads of a core, or its two
speeds, make up to 1.7.  More shows that something else has most of the cores all the time: an
engine that does not rest would make its own 100% smaller."""
_MOST_EFFICIENCY = 1.2
"""Where all calibrations were equal: batches are short, and noisy."""


def change(calibration: Calibration) -> str | None:
    """How the speed changed during a sweep, if so much that it is not usable.

    The calibrations between its batches decide; those of an idle core before and after it where
    there are none.
    """
    before_s, after_s, busy_s = calibration.before_s, calibration.after_s, calibration.busy_s
    if not busy_s:
        if not changed_idle(before_s, after_s):
            return None
        return f"the kernel took {after_s / before_s:.0%} of its time before the sweep"
    typical_s = median(busy_s)
    if typical_s > _MOST_MOSTLY * min(busy_s):
        mostly = typical_s / min(busy_s)
        return f"on busy cores the kernel mostly took {mostly:.0%} of its fastest time"
    over_idle = typical_s / calibration.workers_a_core / min(before_s, after_s)
    if over_idle > _MOST_OVER_IDLE:
        return f"on busy cores the kernel mostly took {over_idle:.0%} of its time on an idle core"
    half = len(busy_s) // 2
    later = fmean(busy_s[half:]) / fmean(busy_s[:half] or busy_s)
    if max(later, 1 / later) > _MOST_BUSY:
        return f"the kernel took {later:.0%} of its earlier time in the second half of the sweep"
    return None


def changed_idle(before_s: float, after_s: float) -> bool:
    """Whether an idle core was much faster or slower at the later calibration."""
    return max(before_s, after_s) > _MOST_IDLE * min(before_s, after_s)


def usual_s(calibration: Calibration) -> float:
    """Seconds of an iteration during a sweep."""
    return fmean(calibration.busy_s or (calibration.before_s, calibration.after_s))


def most_efficiency(busy_s: Sequence[float]) -> float:
    """The largest efficiency of a sweep: that of a batch at the fastest speed that was calibrated.

    A fitted efficiency above it shows that something else had slowed the calibrations down.
    """
    return max(_MOST_EFFICIENCY, fmean(busy_s) / min(busy_s) if busy_s else 0.0)
