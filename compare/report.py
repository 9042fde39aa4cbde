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
from compare.headline import fastest_engine, headline
from compare.metrics import ADMITTED, BY_DEFINITION
from compare.observations import Observations
from compare.records import CEILING, SCHEMA, Lifecycle, Row, Run
from compare.statistics import rows as estimated_rows
from compare.statistics import throughput_ratio
from compare.wording import bare, cell, estimate, interval, number, short

_MS, _PERCENT, _MIB = 1e3, 1e2, 2.0**-20


@dataclass(frozen=True, slots=True, kw_only=True)
class _Column:
    metric: str
    heading: str
    scale: float = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class _Table:
    headings: tuple[str, ...]
    lines: tuple[tuple[str, ...], ...]


_THROUGHPUT = (
    _Column(metric="throughput", heading="images/s"),
    _Column(metric="speedup", heading="× serial"),
    _Column(metric="engine_efficiency", heading="of the ceiling (%)", scale=_PERCENT),
    _Column(metric="cpu_time", heading="CPU time (s)"),
    _Column(metric="accuracy", heading="accuracy (%)", scale=_PERCENT),
)
_OVERHEAD = (
    _Column(metric="noop_throughput", heading="no-ops/s"),
    _Column(metric="metg50", heading="METG(50%) (ms)", scale=_MS),
    _Column(metric="metg90", heading="METG(90%) (ms)", scale=_MS),
    _Column(metric="per_task_cost", heading="b, per task (ms)", scale=_MS),
    _Column(metric="fixed_cost", heading="a, fixed (ms)", scale=_MS),
    _Column(metric="fit_residual", heading="residual (ms)", scale=_MS),
    _Column(metric="round_trip_p50", heading="round trip p50 (ms)", scale=_MS),
    _Column(metric="round_trip_p95", heading="p95 (ms)", scale=_MS),
    _Column(metric="round_trip_p99", heading="p99 (ms)", scale=_MS),
)
_STARTUP = (
    _Column(metric="open", heading="open (s)"),
    _Column(metric="first_result", heading="first result (s)"),
    _Column(metric="warm_up", heading="warm-up (s)"),
    _Column(metric="close", heading="close (s)"),
)
_MEMORY = (_Column(metric="peak_memory", heading="peak memory (MiB)", scale=_MIB),)


def summary_json(run: Run) -> str:
    """The contract with other programs: every row."""
    content = {
        "schema": SCHEMA,
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
        overhead=_table(rows, "overhead", _OVERHEAD),
        fractional=_fractional_table(rows),
        startup=_table(rows, "startup", _STARTUP),
        memory=_table(rows, "memory", _MEMORY),
        cautions=[str(caution) for caution in cautions(run, rows)],
        machine=_flat(run.environment),
        settings=_settings(run),
        drawn={row.metric for row in rows if row.value is not None and row.engine != CEILING},
    )


def console_table(rows: Sequence[Row]) -> RichTable:
    """One line an engine: speed, cost of a task, and what becomes of the smallest share."""
    found = {(row.engine, row.metric): row for row in _smallest_warm(rows)}
    columns = (
        _Column(metric="throughput", heading="images/s"),
        _Column(metric="speedup", heading="× serial"),
        _Column(metric="metg50", heading="METG50, ms", scale=_MS),
        _Column(metric="peak_concurrency", heading=_share_heading(rows)),
        _Column(metric="peak_memory", heading="MiB", scale=_MIB),
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
    """The rows without those of other shares and of the cold wave."""
    shares = [float(row.case["cpus"]) for row in rows if row.experiment == "fractional"]
    return [
        row
        for row in rows
        if row.experiment != "fractional"
        or (row.case["cpus"] == min(shares) and row.case["phase"] == "warm")
    ]


def _share_heading(rows: Sequence[Row]) -> str:
    shares = [float(row.case["cpus"]) for row in rows if row.experiment == "fractional"]
    return f"at once at {min(shares, default=0):g} CPU"


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


def _table(rows: Iterable[Row], experiment: str, columns: Sequence[_Column]) -> _Table | None:
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


def _cells(line: Iterable[tuple[Row | None, float]]) -> Iterator[str]:
    """One a row; a reason that holds for several is told in the first of them."""
    told: set[str | None] = {None}
    for row, scale in line:
        known = row is not None and row.verdict in told
        yield _brief(row, scale) if known else cell(row, scale)
        if row is not None and row.verdict != BY_DEFINITION:
            told.add(row.verdict)


def _fractional_table(rows: Iterable[Row]) -> _Table | None:
    """One line a share and engine; one an engine that has no notion of shares."""
    found = {
        (row.engine, row.case["cpus"], row.case["phase"], row.metric): row
        for row in rows
        if row.experiment == "fractional"
    }
    if not found:
        return None
    lines: list[tuple[str, ...]] = []
    for engine in dict.fromkeys(key[0] for key in found):
        of_engine = [row for key, row in found.items() if key[0] == engine]
        verdicts = {row.verdict for row in of_engine}
        if all(row.value is None for row in of_engine) and len(verdicts) == 1:
            lines.append((engine, "all", short(verdicts.pop() or ""), *["–"] * 6))
            continue
        for cpus in dict.fromkeys(row.case["cpus"] for row in of_engine):
            cold, warm = (
                {
                    m: found[engine, cpus, phase, m]
                    for *_, m in found
                    if (engine, cpus, phase, m) in found
                }
                for phase in ("cold", "warm")
            )
            lines.append(_share_line(engine, f"{cpus:g}", cold, warm))
    headings = (
        "engine",
        "CPUs asked",
        "answer",
        "at once, warm",
        "of what fits (%)",
        "at once, cold",
        "makespan, warm (s)",
        "makespan, cold (s)",
        "CPU use, warm (%)",
    )
    return _Table(headings=headings, lines=tuple(lines))


def _share_line(
    engine: str, cpus: str, cold: Mapping[str, Row], warm: Mapping[str, Row]
) -> tuple[str, ...]:
    def told(row: Row, scale: float = 1.0) -> str:
        # What stands against the number stands in the answer already.
        return "–" if row.value is None else estimate(row, scale)

    return (
        engine,
        cpus,
        cell(warm[ADMITTED]),
        told(warm["peak_concurrency"]),
        told(warm["admission_accuracy"], _PERCENT),
        told(cold["peak_concurrency"]),
        told(warm["makespan"]),
        told(cold["makespan"]),
        told(warm["cpu_use"], _PERCENT),
    )


def _settings(run: Run) -> list[tuple[str, str, str, str]]:
    """Setting, value, the engines that have it, and the reason."""
    found: dict[tuple[str, str, str], dict[str, None]] = {}
    order = {engine: place for place, engine in enumerate(run.plan.engines)}
    lives = [record for record in run.records if isinstance(record, Lifecycle)]
    for life in sorted(lives, key=lambda life: (order.get(life.engine, -1), life.position)):
        for setting in life.settings:
            key = (setting.name, setting.value, setting.reason)
            found.setdefault(key, {})[life.engine] = None
    return [
        (name, value, ", ".join(having), reason) for (name, value, reason), having in found.items()
    ]


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
