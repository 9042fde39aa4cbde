"""Writes ``report.html``: one file with everything in it, which needs no network.

Its script draws charts in the place of pictures; without it the page says the same.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any
from urllib.parse import quote

import jinja2
from markdown_it import MarkdownIt
from markupsafe import Markup

from compare.analysis.analysis import Analysis
from compare.analysis.session_rows import NAME as STARTUP
from compare.analysis.session_rows import SECTION as STARTUP_SECTION
from compare.experiments.registry import question_of
from compare.experiments.section import Picture, Section
from compare.experiments.shared_metrics import HOSTS
from compare.formatting import enumeration
from compare.report.chart_parts import Chart
from compare.report.chart_script import chart_script, script_source
from compare.report.charts import charts
from compare.report.cluster import SECTION as HOSTS_SECTION
from compare.report.cluster import cluster_sentences
from compare.report.drawable import drawable
from compare.report.facts import command_line, flat, machine_line
from compare.report.headline import headline
from compare.report.tables import FilledSection, Table, filled_sections, table_of

_READABLE = ' !$&*+,-./:;<=>?@[]^_|~"'
"""What an address between single quotes may contain as it is."""
_MARKDOWN = MarkdownIt("commonmark", {"html": False})


@dataclass(frozen=True, slots=True, kw_only=True)
class _Part:
    """A section of an experiment: the table for most readers, and what is one click away."""

    title: str
    explanation: str
    table: Table | None
    all_columns: Table | None
    """With more columns than ``table``; ``None`` if there are none."""
    pictures: tuple[Picture, ...]
    charts: Mapping[str, Chart]
    """By the name of the picture that it replaces."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Chapter:
    """All sections of an experiment, or one of the sections about the whole run."""

    name: str
    title: str
    question: str
    parts: tuple[_Part, ...]


def report_page(analysis: Analysis, plots: Path) -> str:
    """The page of a run; ``plots`` is the folder with the pictures, which become part of it.

    Raises:
        OSError: a picture cannot be read.
    """
    plan = analysis.plan
    chapters = tuple(_chapters(analysis))
    specs = {
        name: chart.spec
        for chapter in chapters
        for part in chapter.parts
        for name, chart in part.charts.items()
    }
    template = _environment(plots).get_template("page.html.jinja")
    return template.render(
        plan=plan,
        done=analysis.sessions_done,
        planned=len(plan.sessions),
        blocks=enumeration([f"{name} {plan.blocks_of(name)}" for name in plan.experiments]),
        engines=enumeration(list(plan.engines)),
        headline=headline(analysis),
        machine=machine_line(analysis.environment),
        chapters=chapters,
        cluster=cluster_sentences(analysis),
        cautions=[str(caution) for caution in analysis.cautions],
        command=command_line(plan.options),
        settings=analysis.settings,
        environment=flat(analysis.environment),
        specs=Markup(_object(specs)),  # noqa: S704 - it has no "<"
        script=Markup(chart_script()) if specs else None,  # noqa: S704 - our own
        script_source=script_source() if specs else "'none'",
    )


def _chapters(analysis: Analysis) -> Iterator[_Chapter]:
    filled = filled_sections(analysis, details=True)
    for experiment, sections in groupby(filled, key=lambda one: one.experiment):
        parts = tuple(_part(analysis, one) for one in sections)
        yield _Chapter(
            name=experiment,
            title=parts[0].title or experiment,
            question=question_of(experiment) or "",
            parts=parts,
        )
    for name, section in ((HOSTS, HOSTS_SECTION), (STARTUP, STARTUP_SECTION)):
        table = table_of(analysis, section, name, details=True)
        if table is not None:
            yield _Chapter(
                name=name,
                title=section.title,
                question="",
                parts=(_plain(section, table, drawable(section, name, analysis)),),
            )


def _part(analysis: Analysis, filled: FilledSection) -> _Part:
    section, name = filled.section, filled.experiment
    pictures = drawable(section, name, analysis)
    short = None if section.details else table_of(analysis, section, name, details=False)
    return _Part(
        title=section.title,
        explanation=section.explanation,
        table=short,
        all_columns=None if filled.table == short else filled.table,
        pictures=pictures,
        charts=charts(pictures, name, analysis),
    )


def _plain(section: Section, table: Table, pictures: tuple[Picture, ...]) -> _Part:
    return _Part(
        title=section.title,
        explanation=section.explanation,
        table=table,
        all_columns=None,
        pictures=pictures,
        charts={},
    )


def _object(members: Mapping[str, str]) -> str:
    """An object in JSON, of members that are JSON already."""
    return "{" + ",".join(f'"{name}":{value}' for name, value in members.items()) + "}"


def _environment(plots: Path) -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("compare.report"),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    filters: Mapping[str, Any] = {
        "paragraphs": lambda text: Markup(_MARKDOWN.render(text)),  # noqa: S704 - it escapes HTML
        "inline": lambda text: Markup(_MARKDOWN.renderInline(text)),  # noqa: S704 - likewise
        "picture": lambda name: _data_url(plots / f"{name}.svg"),
    }
    environment.filters.update(filters)
    return environment


def _data_url(path: Path) -> Markup:
    """The picture as an address that contains it; as an image it cannot run a script.

    It may stand between single quotes.  As text it is a quarter smaller than in base64.
    """
    text = quote(path.read_text().replace("\n", " "), safe=_READABLE).replace("&", "&amp;")
    return Markup(f"data:image/svg+xml,{text}")  # noqa: S704 - it has no single quote
