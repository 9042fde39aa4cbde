"""From flags to a plan: every check of what the user asked for happens here, before measuring.

Raises ``UsageError`` with one sentence that names the thing, the cause and the next step.
"""

import os
import re
import tempfile
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from compare.environment import cores
from compare.errors import UsageError
from compare.experiments import EXPERIMENTS
from compare.plan import BASELINES, Request, make_plan
from compare.presets import PRESETS
from compare.records import CEILING, SERIAL, Plan, Workload, control_of
from engines.errors import EngineMissingError, UnknownEngineError
from engines.interface import Config
from engines.registry import clusters, engine_names, load_engine, require
from workload import images
from workload.errors import WorkloadError
from workload.model import VIT_DIGITS, resolve

COMPOSE = "compose"


@dataclass(frozen=True, slots=True, kw_only=True)
class Flags:
    """The flags of ``python -m compare``, as typed; ``None`` where the preset decides."""

    engines: str
    experiments: str
    preset: str
    workers: int | None
    threads_per_worker: int
    blocks: int | None
    model: str
    images: Path | None
    n_images: int | None
    chunk: int | None
    dtype: str
    config: Config
    out: Path
    seed: int
    native_trace: bool
    control: str | None
    on: str | None
    ship: str
    link_rate: str | None
    dry_run: bool


def cache_folder() -> Path:
    """Where made models and images are kept between runs."""
    default = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(os.environ.get("ENGINE_COMPARE_CACHE") or Path(default) / "engine-compare")


def prepare(flags: Flags) -> Plan:
    """Check everything, make or find the model and the images, and plan.

    Raises:
        UsageError: something has to be changed first.
    """
    engines, missing = _engines(flags.engines)
    if flags.control is not None:
        engines = _with_control(engines, flags.control)
        if flags.control in missing:
            missing[control_of(flags.control)] = missing[flags.control]
    clusters = _clusters(flags.on, engines)
    experiments = _experiments(flags.experiments)
    check_writable(flags.out)
    needed = any(EXPERIMENTS[name].needs_images for name in experiments)
    workload = _workload(flags) if needed else None
    request = Request(
        engines=engines,
        experiments=experiments,
        preset=flags.preset,
        blocks=flags.blocks,
        workers=flags.workers or cores(),
        threads_per_worker=flags.threads_per_worker,
        config=flags.config,
        seed=flags.seed,
        native_trace=flags.native_trace,
        clusters=clusters,
        composed=flags.on == COMPOSE,
        link_rate=_link_rate(flags),
        shipped=flags.ship == "bytes",
    )
    return make_plan(request, _run_id(flags.out), workload, missing)


