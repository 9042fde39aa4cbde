"""The command line: turns flags into ``Options`` and computes nothing.

Imports little, and neither a framework nor torch, because ``--help`` must be fast.
"""

import dataclasses
import inspect
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Annotated, Any, get_args, get_type_hints

import typer
from typer.core import TyperGroup
from typing_extensions import override

from compare.errors import UsageError
from compare.experiments.registry import default_names, experiment_names
from compare.options import FLAGS, Options, spelled
from compare.presets import described
from engines.registry import engine_names


class _Commands(TyperGroup):
    """The commands; a file in the place of a command is explained."""

    @override
    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        if args and args[0] not in self.commands and Path(args[0]).exists():
            raise UsageError(
                f"{args[0]} is no command; a flag takes one folder, as in --images photos/, and "
                "not the files that the shell makes of photos/*.jpg"
            )
        return super().resolve_command(ctx, args)


app = typer.Typer(
    cls=_Commands,
    add_completion=True,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _parameters() -> list[inspect.Parameter]:
    """One parameter of the command for each field of ``Options``."""
    hints = get_type_hints(Options, include_extras=True)
    filled = {
        "experiments": ", ".join(experiment_names()),
        "default_experiments": ",".join(default_names()),
        "presets": described(),
    }
    return [
        inspect.Parameter(
            field.name,
            inspect.Parameter.KEYWORD_ONLY,
            default=field.default,
            annotation=_option(field.name, get_args(hints[field.name])[0], filled),
        )
        for field in dataclasses.fields(Options)
    ]


def _next_of(names: Callable[[], Iterable[str]], *groups: str) -> Callable[[str], list[str]]:
    """Completes the last name of a list with commas; a group stands alone, a name comes once."""

    def proposed(incomplete: str) -> list[str]:
        begun, comma, last = incomplete.rpartition(",")
        chosen = begun.split(",")
        return [
            f"{begun}{comma}{name}"
            for name in (*names(), *(() if comma else groups))
            if name.startswith(last) and name not in chosen
        ]

    return proposed


_COMPLETED = {
    "engines": _next_of(engine_names, "all", "open"),
    "experiments": _next_of(experiment_names, "all"),
}


def _option(name: str, kind: Any, filled: dict[str, str]) -> Any:  # noqa: ANN401 - a type hint
    flag = FLAGS[name]
    option = typer.Option(
        spelled(name),
        autocompletion=_COMPLETED.get(name),
        help=flag.help.format(**filled),
        metavar=flag.metavar,
        envvar=flag.envvar,
        min=flag.minimum,
        rich_help_panel=flag.group,
        show_default=True if flag.default is None else flag.default.format(**filled),
    )
    return Annotated[kind, option]


def compare(context: typer.Context, **values: Any) -> int:  # noqa: ANN401 - fields of Options
    """Compare distributed Python engines on one machine.

    Runs the same ViT batch inference, the same no-ops and the same sleeping
    tasks on each engine, and writes RESULTS/summary.md: throughput, scheduling
    overhead, what a share of a core means.

    \b
    Examples:
      python -m compare                           about 10 minutes on 2 cores
      python -m compare --preset quick            a first look, about 3 minutes
      python -m compare --minutes 30              narrower intervals
      python -m compare --engines all --experiments all --minutes 60
      python -m compare --experiments throughput --dtype bfloat16
      python -m compare --images photos/ --chunk 15
      python -m compare --on compose              on clusters of containers
      python -m compare --job my_job.py           your own job (see: init)
    """  # noqa: D301 - the backspace keeps the line breaks
    if context.invoked_subcommand is not None:
        return 0
    from compare.commands import resume_run, start_run

    options = Options(**values)
    if options.resume is None:
        return start_run(options)
    given = {
        name
        for name in context.params
        if (source := context.get_parameter_source(name)) is not None
        and source.name == "COMMANDLINE"
    }
    return resume_run(options.resume, options, given)


compare.__signature__ = inspect.Signature(  # type: ignore[attr-defined]
    [
        inspect.Parameter("context", inspect.Parameter.POSITIONAL_ONLY, annotation=typer.Context),
        *_parameters(),
    ]
)
compare.__annotations__ = {
    name: parameter.annotation for name, parameter in inspect.signature(compare).parameters.items()
}
app.callback(invoke_without_command=True)(compare)


@app.command()
def engines(
    as_json: Annotated[  # noqa: FBT002 - a flag
        bool, typer.Option("--json", help="Print JSON, for scripts.")
    ] = False,
) -> int:
    """List the engines: what each can do, and how to install what is missing."""
    from compare import engine_list

    listed = engine_list.engine_list()
    if as_json:
        typer.echo(engine_list.as_json(listed))
    else:
        engine_list.print_engines(listed)
    return 0


@app.command()
def init(
    file: Annotated[Path, typer.Argument(help="The file to write.")] = Path("my_job.py"),
) -> int:
    """Write an example of a job of your own, to change and to run with --job."""
    from compare.commands import write_example_job

    return write_example_job(file)


@app.command()
def experiments() -> int:
    """List the experiments and their questions."""
    from compare.experiment_list import experiment_list

    for line in experiment_list():
        typer.echo(line)
    return 0


@app.command()
def report(
    run_dir: Annotated[Path, typer.Argument(help="Folder of a run, with measurements.jsonl.")],
) -> int:
    """Write the report of a run again from its records."""
    from compare.commands import show_report

    return show_report(run_dir)


@app.command()
def serve(
    run_dir: Annotated[
        Path | None,
        typer.Argument(help="Folder of a run; by default the newest one in results/."),
    ] = None,
    port: Annotated[int, typer.Option(help="Port of 127.0.0.1.", min=0, max=65535)] = 8642,
) -> int:
    """Show a run in the browser: its progress while it is measured, then its report."""
    from compare.commands import serve_run

    return serve_run(run_dir, port)


@app.command()
def diff(
    run_a: Annotated[Path, typer.Argument(help="Folder of the earlier run.")],
    run_b: Annotated[Path, typer.Argument(help="Folder of the later run.")],
    anyway: Annotated[  # noqa: FBT002 - a flag
        bool,
        typer.Option("--anyway", help="Also compare runs with different plans or machines."),
    ] = False,
) -> int:
    """Show what changed between two runs, relative to the machine's speed; exit code 1 if something
    got slower.
    """
    from compare.commands import show_differences

    return show_differences(run_a, run_b, anyway=anyway)


@app.command()
def advise(  # noqa: PLR0913 - one parameter a flag
    *,
    job: Annotated[
        str | None,
        typer.Option(
            metavar="FILE",
            help="Your own job, as for a comparison: some of its tasks are run, one after the "
            "other, for what the flags below do not say.",
        ),
    ] = None,
    task_seconds: Annotated[
        float | None,
        typer.Option(help="Seconds of one task alone on an idle core, as you measure it."),
    ] = None,
    tasks: Annotated[
        int | None, typer.Option(min=1, help="Number of tasks, all submitted at once.")
    ] = None,
    workers: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="One-core tasks that run at the same time.",
            show_default="the cores of this machine",
        ),
    ] = None,
    bytes_in: Annotated[
        int | None,
        typer.Option(
            min=0,
            help="Bytes that go into each task, different for each.",
            show_default="0, or those of the job",
        ),
    ] = None,
    bytes_out: Annotated[
        int | None,
        typer.Option(
            min=0, help="Bytes that each task returns.", show_default="0, or those of the job"
        ),
    ] = None,
    cpus: Annotated[
        float | None,
        typer.Option(
            help="Cores that a task asks for; below 1 it mostly waits.",
            show_default="1, or that of the job",
        ),
    ] = None,
    needs: Annotated[
        str,
        typer.Option(
            metavar="LIST",
            help="Capabilities that the engine must have, separated by commas, such as "
            "spans-hosts,streams; 'python -m compare engines --json' lists them.",
        ),
    ] = "",
    run: Annotated[
        Path | None,
        typer.Option(
            metavar="RUN_DIR",
            help="Folder of the run whose costs are used.",
            show_default="the newest that measured overhead, else the published one",
        ),
    ] = None,
    results: Annotated[
        Path,
        typer.Option(envvar="ENGINE_COMPARE_OUT", help="Folder in which the newest is looked for."),
    ] = Path("results"),
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, for scripts.")] = False,
) -> int:
    """Advise which engine to take for a job: its makespan on each, from the measured costs.

    \b
    Examples:
      python -m compare advise --task-seconds 0.05 --tasks 10000 --workers 2
      python -m compare advise --job my_job.py --tasks 10000
      … --bytes-in 1000000       each task gets a megabyte
      … --cpus 0.1               tasks that mostly wait
      … --needs spans-hosts      only engines that run on several hosts
    """  # noqa: D301 - the backspace keeps the line breaks
    from compare.commands import show_advice
    from compare.job_questions import Asked, Description

    said = Description(
        job=job,
        task_s=task_seconds,
        tasks=tasks,
        workers=workers,
        bytes_in=bytes_in,
        bytes_out=bytes_out,
        cpus=cpus,
    )
    return show_advice(said, Asked(needs=needs, run=run, results=results), as_json=as_json)


@app.command()
def history(
    results: Annotated[Path, typer.Argument(help="Folder of several runs.")] = Path("results"),
    *,
    metric: Annotated[
        str,
        typer.Option(help="Metric as in summary.json, such as throughput or overhead/metg50."),
    ] = default_names()[0],
    case: Annotated[
        str,
        typer.Option(
            metavar="LIST",
            help="Parameters that choose one of several cases, such as bytes=64000,direction=in.",
        ),
    ] = "",
    out: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Also draw it, as SVG, in this file.")
    ] = None,
    anyway: Annotated[
        bool, typer.Option("--anyway", help="Also show runs with other plans or machines.")
    ] = False,
) -> int:
    """Show a metric over all runs of a folder in order of time, with the changes between them."""
    from compare.commands import show_history
    from compare.history_questions import AskedHistory

    return show_history(
        AskedHistory(results=results, metric=metric, case=case, out=out, anyway=anyway)
    )
