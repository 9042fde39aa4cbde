"""Writes ``summary.md``, the report.  The same records give the same bytes."""

import textwrap
from collections.abc import Mapping

import jinja2

from compare.analysis.analysis import Analysis
from compare.analysis.session_rows import NAME as STARTUP
from compare.analysis.session_rows import SECTION as STARTUP_SECTION
from compare.experiments.shared_metrics import HOSTS
from compare.report.cluster import SECTION as HOSTS_SECTION
from compare.report.cluster import cluster_sentences
from compare.report.drawable import drawable
from compare.report.headline import headline
from compare.report.tables import filled_sections, table_of


def summary_markdown(analysis: Analysis) -> str:
    """The report: answers, tables, cautions, machine, settings and plan."""
    plan = analysis.plan
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("compare.report"),
        autoescape=False,  # noqa: S701 - the output is Markdown; cells are escaped by `cell`
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        undefined=jinja2.StrictUndefined,
    )
    environment.filters["cell"] = _escaped
    environment.filters["reflowed"] = _reflowed
    return environment.get_template("summary.md.jinja").render(
        plan=plan,
        options=plan.options,
        done=analysis.sessions_done,
        planned=len(plan.sessions),
        headline=headline(analysis),
        controls=analysis.controls,
        sections=[
            (filled, drawable(filled.section, filled.experiment, analysis))
            for filled in filled_sections(analysis)
        ],
        cluster=cluster_sentences(analysis),
        hosts_section=HOSTS_SECTION,
        hosts=table_of(analysis, HOSTS_SECTION, HOSTS),
        startup_section=STARTUP_SECTION,
        startup=table_of(analysis, STARTUP_SECTION, STARTUP),
        cautions=[str(caution) for caution in analysis.cautions],
        machine=_flat(analysis.environment),
        settings=analysis.settings,
        watched=analysis.watched,
        untraced=_untraced(analysis),
    )


def _untraced(analysis: Analysis) -> list[str]:
    """Engines that were asked for their own trace and record none."""
    plan = analysis.plan
    traced = {session.engine for session in plan.sessions if session.traced}
    present = [engine for engine in plan.engines if engine not in plan.missing]
    return [name for name in present if name not in traced] if plan.options.native_trace else []


def _flat(environment: Mapping[str, object], prefix: str = "") -> list[tuple[str, str]]:
    """Names and values as text; nested names are joined by dots."""
    lines: list[tuple[str, str]] = []
    for name, value in environment.items():
        if isinstance(value, Mapping):
            lines += _flat(value, f"{prefix}{name}.")
        elif isinstance(value, list | tuple):
            lines.append((f"{prefix}{name}", ", ".join(map(str, value))))
        else:
            lines.append((f"{prefix}{name}", str(value)))
    return lines


def _reflowed(text: str) -> str:
    """Paragraphs with lines of equal length."""
    paragraphs = (textwrap.fill(" ".join(part.split()), 100) for part in text.split("\n\n"))
    return "\n\n".join(paragraphs)


def _escaped(text: object) -> str:
    """Text for a Markdown table: a pipe ends a cell, a newline ends the table, ``<`` is HTML."""
    line = " ".join(str(text).split())
    return line.replace("&", "&amp;").replace("<", "&lt;").replace("|", "\\|")