def check_writable(folder: Path) -> None:
    """Make sure of it before minutes of measuring, not after.

    Raises:
        UsageError: nothing can be written there.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise UsageError(
            f"cannot write to {folder}: {error.strerror}; choose another --out"
        ) from error


def _engines(text: str) -> tuple[tuple[str, ...], dict[str, str]]:
    """Baselines and the engines asked for, each once, and what keeps some from running."""
    asked = list(engine_names()) if text.strip() == "all" else _listed(text, "--engines")
    if CEILING in asked:
        asked.remove(CEILING)  # always measured
    engines = tuple(dict.fromkeys([*BASELINES, *asked]))
    missing = {}
    for name in engines:
        try:
            require(load_engine(name))
        except UnknownEngineError as error:
            raise UsageError(str(error)) from error
        except EngineMissingError as error:
            missing[name] = str(error)
    return engines, missing


def _clusters(on: str | None, engines: tuple[str, ...]) -> dict[str, str]:
    """Where each engine that spans hosts finds its cluster; empty on this host alone."""
    if on is None:
        return {}
    spanning = {name: cluster for name, cluster in clusters().items() if name in engines}
    if on == COMPOSE:
        return {name: cluster.address() for name, cluster in spanning.items()}
    told = {}
    for part in _listed(on, "--on"):
        name, equals, address = part.partition("=")
        if not equals or name not in engine_names():
            raise UsageError(
                f"--on {part}: say 'compose', or ENGINE=ADDRESS for each engine, such as "
                "ray=head:6379,dask=tls://scheduler:8786,spark=spark://master:7077"
            )
        told[name] = address
    for name in spanning:
        if name not in told:
            raise UsageError(
                f"--on names no cluster for {name}: add {name}=ADDRESS, or leave {name} out; an "
                "engine on this host alone is not compared with others on a cluster"
            )
    return {name: told[name] for name in spanning}


def _link_rate(flags: Flags) -> str | None:
    rate = flags.link_rate
    if rate is None:
        return None
    if flags.on != COMPOSE:
        raise UsageError("--link-rate limits the links between containers: add --on compose")
    if not re.fullmatch(r"[1-9]\d*[kmg]bit", rate):
        raise UsageError(f"--link-rate {rate}: say a number and kbit, mbit or gbit, as in 100mbit")
    return rate


def _with_control(engines: tuple[str, ...], name: str) -> tuple[str, ...]:
    """The engine once more, right behind itself."""
    if name not in engines or name == SERIAL:
        could = ", ".join(engine for engine in engines if engine != SERIAL)
        raise UsageError(
            f"--control {name}: only an engine of this comparison that runs tasks in parallel can "
            f"be its own control; choose one of {could}"
        )
    place = engines.index(name) + 1
    return (*engines[:place], control_of(name), *engines[place:])


def _experiments(text: str) -> tuple[str, ...]:
    asked = list(EXPERIMENTS) if text.strip() == "all" else _listed(text, "--experiments")
    for name in asked:
        if name not in EXPERIMENTS:
            raise UsageError(f"no experiment called {name!r}; known: {', '.join(EXPERIMENTS)}")
    return tuple(name for name in EXPERIMENTS if name in asked)


def _listed(text: str, flag: str) -> list[str]:
    names = [name.strip() for name in text.split(",") if name.strip()]
    if not names:
        raise UsageError(f"{flag} names nothing; give names separated by commas, or 'all'")
    return names


def _workload(flags: Flags) -> Workload:
    preset = PRESETS[flags.preset]
    cache = cache_folder()
    try:
        model = resolve(flags.model, cache)
        if flags.images is not None:
            scanned = images.scan(flags.images)
            good: tuple[str, ...] = scanned.good[: flags.n_images]
            skipped: Iterable[str] = scanned.skipped
        else:
            make = (
                images.held_out_digits if flags.model == VIT_DIGITS else images.default_photographs
            )
            count = flags.n_images or preset.n_images
            good = tuple(str(path) for path in make(count, cache))
            skipped = ()
    except WorkloadError as error:
        raise UsageError(str(error)) from error
    except OSError as error:
        raise UsageError(
            f"cannot write to {cache}: {error.strerror}; set ENGINE_COMPARE_CACHE to a folder "
            "where the model and the images can be kept"
        ) from error
    if flags.n_images is not None and len(good) < flags.n_images:
        raise UsageError(
            f"{flags.images} holds {len(good)} readable images, fewer than --n-images "
            f"{flags.n_images}; ask for fewer"
        )
    return Workload(
        model=flags.model,
        model_folder=model.folder,
        dtype=flags.dtype,
        images=good,
        images_skipped=tuple(skipped),
        labels=images.true_labels(good, model.labels),
        chunk=flags.chunk or preset.chunk,
        random_weights=model.random_weights,
    )


def _run_id(out: Path) -> str:
    """The time of day, which sorts; a number behind it when two start in one second."""
    base = time.strftime("%Y%m%d-%H%M%S")
    names = [base, *(f"{base}-{number}" for number in range(2, 100))]
    return next(name for name in names if not (out / name).exists())
