"""From rows to text: ``summary.json``, ``summary.md`` and a table for the console.

Same records, same bytes.
"""

import dataclasses
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import jinja2
from rich.box import SIMPLE
from rich.table import Table as RichTable

from compare.cautions import cautions
from compare.experiments.fractional import AFTER, COLD, CPUS, SLOTS, WARM
from compare.headline import fastest_engine, headline
from compare.metrics import ADMITTED, BY_DEFINITION
from compare.observations import Observations
from compare.records import CEILING, Lifecycle, Plan, Row, Run, Scalar, TaskRun
from compare.statistics import rows as estimated_rows
from compare.statistics import throughput_ratio
from compare.studies import STUDIES
from compare.studies.base import Column, Picture, Study, has_data
from compare.wording import bare, cell, estimate, interval, number, short

_SCHEMA = 1
"""Of ``summary.json``."""
_MS, _PERCENT, _MIB = 1e3, 1e2, 2.0**-20


@dataclass(frozen=True, slots=True, kw_only=True)
class _Table:
    headings: tuple[str, ...]
    lines: tuple[tuple[str, ...], ...]


_THROUGHPUT = (
    Column(metric="throughput", heading="images/s"),
    Column(metric="speedup", heading="× serial"),
    Column(metric="engine_efficiency", heading="of the ceiling (%)", scale=_PERCENT),
    Column(metric="cpu_time", heading="CPU time (s)"),
    Column(metric="accuracy", heading="accuracy (%)", scale=_PERCENT),
)
_OVERHEAD = (
    Column(metric="noop_throughput", heading="no-ops/s"),
    Column(metric="metg50", heading="METG(50%) (ms)", scale=_MS),
    Column(metric="metg90", heading="METG(90%) (ms)", scale=_MS),
    Column(metric="per_task_cost", heading="b, per task (ms)", scale=_MS),
    Column(metric="fixed_cost", heading="a, fixed (ms)", scale=_MS),
    Column(metric="fit_residual", heading="residual (ms)", scale=_MS),
    Column(metric="round_trip_p50", heading="round trip p50 (ms)", scale=_MS),
    Column(metric="round_trip_p95", heading="p95 (ms)", scale=_MS),
    Column(metric="round_trip_p99", heading="p99 (ms)", scale=_MS),
)
_PARTS = (
    Column(metric="submit", heading="before the first task (s)"),
    Column(metric="run", heading="in tasks (s)"),
    Column(metric="between", heading="between tasks (s)"),
    Column(metric="tail", heading="at the end (s)"),
    Column(metric="return", heading="last result (s)"),
    Column(metric="task_wait_p50", heading="median task waits (s)"),
    Column(metric="task_return_p50", heading="its result (ms)", scale=_MS),
)
_SHARE_COLUMNS = (
    (WARM, "peak_concurrency", "at once, warm", 1.0),
    (WARM, "admission_accuracy", "of what fits (%)", _PERCENT),
    (COLD, "peak_concurrency", "at once, cold", 1.0),
    (WARM, "makespan", "makespan, warm (s)", 1.0),
    (COLD, "makespan", "makespan, cold (s)", 1.0),
    (WARM, "ramp", "until the peak, warm (s)", 1.0),
    (COLD, "ramp", "until the peak, cold (s)", 1.0),
    (AFTER, "capacity_after", "cores free after (%)", _PERCENT),
    (WARM, "cpu_use", "CPU use, warm (%)", _PERCENT),
    (WARM, "processes", "processes", 1.0),
    (WARM, "native_threads", "threads", 1.0),
    (WARM, "memory", "memory (MiB)", _MIB),
)
"""Phase, metric, heading, scale."""
_STARTUP = (
    Column(metric="open", heading="open (s)"),
    Column(metric="first_result", heading="first result (s)"),
    Column(metric="warm_up", heading="warm-up (s)"),
    Column(metric="close", heading="close (s)"),
)
_MEMORY = (Column(metric="peak_memory", heading="peak memory (MiB)", scale=_MIB),)


def summary_json(run: Run) -> str:
    """The contract with other programs: every row."""
    content = {
        "schema": _SCHEMA,
        "run_id": run.plan.run_id,
        "rows": [dataclasses.asdict(row) for row in estimated_rows(run)],
    }
    return json.dumps(content, indent=1, ensure_ascii=False) + "\n"


