"""Writes ``report.html``: one file with everything in it, which needs no network and no script."""

import base64
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any

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
from compare.report.cluster import SECTION as HOSTS_SECTION
from compare.report.cluster import cluster_sentences
from compare.report.drawable import drawable
from compare.report.facts import command_line, flat, machine_line
from compare.report.headline import headline
from compare.report.tables import FilledSection, Table, filled_sections, table_of

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
                parts=(_plain(section, table),),
            )


def _part(analysis: Analysis, filled: FilledSection) -> _Part:
    section, name = filled.section, filled.experiment
    short = None if section.details else table_of(analysis, section, name, details=False)
    return _Part(
        title=section.title,
        explanation=section.explanation,
        table=short,
        all_columns=None if filled.table == short else filled.table,
        pictures=drawable(section, name, analysis),
    )


def _plain(section: Section, table: Table) -> _Part:
    return _Part(
        title=section.title,
        explanation=section.explanation,
        table=table,
        all_columns=None,
        pictures=(),
    )


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


def _data_url(path: Path) -> str:
    """The picture as an address that contains it; as an image it cannot run a script."""
    return f"data:image/svg+xml;base64,{base64.b64encode(path.read_bytes()).decode()}"
