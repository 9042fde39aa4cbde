"""The tables of the report, as text in cells: one line an engine, or an engine and a case."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from compare.experiments.fractional import AFTER, COLD, WARM
from compare.headline import fastest_engine
from compare.intervals import Estimate
from compare.metrics import ADMITTED, BY_DEFINITION
from compare.records import Row, Run, Scalar
from compare.statistics import all_pairs, throughput_ratio
from compare.studies import STUDIES
from compare.studies.base import Column, Picture, Study, has_data
from compare.wording import cell, estimate, interval, number, short

MS, PERCENT, KIB, MIB = 1e3, 1e2, 2.0**-10, 2.0**-20


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """Headings, and lines with as many cells."""

    headings: tuple[str, ...]
    lines: tuple[tuple[str, ...], ...]


THROUGHPUT = (
    Column(metric="throughput", heading="images/s"),
    Column(metric="speedup", heading="× serial"),
    Column(metric="engine_efficiency", heading="of the ceiling (%)", scale=PERCENT),
    Column(metric="cpu_time", heading="CPU time (s)"),
    Column(metric="accuracy", heading="accuracy (%)", scale=PERCENT),
)
OVERHEAD = (
    Column(metric="noop_throughput", heading="no-ops/s"),
    Column(metric="metg50", heading="METG(50%) (ms)", scale=MS),
    Column(metric="metg90", heading="METG(90%) (ms)", scale=MS),
    Column(metric="per_task_cost", heading="b, per task (ms)", scale=MS),
    Column(metric="fixed_cost", heading="a, fixed (ms)", scale=MS),
    Column(metric="fit_residual", heading="residual (ms)", scale=MS),
    Column(metric="round_trip_p50", heading="round trip p50 (ms)", scale=MS),
    Column(metric="round_trip_p95", heading="p95 (ms)", scale=MS),
    Column(metric="round_trip_p99", heading="p99 (ms)", scale=MS),
)
PARTS = (
    Column(metric="submit", heading="before the first task (s)"),
    Column(metric="run", heading="in tasks (s)"),
    Column(metric="between", heading="between tasks (s)"),
    Column(metric="tail", heading="at the end (s)"),
    Column(metric="return", heading="last result (s)"),
    Column(metric="task_wait_p50", heading="median task waits (s)"),
    Column(metric="task_return_p50", heading="its result (ms)", scale=MS),
)
_SHARE_COLUMNS = (
    (WARM, "peak_concurrency", "at once, warm", 1.0),
    (WARM, "admission_accuracy", "of what fits (%)", PERCENT),
    (COLD, "peak_concurrency", "at once, cold", 1.0),
    (WARM, "makespan", "makespan, warm (s)", 1.0),
    (COLD, "makespan", "makespan, cold (s)", 1.0),
    (WARM, "ramp", "until the peak, warm (s)", 1.0),
    (COLD, "ramp", "until the peak, cold (s)", 1.0),
    (AFTER, "capacity_after", "cores free after (%)", PERCENT),
    (WARM, "cpu_use", "CPU use, warm (%)", PERCENT),
    (WARM, "processes", "processes", 1.0),
    (WARM, "native_threads", "threads", 1.0),
    (WARM, "memory", "memory (MiB)", MIB),
)
"""Phase, metric, heading, scale."""
STARTUP = (
    Column(metric="open", heading="open (s)"),
    Column(metric="first_result", heading="first result (s)"),
    Column(metric="warm_up", heading="warm-up (s)"),
    Column(metric="close", heading="close (s)"),
)
HOSTS = (
    Column(metric="hosts", heading="how many"),
    Column(metric="cpu_time", heading="CPU time (s)"),
    Column(metric="memory", heading="memory after (MiB)", scale=MIB),
    Column(metric="received_per_image", heading="received per image (KiB)", scale=KIB),
    Column(metric="sent_per_image", heading="sent per image (KiB)", scale=KIB),
    Column(metric="received_per_task", heading="received per task (KiB)", scale=KIB),
    Column(metric="sent_per_task", heading="sent per task (KiB)", scale=KIB),
    Column(metric="cpu_per_task", heading="CPU per 1,000 no-ops (s)", scale=1e3),
)
MEMORY = (Column(metric="peak_memory", heading="peak memory (MiB)", scale=MIB),)


def brief(row: Row | None, scale: float) -> str:
    """A number, or the kind of its absence; the reason is in the report."""
    if row is None:
        return "–"
    if row.value is None:
        return (row.verdict or "").split(":")[0]
    return cell(row, scale) if row.verdict == BY_DEFINITION else estimate(row, scale)


def throughput_table(run: Run, rows: Sequence[Row]) -> Table | None:
    """With the ratio of each engine to the fastest."""
    table = table_of(rows, "throughput", THROUGHPUT)
    best = fastest_engine(rows)
    if table is None or best is None:
        return table
    return Table(
        headings=(*table.headings, f"against {best} (×)"),
        lines=tuple((*line, _against(run, line[0], best)) for line in table.lines),
    )


def pairs_table(run: Run) -> Table | None:
    """Every engine against every other; ``None`` from one block, and where none was measured."""
    pairs = all_pairs(run) if "throughput" in run.plan.experiments else ()
    if not pairs:
        return None
    lines = tuple(
        (
            pair.engine,
            pair.other,
            _ratio(pair.ratio),
            f"{pair.p:.2g}",
            "shown" if pair.difference_shown else "not shown",
        )
        for pair in pairs
    )
    headings = ("engine", "against", "ratio of images/s (×)", "p, adjusted", "difference")
    return Table(headings=headings, lines=lines)


def _ratio(ratio: Estimate) -> str:
    told = number(ratio.value)
    if ratio.low is None or ratio.high is None:
        return told
    return f"{told} ({interval(ratio.value, ratio.low, ratio.high)})"


def _against(run: Run, engine: str, best: str) -> str:
    if engine == best:
        return "–"
    ratio = throughput_ratio(run, engine, best)
    return "–" if ratio is None else _ratio(ratio)


def table_of(rows: Iterable[Row], experiment: str, columns: Sequence[Column]) -> Table | None:
    """One line an engine, one column a metric; ``None`` when nothing of it was planned."""
    found = {(row.engine, row.metric): row for row in rows if row.experiment == experiment}
    shown = [column for column in columns if any(m == column.metric for _, m in found)]
    if not shown:
        return None
    return Table(
        headings=("engine", *(column.heading for column in shown)),
        lines=tuple(
            (engine, *_cells([(found.get((engine, c.metric)), c.scale) for c in shown]))
            for engine in dict.fromkeys(engine for engine, _ in found)
        ),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """What the report says of one experiment."""

    study: Study
    table: Table
    pictures: tuple[Picture, ...]


def study_sections(run: Run, rows: Sequence[Row]) -> Iterator[Section]:
    """One for each experiment that is read as a study says, with one line an engine and case."""
    for name, study in STUDIES.items():
        table = case_table(rows, name, study.axes, study.columns)
        if table is not None:
            drawn = tuple(one for one in study.pictures if has_data(one, name, run, rows))
            yield Section(study=study, table=table, pictures=drawn)


def case_table(
    rows: Iterable[Row],
    experiment: str,
    axes: Sequence[tuple[str, str]],
    columns: Sequence[Column],
) -> Table | None:
    """One line an engine and case, by these parameters of the case (and their headings); ``None``
    when nothing of it was planned.
    """
    lines: dict[tuple[str, ...], dict[str, Row]] = {}
    for row in rows:
        if row.experiment == experiment:
            place = tuple(_plain(row.case[axis]) for axis, _ in axes)
            lines.setdefault((row.engine, *place), {})[row.metric] = row
    if not lines:
        return None
    headings = ("engine", *(heading for _, heading in axes), *(c.heading for c in columns))
    return Table(headings=headings, lines=tuple(_case_lines(lines, columns)))


def _case_lines(
    lines: Mapping[tuple[str, ...], Mapping[str, Row]], columns: Sequence[Column]
) -> Iterator[tuple[str, ...]]:
    """One a case; one for all where an engine gives the same reason for each."""
    for engine in dict.fromkeys(place[0] for place in lines):
        cases = {place: of for place, of in lines.items() if place[0] == engine}
        rows = [row for of in cases.values() for row in of.values()]
        reasons = {row.verdict for row in rows}
        if len(cases) > 1 and len(reasons) == 1 and all(row.value is None for row in rows):
            axes = len(next(iter(cases))) - 1
            told = short(reasons.pop() or "")
            yield engine, "all", *["–"] * (axes - 1), told, *["–"] * (len(columns) - 1)
            continue
        for place, of in cases.items():
            yield *place, *_cells([(of.get(c.metric), c.scale) for c in columns])


def _plain(value: Scalar) -> str:
    return f"{value:,}" if isinstance(value, int) else str(value)


def _cells(line: Iterable[tuple[Row | None, float]]) -> Iterator[str]:
    """One a row; a reason that holds for several is told in the first of them."""
    told: set[str | None] = {None}
    for row, scale in line:
        known = row is not None and row.verdict in told
        yield brief(row, scale) if known else cell(row, scale)
        if row is not None and row.verdict != BY_DEFINITION:
            told.add(row.verdict)


def share_table(rows: Iterable[Row], resource: str) -> Table | None:
    """One line a share and engine; one an engine that has no notion of shares."""
    found = {
        (row.engine, row.case[resource], row.case["phase"], row.metric): row
        for row in rows
        if row.experiment in ("fractional", "matrix") and resource in row.case
    }
    if not found:
        return None
    lines: list[tuple[str, ...]] = []
    columns = len(_SHARE_COLUMNS)
    for engine in dict.fromkeys(key[0] for key in found):
        of_engine = [row for key, row in found.items() if key[0] == engine]
        verdicts = {row.verdict for row in of_engine}
        if all(row.value is None for row in of_engine) and len(verdicts) == 1:
            lines.append((engine, "all", short(verdicts.pop() or ""), *["–"] * columns))
            continue
        for share in sorted({row.case[resource] for row in of_engine}, reverse=True):
            admitted = found[engine, share, WARM, ADMITTED]
            told = (
                _number_alone(found.get((engine, share, phase, metric)), scale)
                for phase, metric, _, scale in _SHARE_COLUMNS
            )
            lines.append((engine, f"{share:g}", cell(admitted), *told))
    headings = ("engine", f"{resource} asked", "answer", *(h for _, _, h, _ in _SHARE_COLUMNS))
    return Table(headings=headings, lines=tuple(lines))


def _number_alone(row: Row | None, scale: float) -> str:
    # What stands against the number stands in the answer already.
    return "–" if row is None or row.value is None else estimate(row, scale)
