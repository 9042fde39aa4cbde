"""From rows to text: ``summary.json``, ``summary.md`` and a table for the console.

Same records, same bytes.
"""

import dataclasses
import json
from collections.abc import Mapping, Sequence

import jinja2
from rich.box import SIMPLE
from rich.table import Table as RichTable

from compare.cautions import cautions
from compare.cluster_sentences import cluster_sentences
from compare.experiments.fractional import CPUS, SLOTS, WARM
from compare.headline import headline
from compare.observations import Observations
from compare.records import CEILING, Lifecycle, Plan, Row, Run, TaskRun
from compare.statistics import controls
from compare.statistics import rows as estimated_rows
from compare.studies import STUDIES
from compare.studies.base import Column
from compare.tables import (
    HOSTS,
    MEMORY,
    MIB,
    MS,
    OVERHEAD,
    PARTS,
    STARTUP,
    Section,
    brief,
    case_table,
    pairs_table,
    share_table,
    study_sections,
    table_of,
    throughput_table,
)
from compare.wording import bare

_SCHEMA = 1
"""Of ``summary.json``."""


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
        controls=controls(run),
        throughput=throughput_table(run, rows),
        pairs=pairs_table(run),
        parts=table_of(rows, "throughput", PARTS),
        overhead=table_of(rows, "overhead", OVERHEAD),
        fractional=share_table(rows, CPUS),
        slots=share_table(rows, SLOTS),
        studies=list(study_sections(run, rows)),
        cluster=cluster_sentences(run),
        hosts=case_table(rows, "hosts", (("role", "hosts"),), HOSTS),
        startup=table_of(rows, "startup", STARTUP),
        memory=table_of(rows, "memory", MEMORY),
        cautions=[str(caution) for caution in cautions(run, rows)],
        machine=_flat(run.environment),
        settings=_settings(run),
        traced=any(isinstance(record, TaskRun) for record in run.records),
        untraced=_untraced(run.plan),
        drawn={row.metric for row in rows if row.value is not None and row.engine != CEILING},
    )


def console_tables(run: Run, rows: Sequence[Row]) -> tuple[RichTable, ...]:
    """What is read first; where only other questions were asked, their answers."""
    first = _console_table(rows)
    if first is None:
        return tuple(_rich(section) for section in study_sections(run, rows))
    return (first,)


def _rich(section: Section) -> RichTable:
    table = RichTable(*section.table.headings, box=SIMPLE, title=section.study.title)
    for line in section.table.lines:
        table.add_row(*line)
    return table


def _console_table(rows: Sequence[Row]) -> RichTable | None:
    """One line an engine: speed, cost of a task, and what becomes of the smallest share."""
    found = {(row.engine, row.metric): row for row in _smallest_warm(rows)}
    columns = (
        Column(metric="throughput", heading="images/s"),
        Column(metric="speedup", heading="× serial"),
        Column(metric="metg50", heading="METG50, ms", scale=MS),
        Column(metric="peak_concurrency", heading=f"at once at {_smallest_share(rows):g} CPU"),
        Column(metric="peak_memory", heading="MiB", scale=MIB),
    )
    shown = [column for column in columns if any(m == column.metric for _, m in found)]
    if not shown:
        return None
    table = RichTable(box=SIMPLE, caption="95% intervals; n = blocks; details are in the report")
    table.add_column("engine", no_wrap=True)
    for column in shown:
        table.add_column(column.heading, no_wrap=column.metric == "throughput")
    for engine in dict.fromkeys(row.engine for row in rows):
        cells = [_bare(found.get((engine, column.metric)), column.scale) for column in shown]
        told = brief(found.get((engine, shown[0].metric)), shown[0].scale)
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


def _bare(row: Row | None, scale: float) -> str:
    """The same without the interval."""
    return brief(row, scale) if row is None or row.value is None else bare(row, scale)


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
