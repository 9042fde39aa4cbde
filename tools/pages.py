"""The numbers of the published runs in README.md and in the pages of docs."""

import io
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TypeAlias

from rich.console import Console

from compare.analysis.advice import advise
from compare.analysis.analysis import Analysis, analyse
from compare.analysis.makespans import Job
from compare.experiments.elasticity import IDLE_S, SHORT_S, TASK_S, Elasticity
from compare.experiments.environments import CODE, INSTALLED, PACKAGE, WHEEL, Environments
from compare.experiments.faults import FAULTS, Faults
from compare.experiments.throughput import AGAINST_PLAIN, FORMS
from compare.formatting import enumeration, number, plural, seconds, value_of
from compare.observations.elasticity import NEVER
from compare.observations.series import Row
from compare.records.plan import CEILING, SERIAL, Scalar
from compare.records.store import PACKED, RunFolder
from compare.report.advice_text import advice_sentences, advice_table, job_sentence
from engines.interface import Capability
from tools.beat_records import PUBLISHED, beat_table, read
from tools.page_tables import Asked, between, by_engine, cell, table

ROOT = Path(__file__).parents[1]
README = ROOT / "README.md"
RESULTS = ROOT / "docs" / "results.md"
ADVICE = ROOT / "docs" / "advice.md"
WHEN_A_WORKER_DIES = ROOT / "docs" / "when-a-worker-dies.md"
SCALING_UP = ROOT / "docs" / "scaling-up.md"
MAIN = ROOT / "docs" / "example"
ALL = MAIN / "all"
BFLOAT16 = MAIN / "bfloat16"
FAULTS_RUN = MAIN / Faults.name
COMPOSED_FAULTS_RUN = MAIN / f"{Faults.name}-compose"
ELASTIC_RUN = MAIN / Elasticity.name
SHIPPING_RUN = MAIN / Environments.name
OPEN = MAIN / "open"
RUNS = (MAIN, ALL, BFLOAT16, OPEN, FAULTS_RUN, COMPOSED_FAULTS_RUN, ELASTIC_RUN, SHIPPING_RUN)
RECORDS = ("plan.json", "environment.json", PACKED)
_MIB = 2.0**-20
_VERDICT = "verdict"

_TENTH = {"cpus": 0.1}
_LARGE = {"bytes": 64_000_000}
_SHORT_TASK = {"work_s": 0.001}

_SHORT = (
    Asked("images per second", "throughput/throughput"),
    Asked("an empty task costs", "overhead/per_task_cost"),
    Asked("memory (MiB)", "memory/peak_memory", _MIB),
    Asked("starts in", "startup/open"),
)
_COLUMNS = (
    Asked("images/s", "throughput/throughput"),
    Asked("of the ceiling (%)", "throughput/engine_efficiency", 100),
    Asked("METG(50%)", "overhead/metg50"),
    Asked("per task", "overhead/per_task_cost"),
    Asked(
        "0.1 of a core: at once, warm",
        "fractional/peak_concurrency",
        1,
        {**_TENTH, "phase": "warm"},
    ),
    Asked("cold", "fractional/makespan", 1, {**_TENTH, "phase": "cold"}),
    Asked("warm", "fractional/makespan", 1, {**_TENTH, "phase": "warm"}),
)
_QUESTIONS = (
    Asked(
        "a task beside tasks that ask for 0.1 of a core and use a whole one: slower by (×)",
        "lying/slowdown_lying",
    ),
    Asked("the same task beside tasks that sleep (×)", "lying/slowdown_honest"),
    Asked(
        "images and waiting tasks together, over one after the other: gain (×)",
        "hybrid/hybrid_gain",
    ),
    Asked(
        "the model loaded once a worker, over once an image: gain (×)", "residency/residency_gain"
    ),
    Asked(
        "done first with so many tasks of 1 ms, start included",
        "done_first/from_tasks",
        1,
        _SHORT_TASK,
    ),
    Asked(
        "the same among engines on several hosts", "done_first_on_hosts/from_tasks", 1, _SHORT_TASK
    ),
    Asked("METG(50%) of independent tasks", "overhead/metg50"),
    Asked("METG(50%) with a call for each task", "submission/metg50"),
    Asked("METG(50%) of a tree", "dependencies/metg50", 1, {"pattern": "tree"}),
    Asked("METG(50%) of a stencil", "dependencies/metg50", 1, {"pattern": "stencil"}),
    Asked("64 MB into a task (MB/s)", "payload/payload_rate", 1, {**_LARGE, "direction": "in"}),
    Asked("64 MB out of a task (MB/s)", "payload/payload_rate", 1, {**_LARGE, "direction": "out"}),
    Asked("lognormal tasks, over the makespan of plain processes (×)", "imbalance/over_ceiling"),
    Asked(
        "eight waits of 0.5 s that block no worker, over one wait (×)",
        "timeline/over_one_wait",
        1,
        {"how": "awaited"},
    ),
)
ADVISED = {
    "short": (Job(task_s=0.005, tasks=2000, workers=2), frozenset[Capability]()),
    "hosts": (
        Job(task_s=0.05, tasks=10_000, workers=16),
        frozenset({Capability.SPANS_HOSTS}),
    ),
    "waiting": (Job(task_s=1.0, tasks=400, workers=2, cpus=0.1), frozenset[Capability]()),
}
"""Jobs of docs/advice.md, with the capabilities that they need."""
_SPEED = (Asked("images/s in bfloat16", "throughput/throughput"),)
_SUPPLIES: Mapping[str, Mapping[str, Scalar]] = {
    "0 to 4": {"idle_s": IDLE_S, "most": 4, "seconds": TASK_S},
    **{f"{most}, fixed": {"idle_s": NEVER, "most": most} for most in (4, 2, 1)},
}
_ELASTIC = (
    Asked("first task after", "elasticity/reaction"),
    Asked("all four at work after", "elasticity/full_supply"),
    Asked("released after", "elasticity/release"),
    Asked("makespan", "elasticity/makespan"),
    Asked("worker time", "elasticity/worker_time"),
    Asked("workers short", "elasticity/accuracy_under"),
    Asked("workers spare", "elasticity/accuracy_over"),
)
_OPEN_TRACK = (
    Asked("images/s", "throughput/throughput"),
    Asked("over its plain form (×)", f"{FORMS}/{AGAINST_PLAIN.name}"),
    Asked("before the first task", "throughput/submit"),
    Asked("in tasks", "throughput/run"),
    Asked("between tasks", "throughput/between"),
)
_SHIPPING = (
    Asked("first task", "environments/first_task"),
    Asked("second task", "environments/second_task"),
    Asked("requested again", "environments/first_task_again"),
)
_SHORT_TASKS = {"seconds": SHORT_S}
_ELASTIC_SHORT = (
    Asked("most workers", "elasticity/most_workers", 1, _SHORT_TASKS),
    Asked("first task after", "elasticity/reaction", 1, _SHORT_TASKS),
    Asked("makespan", "elasticity/makespan", 1, _SHORT_TASKS),
    Asked("worker time", "elasticity/worker_time", 1, _SHORT_TASKS),
)


