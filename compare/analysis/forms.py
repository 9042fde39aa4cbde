"""The rows of other forms of engines: each form beside the plain task API of its engine."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from compare.analysis.intervals import Estimate
from compare.experiments.shared_metrics import THROUGHPUT
from compare.experiments.throughput import AGAINST_PLAIN, FORMS, NAME, PLAIN
from compare.observations.series import Row, Series


def form_rows(
    forms: Mapping[str, str],
    rows: Sequence[Row],
    series: Sequence[Series],
    ratios: Mapping[tuple[str, str], Estimate],
) -> Iterator[Row]:
    """Throughput and ratio of each form; none where it, or its plain form, has no throughput.

    ``ratios`` are those of the throughputs of two engines, paired within blocks.
    """
    by_engine = {
        row.engine: row
        for row in rows
        if (row.experiment, row.metric) == (NAME, THROUGHPUT.quantity.name)
    }
    values = {item.engine: item.values for item in series if _is_throughput(item)}
    for form, plain in forms.items():
        ratio = ratios.get((form, plain))
        if ratio is None:
            continue
        speed = by_engine[form]
        speed = replace(speed, experiment=FORMS, case={**speed.case, PLAIN: plain})
        yield speed
        ours, theirs = values[form], values[plain]
        yield replace(
            speed,
            metric=AGAINST_PLAIN.name,
            unit=AGAINST_PLAIN.unit,
            value=ratio.value,
            low=ratio.low,
            high=ratio.high,
            n=ratio.n,
            values=tuple(ours[block] / theirs[block] for block in ours if block in theirs),
            verdict=None,
        )


def _is_throughput(item: Series) -> bool:
    return (item.experiment, item.quantity.name) == (NAME, THROUGHPUT.quantity.name)
