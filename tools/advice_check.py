# ruff: noqa: T201 - it prints its findings
"""Whether ``advise`` is right: jobs that no run has measured, on the real engines.

    python -m tools.advice_check --run docs/example/all --jobs 24

Draws jobs of random lengths, counts and bytes, runs each on every engine with as many workers as
there are cores and with one, and compares the makespans with what the run predicts.  Prints each
job, then the median absolute error, the share of makespans inside their 95% intervals, and how
often the advised engine was the best or within 10% of it.  Engines that other programs disturbed
are run again, and left out if they are disturbed again.
"""

import argparse
import json
import math
import os
import random
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median

from compare.analysis.advice import advise
from compare.analysis.analysis import Analysis, analyse
from compare.analysis.makespans import Job
from compare.analysis.predictions import Prediction
from compare.measure import clock
from compare.measure.bench import Bench
from compare.measure.process_tree import host_cpu_s, tree_cpu_s
from compare.measure.warm_up import warm_up
from compare.observations.disturbance import OUTSIDE_SHARE
from compare.options import Options
from compare.plan.schedule import Request, make_plan
from compare.records.measurements import TaskRun
from compare.records.plan import Case, Plan
from compare.records.store import RunFolder
from engines.environment import thread_environment
from engines.interface import Config, Resources
from engines.registry import load_engine
from workload.interface import Task
from workload.kernels import noop, payload, spin

