"""Makes a plan from the options and checks all of the user's input, before measuring.

Raises ``UsageError`` with one sentence that names the thing, the cause and the next step.
"""

import os
import re
import secrets
import tempfile
import time
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from compare.errors import UsageError
from compare.experiments.registry import (
    built_in_names,
    default_names,
    experiment_names,
    load_experiment,
)
from compare.measure.machine import usable_cores
from compare.options import COMPOSE, Options
from compare.plan.digests import with_digests
from compare.plan.duration import image_s
from compare.plan.job import canonical_job, planned_job
from compare.plan.schedule import BASELINES, Request, make_plan
from compare.presets import CHUNK, MINUTES, batch
from compare.records.plan import CEILING, SERIAL, Plan, Workload, control_of
from engines.environment import temporary_folder
from engines.errors import EngineMissingError, UnknownEngineError
from engines.registry import (
    clusters,
    engine_names,
    forms,
    forms_and_their_engines,
    load_engine,
    require,
    without_forms,
)
from workload import images
from workload.digits import HELD_OUT
from workload.errors import WorkloadError
from workload.model import VIT_DIGITS, resolve

_ROOM_BYTES = 2**12


def cache_folder() -> Path:
    """The folder for generated models and images, which are kept between runs."""
    chosen = os.environ.get("ENGINE_COMPARE_CACHE")
    if chosen:
        return Path(chosen).absolute()
    try:
        default = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    except RuntimeError:
        # A user without an entry in /etc/passwd and without HOME has no home folder.
        default = Path(temporary_folder() or ".") / f"cache-{os.getuid()}"
    return default.absolute() / "engine-compare"


def canonical(options: Options) -> Options:
    """The same request in one form, so that two requests can be compared.

    Lists are complete and in order, paths are absolute, and defaults that do not depend on the
    input are filled in.

    Raises:
        UsageError: an engine or an experiment is not known.
    """
    images_folder = None if options.images is None else options.images.absolute()
    return replace(
        options,
        engines=",".join(sorted(_engines(options.engines), key=engine_names().index)),
        experiments=",".join(_experiments(options.experiments, own_job=options.job is not None)),
        job=None if options.job is None else canonical_job(options.job),
        workers=options.workers or usable_cores(),
        chunk=options.chunk or CHUNK.of(options.preset),
        images=images_folder,
        minutes=None if options.blocks else options.minutes or MINUTES.of(options.preset),
        precision=f"{precision(options):g}%",
    )


def prepare(asked: Options) -> Plan:
    """Check the options, make or find the model and the images, and make the plan.

    Raises:
        UsageError: the user has to change something first.
    """
    options = canonical(asked)
    if options.seed is None:
        # Always the same order would give everybody the same advantage of position.
        options = replace(options, seed=secrets.randbelow(2**32))
    engines = _engines(asked.engines)
    missing = _missing(engines)
    if options.control is not None:
        engines = _with_control(engines, options.control)
        if options.control in missing:
            missing[control_of(options.control)] = missing[options.control]
    addresses = _clusters(options.on, engines)
    experiments = tuple((options.experiments or "").split(","))
    _check_job_given(options, experiments)
    _check_link_rate(options)
    if asked.blocks and asked.minutes:
        raise UsageError("--blocks and --minutes contradict each other; give one of them")
    check_writable(options.out)
    needed = any(load_experiment(name).needs_images for name in experiments)
    # How many images a task has depends on the machine, unless the user says it.
    workload = _workload(replace(options, chunk=asked.chunk)) if needed else None
    if workload is not None:
        options = replace(options, chunk=workload.chunk)
        if options.images is None:
            options = replace(options, n_images=len(workload.images))
    workers = options.workers or usable_cores()
    return make_plan(
        Request(
            run_id=_run_id(options.out),
            options=options,
            engines=engines,
            experiments=experiments,
            workers=workers,
            workload=workload,
            job=planned_job(options, workers),
            missing=missing,
            clusters=addresses,
            forms={form: plain for form, plain in forms().items() if {form, plain} <= {*engines}},
            # On clusters the priority of the driver is not that of the workers.
            niceness=0 if addresses else os.getpriority(os.PRIO_PROCESS, 0),
        )
    )