def summary_markdown(run: Run) -> str:
    """The report: the answer, the tables, the cautions, the machine, the settings, the plan."""
    rows = estimated_rows(run)
    observations = Observations(run)
    planned = len(run.plan.sessions)
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("compare"),
        autoescape=False,  # noqa: S701 - the output is Markdown; cells are escaped by `cell`
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        undefined=jinja2.StrictUndefined,
    )
    environment.filters["cell"] = _escaped
    return environment.get_template("summary.md.jinja").render(
        plan=run.plan,
        done=planned - len(observations.unfinished()),
        planned=planned,
        headline=headline(run, rows),
        throughput=_throughput_table(run, rows),
        parts=_table(rows, "throughput", _PARTS),
        overhead=_table(rows, "overhead", _OVERHEAD),
        fractional=_fractional_table(rows, CPUS),
        slots=_fractional_table(rows, SLOTS),
        studies=list(_studies(run, rows)),
        startup=_table(rows, "startup", _STARTUP),
        memory=_table(rows, "memory", _MEMORY),
        cautions=[str(caution) for caution in cautions(run, rows)],
        machine=_flat(run.environment),
        settings=_settings(run),
        traced=any(isinstance(record, TaskRun) for record in run.records),
        untraced=_untraced(run.plan),
        drawn={row.metric for row in rows if row.value is not None and row.engine != CEILING},
    )


def console_table(rows: Sequence[Row]) -> RichTable:
    """One line an engine: speed, cost of a task, and what becomes of the smallest share."""
    found = {(row.engine, row.metric): row for row in _smallest_warm(rows)}
    columns = (
        Column(metric="throughput", heading="images/s"),
        Column(metric="speedup", heading="× serial"),
        Column(metric="metg50", heading="METG50, ms", scale=_MS),
        Column(metric="peak_concurrency", heading=f"at once at {_smallest_share(rows):g} CPU"),
        Column(metric="peak_memory", heading="MiB", scale=_MIB),
    )
    shown = [column for column in columns if any(m == column.metric for _, m in found)]
    table = RichTable(box=SIMPLE, caption="95% intervals; n = blocks; details are in the report")
    table.add_column("engine", no_wrap=True)
    for column in shown:
        table.add_column(column.heading, no_wrap=column.metric == "throughput")
    for engine in dict.fromkeys(row.engine for row in rows):
        cells = [_bare(found.get((engine, column.metric)), column.scale) for column in shown]
        told = _brief(found.get((engine, shown[0].metric)), shown[0].scale) if shown else ""
        table.add_row(engine, told, *cells[1:])
    return table


def _smallest_warm(rows: Sequence[Row]) -> list[Row]:
    """Of the first three experiments, without those of other shares and of the cold wave."""
    smallest = _smallest_share(rows)
    return [
        row
        for row in rows
        if row.experiment not in STUDIES
        and (
            row.experiment != "fractional"
            or (row.case.get(CPUS) == smallest and row.case["phase"] == WARM)
        )
    ]


def _smallest_share(rows: Sequence[Row]) -> float:
    shares = [
        float(row.case[CPUS]) for row in rows if row.experiment == "fractional" and CPUS in row.case
    ]
    return min(shares, default=0.0)


def _brief(row: Row | None, scale: float) -> str:
    """A number, or the kind of its absence; the reason is in the report."""
    if row is None:
        return "–"
    if row.value is None:
        return (row.verdict or "").split(":")[0]
    return cell(row, scale) if row.verdict == BY_DEFINITION else estimate(row, scale)


def _bare(row: Row | None, scale: float) -> str:
    """The same without the interval."""
    return _brief(row, scale) if row is None or row.value is None else bare(row, scale)


def _throughput_table(run: Run, rows: Sequence[Row]) -> _Table | None:
    table = _table(rows, "throughput", _THROUGHPUT)
    best = fastest_engine(rows)
    if table is None or best is None:
        return table
    return _Table(
        headings=(*table.headings, f"against {best}"),
        lines=tuple((*line, _against(run, line[0], best)) for line in table.lines),
    )


def _against(run: Run, engine: str, best: str) -> str:
    if engine == best:
        return "–"
    ratio = throughput_ratio(run, engine, best)
    if ratio is None:
        return "–"
    told = f"{number(ratio.value)} ×"
    if ratio.low is not None and ratio.high is not None:
        told = f"{told} ({interval(ratio.value, ratio.low, ratio.high)})"
    return f"{told}, {'difference shown' if ratio.difference_shown else 'no difference shown'}"


