# ruff: noqa: T201 - it prints its findings
"""What the suite costs: its throughput against that of programs written by hand, in pairs.

    python -m tools.harness_cost --engines ray,dask --pairs 5

For each engine the cluster is started once, with the settings of the tuned configuration, and then
the suite (``Engine.run`` of ``run_packed``, reports and all) and a program that calls the framework
directly take turns on the same images, and on the same number of no-ops.  ``bare`` compares the
engine-free ceiling with two pinned processes that do nothing but decode, preprocess and classify.
Prints the ratio suite / by hand with its 95% t interval on logs; 1.00 is a suite without cost.
"""

import argparse
import multiprocessing
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import cache, partial
from multiprocessing.connection import Connection
from typing import Any

from compare.analysis.intervals import geometric_mean
from compare.measure.bench import Bench
from compare.measure.image_tasks import image_tasks
from compare.options import Options, PresetName
from compare.plan.resolve import cache_folder
from compare.plan.schedule import Request, make_plan
from compare.records.plan import CEILING, Case, Plan, Workload
from engines._stdlib.ceiling import Ceiling
from engines.environment import thread_environment
from engines.interface import Config, Engine, Resources
from engines.registry import load_engine
from workload.images import default_photographs
from workload.kernels import noop
from workload.model import VIT_BASE, resolve

Program = Callable[[Callable[[Any], Any], Sequence[Any]], object]
"""Runs a function over inputs, one task each, and returns when all results are in the driver."""

_CASE = Case(experiment="throughput", parameters={})


@cache
def _model(folder: str) -> tuple[Any, Any]:
    import torch
    from transformers.models.vit.image_processing_pil_vit import ViTImageProcessorPil
    from transformers.models.vit.modeling_vit import ViTForImageClassification

    torch.set_num_threads(int(os.environ["OMP_NUM_THREADS"]))
    model = ViTForImageClassification.from_pretrained(folder, attn_implementation="eager")
    return ViTImageProcessorPil.from_pretrained(folder), model.eval()


def classify(folder: str, paths: Sequence[str]) -> list[str]:
    """What somebody writes who has never heard of this suite."""
    import torch
    from PIL import Image

    processor, model = _model(folder)
    images = [Image.open(path).convert("RGB") for path in paths]
    with torch.inference_mode():
        logits = model(**processor(images, return_tensors="pt")).logits
    return [model.config.id2label[i] for i in logits.argmax(-1).tolist()]


def nothing(_: object) -> None:
    """The no-op."""


def _by_hand_multiprocessing(resources: Resources) -> Iterator[Program]:
    with multiprocessing.get_context("spawn").Pool(resources.workers) as pool:
        yield lambda function, inputs: list(pool.imap_unordered(function, inputs))


def _by_hand_ray(_resources: Resources) -> Iterator[Program]:
    import ray

    # Defined once, as Ray's documentation asks: every new remote function is pickled and sent.
    @cache
    def remote(function: Callable[[Any], Any]) -> Any:  # noqa: ANN401 - Ray's own type
        @ray.remote(num_cpus=1)  # type: ignore[untyped-decorator]
        def task(one: object) -> object:
            return function(one)

        return task

    def program(function: Callable[[Any], Any], inputs: Sequence[Any]) -> object:
        task = remote(function)
        return ray.get([task.remote(one) for one in inputs])

    yield program


def _by_hand_dask(_resources: Resources) -> Iterator[Program]:
    from distributed import default_client

    client = default_client()
    yield lambda function, inputs: client.gather(client.map(function, inputs, pure=False))


def _by_hand_spark(_resources: Resources) -> Iterator[Program]:
    from pyspark import SparkContext

    context = SparkContext.getOrCreate()
    yield lambda function, inputs: context.parallelize(inputs, len(inputs)).map(function).collect()


def _bare(resources: Resources) -> Iterator[Program]:
    """Each process is pinned to a core and takes every n-th input; no queue, no scheduler."""
    context = multiprocessing.get_context("spawn")
    pipes = []
    for worker in range(resources.workers):
        pipe, far_end = context.Pipe()
        share = slice(worker, None, resources.workers)
        context.Process(target=_pinned, args=(far_end, worker, share), daemon=True).start()
        pipes.append(pipe)

    def program(function: Callable[[Any], Any], inputs: Sequence[Any]) -> object:
        for pipe in pipes:
            pipe.send((function, inputs))
        return [pipe.recv() for pipe in pipes]

    yield program


def _pinned(pipe: "Connection[Any, Any]", core: int, share: slice) -> None:
    os.sched_setaffinity(0, {sorted(os.sched_getaffinity(0))[core]})
    while True:
        try:
            function, inputs = pipe.recv()
        except EOFError:
            return
        pipe.send([function(one) for one in inputs[share]])


