"""The command line: parses, checks, prints progress.  Measures and computes nothing.

Imports little, and nothing of a framework or torch: ``--help`` has to be there at once.
"""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from compare.presets import PRESETS, PresetName
from engines.interface import Config

app = typer.Typer(
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


class Dtype(StrEnum):
    """Number formats of the model."""

    FLOAT32 = "float32"
    BFLOAT16 = "bfloat16"


class Ship(StrEnum):
    """How images reach the workers."""

    PATHS = "paths"
    BYTES = "bytes"


_presets = "; ".join(
    f"{name}: {preset.blocks} block{'s' * (preset.blocks > 1)} of {preset.n_images} images"
    for name, preset in PRESETS.items()
)


@app.callback(invoke_without_command=True)
def compare(  # noqa: PLR0913, PLR0917 - one parameter a flag
    context: typer.Context,
    engines: Annotated[
        str,
        typer.Option(
            help="Engines to compare, separated by commas, or 'all'. The ceiling (no engine), "
            "serial and multiprocessing are always added."
        ),
    ] = "ray,dask,spark",
    experiments: Annotated[
        str,
        typer.Option(
            help="What to measure, separated by commas, or 'all': throughput, overhead (and METG), "
            "submission, fractional, matrix, lying, hybrid, granularity, residency, scaling, "
            "imbalance, payload, timeline, dependencies."
        ),
    ] = "throughput,overhead,fractional",
    preset: Annotated[
        PresetName, typer.Option(help=f"How much to measure. {_presets}.")
    ] = PresetName.STANDARD,
    workers: Annotated[
        int | None,
        typer.Option(
            min=1,
            envvar="ENGINE_COMPARE_WORKERS",
            help="Workers of each engine.  [default: one a core]",
        ),
    ] = None,
    threads_per_worker: Annotated[
        int, typer.Option(min=1, help="Native threads (OpenMP, BLAS) of each worker.")
    ] = 1,
    blocks: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="Repetitions of everything, each in another order; an interval needs two.  "
            "[default: the preset's]",
        ),
    ] = None,
    model: Annotated[
        str,
        typer.Option(
            help="vit-base (random weights), vit-digits (trained, small), a folder, or the name "
            "of a ViT on the Hugging Face hub such as google/vit-base-patch16-224."
        ),
    ] = "vit-base",
    images: Annotated[
        Path | None,
        typer.Option(
            help="Folder with JPEG and PNG files, at any depth.  [default: photographs that come "
            "with scikit-image; for vit-digits the held-out digits]"
        ),
    ] = None,
    n_images: Annotated[
        int | None, typer.Option(min=1, help="Images to classify.  [default: the preset's]")
    ] = None,
    chunk: Annotated[
        int | None, typer.Option(min=1, help="Images per task.  [default: the preset's]")
    ] = None,
    dtype: Annotated[Dtype, typer.Option(help="Number format of the model.")] = Dtype.FLOAT32,
    config: Annotated[
        Config,
        typer.Option(
            help="shipped: engines as their maintainers ship them; tuned: as their experts would "
            "set them, every setting listed in the report with its reason."
        ),
    ] = Config.TUNED,
    out: Annotated[
        Path, typer.Option(envvar="ENGINE_COMPARE_OUT", help="Folder for the results of all runs.")
    ] = Path("results"),
    seed: Annotated[int, typer.Option(help="Decides the order of the sessions.")] = 0,
    native_trace: Annotated[  # noqa: FBT002 - a flag
        bool,
        typer.Option(
            "--native-trace",
            help="Afterwards run some tasks again on each engine that keeps a record of its own "
            "(ray.timeline, Dask's task stream, Spark's event log) and put it into trace.json, "
            "beside what the tasks themselves saw: so you see whether both tell the same. Not "
            "timed, part of no number.",
        ),
    ] = False,
    resume: Annotated[
        Path | None,
        typer.Option(metavar="RUN_DIR", help="Finish an interrupted run; nothing is run twice."),
    ] = None,
    control: Annotated[
        str | None,
        typer.Option(
            metavar="ENGINE",
            help="Measure this engine twice, as two: what differs between the two is noise.",
        ),
    ] = None,
    on: Annotated[
        str | None,
        typer.Option(
            metavar="WHERE",
            envvar="ENGINE_COMPARE_ON",
            help="compose: start a cluster of containers for each session; or ENGINE=ADDRESS for "
            "clusters that run, such as ray=head:6379,dask=tls://scheduler:8786,"
            "spark=spark://master:7077, with as many cores as --workers says.  "
            "[default: private clusters on this host]",
        ),
    ] = None,
    ship: Annotated[
        Ship,
        typer.Option(
            help="How images reach the workers: as paths that every host can read, or as bytes "
            "inside the tasks."
        ),
    ] = Ship.PATHS,
    link_rate: Annotated[
        str | None,
        typer.Option(
            metavar="RATE",
            help="With --on compose: what each container may send, such as 100mbit.",
        ),
    ] = None,
    dry_run: Annotated[  # noqa: FBT002 - a flag
        bool, typer.Option("--dry-run", help="Print the plan and measure nothing.")
    ] = False,
) -> int:
    r"""Compare distributed Python engines on one machine.

    Runs the same ViT batch inference, the same no-ops and the same sleeping tasks on each engine
    and writes RESULTS/summary.md: throughput, scheduling overhead, what a share of a core means.

    \b
    Examples:
      python -m compare                                    the whole comparison, about 10 minutes
      python -m compare --preset quick                     a first look, about 3 minutes
      python -m compare --engines all --experiments all    everything, 35 to 40 minutes
      python -m compare --engines ray --experiments throughput --dtype bfloat16
      python -m compare --model google/vit-base-patch16-224 --images photos/ --chunk 15
      python -m compare --on compose --preset quick        on clusters of containers
    """
    if context.invoked_subcommand is not None:
        return 0
    from compare.command import resume_run, start_run
    from compare.prepare import Flags

    given = {
        name
        for name in context.params
        if (source := context.get_parameter_source(name)) is not None
        and source.name == "COMMANDLINE"
    }
    flags = Flags(
        engines=engines,
        experiments=experiments,
        preset=preset.value,
        workers=workers,
        threads_per_worker=threads_per_worker,
        blocks=blocks,
        model=model,
        images=images,
        n_images=n_images,
        chunk=chunk,
        dtype=dtype.value,
        config=config,
        out=out,
        seed=seed,
        native_trace=native_trace,
        control=control,
        on=on,
        ship=ship.value,
        link_rate=link_rate,
        dry_run=dry_run,
    )
    return resume_run(resume, flags, given) if resume is not None else start_run(flags)


@app.command()
def engines() -> int:
    """List the engines: installed or how to get them, version, what they can do."""
    from compare.engine_list import engine_list

    for line in engine_list():
        typer.echo(line)
    return 0


@app.command()
def report(
    run_dir: Annotated[Path, typer.Argument(help="A folder with measurements.jsonl.")],
) -> int:
    """Write the report of a run again, from its records."""
    from compare.command import show_report

    return show_report(run_dir)


@app.command()
def diff(
    run_a: Annotated[Path, typer.Argument(help="The run before.")],
    run_b: Annotated[Path, typer.Argument(help="The run after.")],
    anyway: Annotated[  # noqa: FBT002 - a flag
        bool,
        typer.Option("--anyway", help="Compare runs of different plans or machines, too."),
    ] = False,
) -> int:
    """Say what changed from one run to another; exit code 1 when something got slower."""
    from compare.command import show_differences

    return show_differences(run_a, run_b, anyway=anyway)
