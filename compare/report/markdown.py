"""Writes ``summary.md`` and ``details.md``.  The same records give the same bytes."""

import textwrap
from dataclasses import dataclass
from typing import Any

import jinja2

from compare.analysis.analysis import Analysis
from compare.analysis.session_rows import NAME as STARTUP
from compare.analysis.session_rows import SECTION as STARTUP_SECTION
from compare.experiments.registry import question_of
from compare.experiments.section import Picture
from compare.experiments.shared_metrics import HOSTS
from compare.observations.metric import FEWEST_BLOCKS
from compare.report.cluster import SECTION as HOSTS_SECTION
from compare.report.cluster import cluster_sentences
from compare.report.drawable import drawable
from compare.report.facts import command_line, flat, machine_line
from compare.report.headline import headline
from compare.report.tables import FilledSection, filled_sections, table_of


@dataclass(frozen=True, slots=True, kw_only=True)
class _Part:
    """A section of the report, as the templates print it."""

    filled: FilledSection
    lead: str
    """The line above the table in the summary."""
    pictures: tuple[Picture, ...]


def summary_markdown(analysis: Analysis) -> str:
    """``summary.md``: answers, the tables that most readers want, cautions, how to reproduce."""
    return (
        _environment()
        .get_template("summary.md.jinja")
        .render(
            **_common(analysis, details=False),
            command=command_line(analysis.plan.options),
            machine=machine_line(analysis.environment),
        )
    )


def details_markdown(analysis: Analysis) -> str:
    """``details.md``: all tables and definitions, machine, settings and plan."""
    return (
        _environment()
        .get_template("details.md.jinja")
        .render(
            **_common(analysis, details=True),
            options=analysis.plan.options,
            controls=analysis.controls,
            hosts_section=HOSTS_SECTION,
            hosts=table_of(analysis, HOSTS_SECTION, HOSTS, details=True),
            startup_section=STARTUP_SECTION,
            startup=table_of(analysis, STARTUP_SECTION, STARTUP, details=True),
            startup_pictures=drawable(STARTUP_SECTION, STARTUP, analysis),
            machine=flat(analysis.environment),
            settings=analysis.settings,
            watched=analysis.watched,
            untraced=_untraced(analysis),
        )
    )


def _environment() -> jinja2.Environment:
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
    return environment


def _common(analysis: Analysis, *, details: bool) -> dict[str, Any]:
    plan = analysis.plan
    return {
        "plan": plan,
        "done": analysis.sessions_done,
        "planned": len(plan.sessions),
        "blocks": {name: plan.blocks_of(name) for name in plan.experiments},
        "fewest_blocks": FEWEST_BLOCKS,
        "headline": headline(analysis),
        "sections": [
            _Part(
                filled=filled,
                lead=_lead(filled),
                pictures=drawable(filled.section, filled.experiment, analysis),
            )
            for filled in filled_sections(analysis, details=details)
        ],
        "cluster": cluster_sentences(analysis),
        "cautions": [str(caution) for caution in analysis.cautions],
    }


def _lead(filled: FilledSection) -> str:
    """The line above the table: that of the section, or the question under a new title."""
    section, question = filled.section, question_of(filled.experiment)
    if section.lead or not section.title or not question:
        return section.lead
    return f"{question[:1].upper()}{question[1:]}."


def _untraced(analysis: Analysis) -> list[str]:
    """Engines that were asked for their own trace and record none."""
    plan = analysis.plan
    traced = {session.engine for session in plan.sessions if session.traced}
    present = [engine for engine in plan.engines if engine not in plan.missing]
    return [name for name in present if name not in traced] if plan.options.native_trace else []


def _reflowed(text: str) -> str:
    """Paragraphs with lines of equal length."""
    paragraphs = (textwrap.fill(" ".join(part.split()), 100) for part in text.split("\n\n"))
    return "\n\n".join(paragraphs)


def _escaped(text: object) -> str:
    """Text for a Markdown table: a pipe ends a cell, a newline ends the table, ``<`` is HTML."""
    line = " ".join(str(text).split())
    return line.replace("&", "&amp;").replace("<", "&lt;").replace("|", "\\|")