def published(folder: Path) -> Analysis:
    """The analysis of a published run, from its records."""
    return analyse(RunFolder(folder).read())


def readme(text: str) -> str:
    """README.md with the numbers of the published default run."""
    analysis = published(MAIN)
    engines = [name for name in analysis.plan.engines if name != SERIAL]
    text = between(text, "sentence", _sentence(analysis, engines) + "\n")
    return between(text, "table", by_engine(analysis.rows, engines, _SHORT))


def results(text: str) -> str:
    """docs/results.md with the numbers of all published runs."""
    main, everything, bfloat16 = map(published, (MAIN, ALL, BFLOAT16))
    text = between(text, "run", by_engine(main.rows, main.engines, _COLUMNS))
    text = between(text, "machine", _machine(main))
    engines = [name for name in everything.engines if name not in {CEILING, SERIAL}]
    text = between(text, "questions", _by_question(everything.rows, engines))
    text = between(text, "open", _open_table(published(OPEN)))
    text = between(text, "shipping", _shipping_table(published(SHIPPING_RUN).rows))
    return between(text, "bfloat16", by_engine(bfloat16.rows, bfloat16.engines, _SPEED))


def _open_table(analysis: Analysis) -> str:
    """Each engine that has other forms, with them below it."""
    forms = analysis.plan.forms
    engines = [
        name
        for plain in dict.fromkeys(forms.values())
        for name in (plain, *(form for form, of in forms.items() if of == plain))
    ]
    return by_engine(analysis.rows, [CEILING, *engines], _OPEN_TRACK)


def _shipping_table(rows: Sequence[Row]) -> str:
    """The engines that ship anything, with a line for each thing that a task imports."""
    first = _SHIPPING[0].metric.partition("/")[2]
    ships = [
        row.engine
        for row in rows
        if (row.metric, row.case.get("what")) == (first, CODE) and row.values
    ]
    lines = [
        [engine, what, *(cell(rows, engine, a._replace(case={"what": what})) for a in _SHIPPING)]
        for engine in ships
        for what in (INSTALLED, CODE, WHEEL, PACKAGE)
    ]
    return table(["engine", "what the task imports", *(a.title for a in _SHIPPING)], lines)


def advice(text: str) -> str:
    """docs/advice.md with what the commands in it print for the published run."""
    everything = published(ALL)
    name = str(ALL.relative_to(ROOT))
    for mark, (job, needs) in ADVISED.items():
        found = advise(everything, job, needs, record=name)
        console = Console(file=io.StringIO(), width=100, highlight=False)
        console.print(job_sentence(job), markup=False)
        console.print(advice_table(found))
        for sentence in advice_sentences(found, everything.environment):
            console.print(sentence, markup=False)
        assert isinstance(console.file, io.StringIO)  # noqa: S101 - it was made above
        lines = [line.rstrip() for line in console.file.getvalue().splitlines()]
        text = between(text, mark, "\n".join(["```", *lines, "```", ""]))
    return text