def _table(rows: Iterable[Row], experiment: str, columns: Sequence[Column]) -> _Table | None:
    """One line an engine, one column a metric; ``None`` when nothing of it was planned."""
    found = {(row.engine, row.metric): row for row in rows if row.experiment == experiment}
    shown = [column for column in columns if any(m == column.metric for _, m in found)]
    if not shown:
        return None
    return _Table(
        headings=("engine", *(column.heading for column in shown)),
        lines=tuple(
            (engine, *_cells([(found.get((engine, c.metric)), c.scale) for c in shown]))
            for engine in dict.fromkeys(engine for engine, _ in found)
        ),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Section:
    study: Study
    table: _Table
    pictures: tuple[Picture, ...]


def _studies(run: Run, rows: Sequence[Row]) -> Iterator[_Section]:
    """One for each experiment that is read as a study says, with one line an engine and case."""
    for name, study in STUDIES.items():
        found = [row for row in rows if row.experiment == name]
        lines: dict[tuple[str, ...], dict[str, Row]] = {}
        for row in found:
            place = tuple(_plain(row.case[axis]) for axis, _ in study.axes)
            lines.setdefault((row.engine, *place), {})[row.metric] = row
        if not lines:
            continue
        table = _Table(
            headings=(
                "engine",
                *(heading for _, heading in study.axes),
                *(column.heading for column in study.columns),
            ),
            lines=tuple(_study_lines(study, lines)),
        )
        drawn = tuple(one for one in study.pictures if has_data(one, name, run, rows))
        yield _Section(study=study, table=table, pictures=drawn)


def _study_lines(
    study: Study, lines: Mapping[tuple[str, ...], Mapping[str, Row]]
) -> Iterator[tuple[str, ...]]:
    """One a case; one for all where an engine gives the same reason for each."""
    for engine in dict.fromkeys(place[0] for place in lines):
        cases = {place: of for place, of in lines.items() if place[0] == engine}
        rows = [row for of in cases.values() for row in of.values()]
        reasons = {row.verdict for row in rows}
        if len(cases) > 1 and len(reasons) == 1 and all(row.value is None for row in rows):
            axes, columns = (["–"] * (len(of) - 1) for of in (study.axes, study.columns))
            yield engine, "all", *axes, short(reasons.pop() or ""), *columns
            continue
        for place, of in cases.items():
            yield *place, *_cells([(of.get(c.metric), c.scale) for c in study.columns])


def _plain(value: Scalar) -> str:
    return f"{value:,}" if isinstance(value, int) else str(value)


def _cells(line: Iterable[tuple[Row | None, float]]) -> Iterator[str]:
    """One a row; a reason that holds for several is told in the first of them."""
    told: set[str | None] = {None}
    for row, scale in line:
        known = row is not None and row.verdict in told
        yield _brief(row, scale) if known else cell(row, scale)
        if row is not None and row.verdict != BY_DEFINITION:
            told.add(row.verdict)


def _fractional_table(rows: Iterable[Row], resource: str) -> _Table | None:
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
    return _Table(headings=headings, lines=tuple(lines))


def _number_alone(row: Row | None, scale: float) -> str:
    # What stands against the number stands in the answer already.
    return "–" if row is None or row.value is None else estimate(row, scale)


def _settings(run: Run) -> list[tuple[str, str, str, str]]:
    """Setting, value, the engines that have it, and the reason."""
    found: dict[tuple[str, str, str], dict[str, None]] = {}
    order = {engine: place for place, engine in enumerate(run.plan.engines)}
    traced = {session.id for session in run.plan.sessions if session.traced}
    lives = [record for record in run.records if isinstance(record, Lifecycle)]
    for life in sorted(lives, key=lambda life: (order.get(life.engine, -1), life.position)):
        for setting in life.settings:
            engines = found.setdefault((setting.name, setting.value, setting.reason), {})
            # Traced sessions come last: what they alone have was not there when it was timed.
            if life.engine not in engines:
                told = f"{life.engine} (traced)" if life.session in traced else life.engine
                engines[told] = None
    return [
        (name, value, ", ".join(having), reason) for (name, value, reason), having in found.items()
    ]


def _untraced(plan: Plan) -> list[str]:
    """Engines that were to hand over a record of their own and keep none."""
    traced = {session.engine for session in plan.sessions if session.traced}
    present = [engine for engine in plan.engines if engine not in plan.missing]
    return [engine for engine in present if engine not in traced] if plan.native_trace else []


def _flat(environment: Mapping[str, object], prefix: str = "") -> list[tuple[str, str]]:
    """Names and values as text, mappings inside it with dotted names."""
    found: list[tuple[str, str]] = []
    for name, value in environment.items():
        if isinstance(value, Mapping):
            found += _flat(value, f"{prefix}{name}.")
        elif isinstance(value, list | tuple):
            found.append((f"{prefix}{name}", ", ".join(map(str, value))))
        else:
            found.append((f"{prefix}{name}", str(value)))
    return found


def _escaped(text: object) -> str:
    """For a cell of a Markdown table: a pipe would end it, a newline the table, ``<`` is HTML."""
    line = " ".join(str(text).split())
    return line.replace("&", "&amp;").replace("<", "&lt;").replace("|", "\\|")