_BY_HAND: dict[str, Callable[[Resources], Iterator[Program]]] = {
    CEILING: _bare,
    "multiprocessing": _by_hand_multiprocessing,
    "ray": _by_hand_ray,
    "dask": _by_hand_dask,
    "spark": _by_hand_spark,
}


def measure(name: str, pairs: int, images: int, chunk: int, workers: int) -> None:
    """One engine: images, then no-ops; prints two lines."""
    resources = Resources(workers=workers, threads_per_worker=1, config=Config.TUNED)
    plan = _plan(name, images, chunk, resources)
    adapter: type[Engine] = Ceiling if name == CEILING else load_engine(name)
    session = next(s for s in plan.sessions if s.engine == name)
    with adapter.open(resources) as engine, contextmanager(_BY_HAND[name])(resources) as by_hand:
        bench = Bench(engine, plan, session)
        folder = plan.workload.model_folder if plan.workload else ""
        tasks = image_tasks(plan, "suite")
        chunks = [task.payload for task in tasks]
        classify_chunk = partial(classify, folder)
        bench.warm_up(tasks[0])
        _report(
            f"{name}, {images} images in chunks of {chunk}",
            pairs,
            lambda: _suite_s(bench, image_tasks(plan, bench.label()), images),
            lambda: _timed_s(by_hand, classify_chunk, chunks),
        )
        if name == CEILING:
            return  # nobody writes a loop over nothing
        count = _no_op_count(by_hand)
        _report(
            f"{name}, {count} no-ops",
            2 * pairs,
            lambda: _suite_s(bench, [noop.task(bench.label())] * count, None),
            lambda: _timed_s(by_hand, nothing, [None] * count),
        )


def _plan(name: str, images: int, chunk: int, resources: Resources) -> Plan:
    model = resolve(VIT_BASE, cache_folder())
    paths = tuple(str(path) for path in default_photographs(images, cache_folder()))
    workload = Workload(
        model=VIT_BASE,
        model_folder=model.folder,
        dtype="float32",
        images=paths,
        images_skipped=(),
        labels=None,
        chunk=chunk,
        random_weights=True,
    )
    return make_plan(
        Request(
            run_id="harness-cost",
            options=Options(preset=PresetName.QUICK, blocks=1),
            engines=() if name == CEILING else (name,),
            experiments=("throughput",),
            workers=resources.workers,
            workload=workload,
        )
    )


def _no_op_count(by_hand: Program) -> int:
    """As many as take about a second."""
    pilot = 200
    _timed_s(by_hand, nothing, [None] * pilot)
    return int(min(20_000, max(50, pilot / _timed_s(by_hand, nothing, [None] * pilot))))


def _suite_s(bench: Bench, tasks: Sequence[Any], images: int | None) -> float:
    run = bench.run(_CASE, tasks, items=images, memory=images is not None, spans=False)
    if run.errors or set(run.received) != {1}:
        sys.exit(f"the suite's run was not valid: {run.errors[:1]}")
    return run.makespan_s


def _timed_s(program: Program, function: Callable[[Any], Any], inputs: Sequence[Any]) -> float:
    began_s = time.monotonic()
    program(function, inputs)
    return time.monotonic() - began_s


def _report(
    what: str, pairs: int, suite_s: Callable[[], float], by_hand_s: Callable[[], float]
) -> None:
    suite_s(), by_hand_s()  # the first of each warms up
    ratios = []
    for pair in range(pairs):
        # The order within a pair alternates, so that a drift favours neither.
        if pair % 2:
            suite, by_hand = suite_s(), by_hand_s()
        else:
            by_hand, suite = by_hand_s(), suite_s()
        ratios.append(by_hand / suite)
        print(f"  pair {pair + 1}: by hand {by_hand:.3f} s, suite {suite:.3f} s", flush=True)
    found = geometric_mean(ratios)
    print(
        f"{what}: suite / by hand {found.value:.3f} ({found.low:.3f}-{found.high:.3f}, n={pairs})"
    )


def main() -> None:
    """Parse the arguments, measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--engines", default=",".join(_BY_HAND))
    parser.add_argument("--pairs", type=int, default=5)
    parser.add_argument("--images", type=int, default=48)
    parser.add_argument("--chunk", type=int, default=4)
    parser.add_argument("--workers", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--one", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.one:
        measure(
            arguments.one, arguments.pairs, arguments.images, arguments.chunk, arguments.workers
        )
        return
    # One process opens one engine, and the budget has to be there before it starts.
    resources = Resources(workers=arguments.workers, threads_per_worker=1, config=Config.TUNED)
    environment = {**os.environ, **thread_environment(resources)}
    for engine in arguments.engines.split(","):
        # Imported, not run as a program: workers have to find its functions under its own name.
        program = "from tools.harness_cost import main; main()"
        command = [sys.executable, "-c", program, *sys.argv[1:], "--one", engine]
        subprocess.run(command, env=environment, check=True)


if __name__ == "__main__":
    main()