def when_a_worker_dies(text: str) -> str:
    """docs/when-a-worker-dies.md with the verdicts and the words of the published runs."""
    analysis = published(FAULTS_RUN)
    engines = [name for name in analysis.engines if name not in {CEILING, SERIAL}]
    rows = _by_fault(analysis)
    here = [name for name, fault in FAULTS.items() if not fault.container]
    text = between(text, "faults", _faults_table(rows, engines, here))
    said = [
        f"- *{fault}* on {engine}: “{row.value}”\n"
        for (engine, metric, fault), row in rows.items()
        if metric == "words" and rows[engine, _VERDICT, fault].value == "failed"
    ]
    text = between(text, "words", "".join(said))
    composed = published(COMPOSED_FAULTS_RUN)
    of_containers = [name for name, fault in FAULTS.items() if fault.container]
    clusters = [name for name in composed.engines if name in composed.plan.clusters]
    lines = _faults_table(_by_fault(composed), clusters, of_containers)
    return between(text, "containers", lines)


_ByFault: TypeAlias = Mapping[tuple[str, str, Scalar | None], Row]


def _by_fault(analysis: Analysis) -> _ByFault:
    return {(row.engine, row.metric, row.case.get("fault")): row for row in analysis.rows}


def _faults_table(rows: _ByFault, engines: Sequence[str], faults: Sequence[str]) -> str:
    """A line for each fault that the run has."""
    lines = [
        [f"*{fault}*", *(_outcome(rows, engine, fault) for engine in engines)]
        for fault in faults
        if (engines[0], _VERDICT, fault) in rows
    ]
    return table(["", *engines], lines)


def scaling_up(text: str) -> str:
    """docs/scaling-up.md with the numbers of the published run."""
    analysis = published(ELASTIC_RUN)
    scaling = [row.engine for row in analysis.rows if row.metric == "release" and row.values]
    lines = [
        [engine, supply, *(cell(analysis.rows, engine, a._replace(case=case)) for a in _ELASTIC)]
        for engine in scaling
        for supply, case in _SUPPLIES.items()
    ]
    head = ["engine", "workers", *(asked.title for asked in _ELASTIC)]
    text = between(text, "elasticity", table(head, lines))
    text = between(text, "beat", beat_table(read(PUBLISHED)))
    return between(text, "short", by_engine(analysis.rows, scaling, _ELASTIC_SHORT))


def _outcome(rows: _ByFault, engine: str, fault: str) -> str:
    """The verdict, and what it cost: ``finished; 1.2 s lost; 3 tasks twice``."""
    verdict, lost, twice, right = (
        rows[engine, metric, fault].value
        for metric in ("verdict", "time_lost", "ran_twice", "correct")
    )
    # Why something does not apply is in the report.
    said = [str(verdict or rows[engine, "verdict", fault].verdict).partition(":")[0]]
    if isinstance(lost, float):
        said.append(f"{number(lost, digits=2)} s lost")
    if isinstance(twice, float) and twice:
        said.append(f"{plural(round(twice), 'task')} twice")
    if verdict == "finished" and right != 1:
        said.append("**results missing or wrong**")
    return "; ".join(said)


def _sentence(analysis: Analysis, engines: Sequence[str]) -> str:
    shares, costs = (
        {
            row.engine: value_of(row)
            for row in analysis.rows
            if row.metric == metric and row.engine in engines and isinstance(row.value, float)
        }
        for metric in ("engine_efficiency", "per_task_cost")
    )
    told = enumeration([f"{seconds(cost)} on {engine}" for engine, cost in costs.items()])
    return (
        f"With tasks of about a second every engine reaches {min(shares.values()):.0%} to "
        f"{max(shares.values()):.0%} of what the same work does in plain processes; an empty task "
        f"costs {told}."
    )


def _machine(analysis: Analysis) -> str:
    facts, plan = analysis.environment, analysis.plan
    versions = facts["versions"]
    assert isinstance(versions, Mapping)  # noqa: S101 - it is written as one
    names = ", ".join(
        f"{name} {versions[name]}" for name in ("ray", "distributed", "pyspark", "torch")
    )
    count = len(plan.workload.images) if plan.workload else 0
    chunk = plan.workload.chunk if plan.workload else 0
    return (
        f"{facts['cores']} cores ({facts['cpu_model']}), "
        f"Python {str(facts['python']).split()[0]}, "
        f"{names}; {plan.workers} workers of {plan.options.threads_per_worker} thread, "
        f"{plan.blocks} blocks, {count} images in tasks of {chunk}.\n"
    )


def _by_question(rows: Sequence[Row], engines: Sequence[str]) -> str:
    """A line for each question, a column for each engine that is no baseline."""
    lines = [
        [asked.title, *(cell(rows, engine, asked) for engine in engines)] for asked in _QUESTIONS
    ]
    return table(["", *engines], lines)


FILLED: Mapping[Path, Callable[[str], str]] = {
    README: readme,
    RESULTS: results,
    ADVICE: advice,
    WHEN_A_WORKER_DIES: when_a_worker_dies,
    SCALING_UP: scaling_up,
}
"""What fills each page."""