_WARM_UP_S = 4.0
_SHORTEST_S, _LONGEST_S = 0.0003, 0.15
_LONGEST_BATCH_S = 1.5
"""Of work for each worker."""
_FEWEST, _MOST = 10, 2000
_FEWEST_BYTES, _MOST_BYTES, _MOST_AT_ONCE = 10_000, 8_000_000, 64_000_000
_EMPTY_S = 1e-6
"""Work of a task that only moves bytes."""
_ATTEMPTS = 3
_GOOD = 0.10
"""The advised engine may take so much longer than the best."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Took:
    """The makespan of one job on one engine."""

    engine: str
    job: Job
    makespan_s: float


def jobs(count: int, cores: int, seed: int) -> list[Job]:
    """Jobs of random lengths: some move bytes, of the others a third have one worker."""
    rng = random.Random(seed)  # noqa: S311 - no secret

    def between(low: float, high: float) -> float:
        return math.exp(rng.uniform(math.log(low), math.log(high)))

    drawn = []
    for number in range(count):
        if number % 6 == 0:
            size = round(between(_FEWEST_BYTES, _MOST_BYTES))
            tasks = max(_FEWEST, min(100, _MOST_AT_ONCE // size))
            moved = {rng.choice(("bytes_in", "bytes_out")): size}
            drawn.append(Job(task_s=_EMPTY_S, tasks=tasks, workers=cores, **moved))
            continue
        workers = 1 if number % 3 == 1 else cores
        task_s = between(_SHORTEST_S, _LONGEST_S)
        most = max(_FEWEST + 1, min(_MOST, _LONGEST_BATCH_S * workers / task_s))
        tasks = round(between(_FEWEST, most))
        drawn.append(Job(task_s=task_s, tasks=tasks, workers=workers))
    return drawn


def measure(engine: str, wanted: Sequence[Job], iteration_s: float) -> list[Took]:
    """Open the engine once and run each of the jobs, which have equally many workers.

    Returns nothing if other programs had taken the machine.
    """
    (workers,) = {job.workers for job in wanted}
    resources = Resources(workers=workers, threads_per_worker=1, config=Config.TUNED)
    plan = _plan(engine, workers)
    session = next(one for one in plan.sessions if one.engine == engine)
    with load_engine(engine).open(resources) as opened:
        bench = Bench(opened, plan, session)
        for _ in warm_up(lambda count: _run(bench, [noop.task(bench.label())] * count), _WARM_UP_S):
            pass
        began_s, own_s, (host_s, _) = clock.now(), tree_cpu_s(), host_cpu_s()
        took = [
            Took(
                engine=engine,
                job=job,
                makespan_s=_run(bench, _tasks(bench, job, iteration_s)).makespan_s,
            )
            for job in wanted
        ]
        others_s = (host_cpu_s()[0] - host_s) - (tree_cpu_s() - own_s)
        share = others_s / ((clock.now() - began_s) * len(os.sched_getaffinity(0)))
    if share > OUTSIDE_SHARE:
        print(f"{engine} on {workers}: other programs used {share:.0%} of the cores", flush=True)
        return []
    return took


def _tasks(bench: Bench, job: Job, iteration_s: float) -> list[Task]:
    label = bench.label()
    if job.bytes_out:
        return [payload.task_out(label, job.bytes_out)] * job.tasks
    if job.bytes_in:
        first = random.Random(label).randrange(2**32)  # noqa: S311 - different bytes in each batch
        return [payload.task_in(label, job.bytes_in, first + n) for n in range(job.tasks)]
    return [spin.task(label, max(1, round(job.task_s / iteration_s)))] * job.tasks


def _run(bench: Bench, tasks: Sequence[Task]) -> TaskRun:
    run = bench.run(Case(experiment="advice", parameters={}), tasks, spans=False)
    if run.errors or set(run.received) != {1}:
        sys.exit(f"a job was not run correctly: {run.errors[:1]}")
    return run


def _plan(engine: str, workers: int) -> Plan:
    return make_plan(
        Request(
            run_id="advice-check",
            options=Options(blocks=1),
            engines=(engine,),
            experiments=("overhead",),
            workers=workers,
            workload=None,
        )
    )


def report(analysis: Analysis, took: Sequence[Took]) -> None:
    """Print each job with its errors, then the summary of all."""
    errors, covered, regrets = [], [], []
    for job in dict.fromkeys(one.job for one in took):
        real = {one.engine: one.makespan_s for one in took if one.job == job}
        found = [one for one in advise(analysis, job).predictions if one.engine in real]
        moved = " ".join(f"{way} {size:,} B" for way, size in job.bytes_by_direction.items())
        print(f"{job.tasks} tasks of {job.task_s:.5f} s on {job.workers} {moved}".rstrip())
        for one in found:
            errors.append(one.makespan_s / real[one.engine] - 1)
            covered.append(_inside(one, real[one.engine]))
            print(
                f"    {one.engine:16}{real[one.engine]:8.3f} s, predicted {one.makespan_s:8.3f} s "
                f"({one.low_s or 0:.3f} to {one.high_s or 0:.3f}) {errors[-1]:+5.0%} "
                f"{'' if covered[-1] else 'OUTSIDE'}"
            )
        if found:
            best = min(real[one.engine] for one in found)
            regrets.append(real[found[0].engine] / best - 1)
            print(f"    advised {found[0].engine}: {regrets[-1]:+.0%} over the best")
    print(
        f"{len(regrets)} jobs, {len(errors)} makespans: median absolute error "
        f"{median(map(abs, errors)):.1%}; {sum(covered) / len(covered):.1%} inside the interval; "
        f"advised engine within {_GOOD:.0%} of the best in "
        f"{sum(one <= _GOOD for one in regrets) / len(regrets):.1%}"
    )


def _inside(one: Prediction, makespan_s: float) -> bool:
    if one.low_s is None or one.high_s is None:
        return False
    return one.low_s <= makespan_s <= one.high_s


def _read(path: Path) -> list[Took]:
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    return [Took(**{**line, "job": Job(**line["job"])}) for line in lines]


def _measure_all(arguments: argparse.Namespace, cores: int, path: Path) -> None:
    """One process for each engine and number of workers, as an engine can be opened once."""
    iteration_s = spin.iteration_s()
    for engine in arguments.engines.split(","):
        for workers in {1: None, cores: None}:
            environment = thread_environment(
                Resources(workers=workers, threads_per_worker=1, config=Config.TUNED)
            )
            # Imported, not run as a program: workers find its functions under its own name.
            program = "from tools.advice_check import main; main()"
            own = ["--one", engine, "--workers", str(workers), "--iteration-s", str(iteration_s)]
            command = [sys.executable, "-c", program, *sys.argv[1:], *own, "--file", str(path)]
            for _ in range(_ATTEMPTS):
                before = path.stat().st_size if path.exists() else 0
                subprocess.run(command, env={**os.environ, **environment}, check=True)
                if path.stat().st_size > before:
                    break


def main() -> None:
    """Parse the arguments, measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--run", type=Path, default=Path("docs/example/all"))
    parser.add_argument("--engines", default="serial,multiprocessing,ray,dask,spark")
    parser.add_argument("--jobs", type=int, default=24)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--keep", type=Path, help="keep what was measured, or read it if it exists")
    for hidden in ("--one", "--workers", "--iteration-s", "--file"):
        parser.add_argument(hidden, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    cores = len(os.sched_getaffinity(0))
    if arguments.one:
        drawn = jobs(arguments.jobs, cores, arguments.seed)
        wanted = [job for job in drawn if job.workers == int(arguments.workers)]
        with Path(arguments.file).open("a", encoding="utf-8") as file:
            for one in measure(arguments.one, wanted, float(arguments.iteration_s)):
                print(json.dumps(asdict(one)), file=file)
        return
    with tempfile.TemporaryDirectory() as folder:
        path = arguments.keep or Path(folder) / "took.jsonl"
        if not path.exists():
            _measure_all(arguments, cores, path)
        took = _read(path)
        if not took:
            sys.exit("nothing was measured undisturbed; stop the other programs and try again")
        report(analyse(RunFolder(arguments.run).read()), took)


if __name__ == "__main__":
    main()