def check_writable(folder: Path) -> None:
    """Check, before minutes of measuring, that results can be written.

    Raises:
        UsageError: the folder is not writable.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder) as file:
            file.write(bytes(_ROOM_BYTES))  # also a full disk takes a file, but not its content
    except OSError as error:
        raise UsageError(
            f"cannot write to {folder}: {error.strerror}; choose another --out"
        ) from error


def _engines(text: str) -> tuple[str, ...]:
    """The baselines and the engines asked for, each once.

    Raises:
        UsageError: an engine is not known.
    """
    groups = {"all": without_forms, "open": forms_and_their_engines}
    group = groups.get(text.strip())
    asked = _names(text, "--engines") if group is None else list(group())
    if CEILING in asked:
        asked.remove(CEILING)  # always measured
    for name in asked:
        try:
            load_engine(name)
        except (UnknownEngineError, EngineMissingError) as error:
            raise UsageError(str(error)) from error
    return tuple(dict.fromkeys([*BASELINES, *asked]))


def _missing(engines: tuple[str, ...]) -> dict[str, str]:
    """Engines that cannot run here, with the reason."""
    missing = {}
    for name in engines:
        try:
            require(load_engine(name))
        except EngineMissingError as error:
            missing[name] = str(error)
    return missing


def _clusters(on: str | None, engines: tuple[str, ...]) -> dict[str, str]:
    """The cluster address of each engine that spans hosts; empty if all run on this host."""
    if on is None:
        return {}
    spanning = {name: cluster for name, cluster in clusters().items() if name in engines}
    if on == COMPOSE:
        return {name: cluster.address() for name, cluster in spanning.items()}
    addresses = {}
    for part in _names(on, "--on"):
        name, equals, address = part.partition("=")
        if not equals or name not in engine_names():
            raise UsageError(
                f"--on {part}: use 'compose', or ENGINE=ADDRESS for each engine, such as "
                "ray=head:6379,dask=tls://scheduler:8786,spark=spark://master:7077"
            )
        addresses[name] = address
    for name in spanning:
        if name not in addresses:
            raise UsageError(
                f"--on names no cluster for {name}: add {name}=ADDRESS, or leave {name} out; an "
                "engine on this host alone cannot be compared with others on a cluster"
            )
    return {name: addresses[name] for name in spanning}


def _check_job_given(options: Options, experiments: Iterable[str]) -> None:
    for name in experiments:
        if options.job is None and load_experiment(name).needs_job:
            raise UsageError(
                f"experiment {name!r} needs --job FILE; 'python -m compare init' writes an example"
            )


def _check_link_rate(options: Options) -> None:
    rate = options.link_rate
    if rate is None:
        return
    if not options.composed:
        raise UsageError("--link-rate limits the links between containers: add --on compose")
    if not re.fullmatch(r"[1-9]\d*[kmg]bit", rate):
        raise UsageError(
            f"--link-rate {rate}: use a number and kbit, mbit or gbit, such as 100mbit"
        )


def _with_control(engines: tuple[str, ...], name: str) -> tuple[str, ...]:
    """The engines, with the control directly after its engine."""
    if name not in engines or name == SERIAL:
        choices = ", ".join(engine for engine in engines if engine != SERIAL)
        raise UsageError(
            f"--control {name}: only an engine of this comparison that runs tasks in parallel can "
            f"be measured twice; choose one of {choices}"
        )
    place = engines.index(name) + 1
    return (*engines[:place], control_of(name), *engines[place:])


def _experiments(text: str | None, *, own_job: bool) -> tuple[str, ...]:
    """The experiments asked for, in the order of the registry; with a job of the user, that of it.

    Raises:
        UsageError: an experiment is not known, or cannot be imported.
    """
    if text is None and not own_job:
        return default_names()
    everything = (text or "").strip() == "all"
    asked = list(experiment_names()) if everything else []
    if text is not None and not everything:
        asked = _names(text, "--experiments")
    for name in asked:
        load_experiment(name)
    of_job = [name for name in built_in_names() if load_experiment(name).needs_job]
    if own_job:
        asked += of_job
    elif everything:
        asked = [name for name in asked if name not in of_job]
    return tuple(name for name in experiment_names() if name in asked)


def _names(text: str, flag: str) -> list[str]:
    names = [name.strip() for name in text.split(",") if name.strip()]
    if not names:
        raise UsageError(f"{flag} is empty; give names separated by commas")
    return names


def _workload(options: Options) -> Workload:
    cache = cache_folder()
    chunk = options.chunk or CHUNK.of(options.preset)
    try:
        model = resolve(options.model, cache)
        if options.images is not None:
            scanned = images.scan(options.images, options.n_images)
            good: tuple[str, ...] = scanned.good[: options.n_images]
            skipped: Iterable[str] = scanned.skipped
        else:
            make = (
                images.held_out_digits
                if options.model == VIT_DIGITS
                else images.default_photographs
            )
            count = options.n_images
            if count is None:
                count, chunk = _fitting_batch(options, Path(model.folder))
            good = tuple(str(path) for path in make(count, cache))
            skipped = ()
    except WorkloadError as error:
        raise UsageError(str(error)) from error
    except OSError as error:
        raise UsageError(
            f"cannot write to {cache}: {error.strerror}; set ENGINE_COMPARE_CACHE to a folder "
            "where the model and the images can be kept"
        ) from error
    if options.n_images is not None and len(good) < options.n_images:
        raise UsageError(
            f"{options.images} holds {len(good)} readable images, fewer than --n-images "
            f"{options.n_images}; ask for fewer"
        )
    return with_digests(
        Workload(
            model=options.model,
            model_folder=model.folder,
            dtype=options.dtype,
            images=good,
            images_skipped=tuple(skipped),
            labels=images.true_labels(good, model.labels),
            chunk=chunk,
            random_weights=model.random_weights,
        )
    )


def _fitting_batch(options: Options, model_folder: Path) -> tuple[int, int]:
    """As many images as this machine classifies in the time that the preset has for a batch, and
    how many of them a task has.
    """
    count, chunk = batch(
        options.preset,
        image_s(model_folder, options.dtype),
        options.workers or usable_cores(),
        options.chunk,
    )
    return min(count, HELD_OUT) if options.model == VIT_DIGITS else count, chunk


def precision(options: Options) -> float:
    """The wanted precision in percent.

    Raises:
        UsageError: it is not a percentage above zero.
    """
    found = re.fullmatch(r"(\d+(?:\.\d+)?) *%?", options.precision.strip())
    if found is None or not float(found[1]) > 0:
        raise UsageError(f"--precision {options.precision}: use a percentage such as 5%")
    return float(found[1])


def _run_id(out: Path) -> str:
    """Date and time, which sort by age; with a number if two runs start in the same second."""
    base = time.strftime("%Y%m%d-%H%M%S")
    names = [base, *(f"{base}-{number}" for number in range(2, 100))]
    return next(name for name in names if not (out / name).exists())
