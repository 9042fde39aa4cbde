from collections.abc import Mapping
from dataclasses import replace

import pytest

from compare.analysis.cautions import Caution
from compare.analysis.cautions.completeness import (
    CaseFailed,
    EngineMissing,
    FewBlocks,
    GateBroken,
    PartialRun,
)
from compare.analysis.cautions.engines import (
    AboveCeiling,
    BelowCeiling,
    LeftoverProcesses,
    SpareWorkers,
    UnequalAllocator,
    UnequalNiceness,
)
from compare.analysis.cautions.job import LargeValues, SlowToLoad
from compare.analysis.cautions.machine import (
    CpuStolen,
    CpuThrottled,
    LoadFromOutside,
    MachineDrifted,
    Oversubscribed,
    SmallSharedMemory,
    Swapped,
)
from compare.analysis.cautions.overhead import (
    BentLine,
    FewSamples,
    HarnessShare,
    SlopeAboveAverage,
    StillCold,
    SweepDisturbed,
)
from compare.analysis.cautions.workload import FewTasks, ImagesSkipped, RandomWeights, ShortRun
from compare.observations.makespan import parts
from compare.observations.reader import PILOT
from compare.records.measurements import Lifecycle, Record, Run, Span, TaskRun
from compare.records.plan import CEILING
from engines.interface import Config, Setting
from tests.compare import fakes
from tests.compare.analysed import cautions

TRAINED = fakes.workload(random_weights=False)


def found(run: Run) -> dict[type, Caution]:
    return {type(caution): caution for caution in cautions(run)}


def quiet_run(**plan_changes: object) -> Run:
    """Nothing to be said against it."""
    engines = {
        name: replace(fake, chunk_s=0.75 if name == CEILING else 0.8, round_trip_s=0.0004)
        for name, fake in fakes.ENGINES.items()
    }
    return fakes.run(fakes.plan(**{"workload": TRAINED, **plan_changes}), engines=engines)


def shipped_run() -> Run:
    return quiet_run(config=Config.SHIPPED)


def nice_ray() -> Run:
    run = shipped_run()
    for block in (1, 2, 3):
        run = fakes.changed(run, f"{block}-ray", niceness=(15,))
    return run


def allocating_dask() -> Run:
    malloc = Setting(name="MALLOC_TRIM_THRESHOLD_", value="65536", reason="the nanny's default")
    return fakes.changed(shipped_run(), "1-dask", settings=(malloc,))


def is_no_op(record: Record, session: str, *, pilot: bool) -> bool:
    return (
        isinstance(record, TaskRun)
        and record.session == session
        and "budget_s" in record.case.parameters
        and (PILOT in record.case.parameters) == pilot
    )


def times_as_long(
    run: Run, factors: Mapping[int, float], session: str = "1-ray", *, pilot: bool = False
) -> Run:
    """The run where Ray's batches of no-ops took longer, by their place among the sizes."""
    chosen = [record for record in run.records if is_no_op(record, session, pilot=pilot)]
    sizes = sorted({record.tasks for record in chosen if isinstance(record, TaskRun)})
    by_size = {sizes[place]: factor for place, factor in factors.items()}
    changed = tuple(
        replace(record, makespan_s=by_size.get(record.tasks, 1.0) * record.makespan_s)
        if record in chosen and isinstance(record, TaskRun)
        else record
        for record in run.records
    )
    return replace(run, records=changed)


def bent_ray() -> Run:
    return times_as_long(quiet_run(), {-2: 2.0})


def bent_in_every_block() -> Run:
    run = quiet_run()
    for session in ("1-ray", "2-ray", "3-ray"):
        run = times_as_long(run, {-2: 2.0}, session)
    return run


def still_cold() -> Run:
    """In two blocks of three."""
    once = times_as_long(quiet_run(), {-2: 1.5}, pilot=True)
    return times_as_long(once, {-2: 1.5}, "2-ray", pilot=True)


def drifting() -> Run:
    run = quiet_run()
    serial = next(
        record
        for record in run.records
        if isinstance(record, TaskRun) and record.session == "3-serial"
    )
    return fakes.changed(run, "3-serial", makespan_s=1.2 * serial.makespan_s)


def heavy_harness() -> Run:
    run = quiet_run()
    heavy = tuple(
        replace(record, harness_s=0.06 * record.makespan_s)
        if isinstance(record, TaskRun)
        and record.session == "2-serial"
        and record.case.experiment == "overhead"
        else record
        for record in run.records
    )
    return replace(run, records=heavy)


def in_a_container(shm_mib: int, *, store_mib: int | None = None) -> Run:
    run = quiet_run()
    if store_mib is not None:
        store = Setting(name="object_store_memory", value=str(store_mib * 2**20), reason="few")
        run = fakes.changed(run, "1-ray", settings=(store,))
    return replace(run, environment={**run.environment, "dev_shm_bytes": shm_mib * 2**20})


def slow_spark() -> Run:
    return fakes.run(fakes.plan(workload=fakes.workload(chunk=2)), noise=0.0)


def test_a_good_run_on_a_quiet_machine_has_no_caution() -> None:
    assert found(quiet_run()) == {}
    assert found(shipped_run()) == {}


@pytest.mark.parametrize(
    ("run", "kind", "words"),
    [
        (fakes.interrupted(quiet_run(), 7), PartialRun, "Only 7 of 30 sessions"),
        (quiet_run(blocks=1), FewBlocks, "Rerun with more --minutes"),
        (quiet_run(missing={"dask": "no 'distributed'"}), EngineMissing, "dask was asked for"),
        (fakes.failed(quiet_run(), "2-ray", "killed"), CaseFailed, "ray failed in block 2"),
        (
            fakes.changed(quiet_run(), "2-ray", kernel_calls=13),
            GateBroken,
            "ray has no valid throughput (block 2): 13 kernel calls",
        ),
        (fakes.run(), RandomWeights, "vit-base has random weights"),
        (
            quiet_run(workload=replace(TRAINED, images_skipped=("a.txt: no image",))),
            ImagesSkipped,
            "1 file skipped, the first: a.txt: no image",
        ),
        (quiet_run(workers=4), Oversubscribed, "4 workers × 1 thread on 2 cores"),
        (drifting(), MachineDrifted, "faster in block"),
        (
            fakes.changed(quiet_run(), "1-ray", host_cpu_s=23.0),
            LoadFromOutside,
            "during 1 session, at worst 12% of its cores (1-ray)",
        ),
        (fakes.changed(quiet_run(), "1-ray", steal_s=1.2), CpuStolen, "up to 5% of the cores"),
        (nice_ray(), UnequalNiceness, "ray 0/15"),
        (allocating_dask(), UnequalAllocator, "dask: MALLOC_TRIM_THRESHOLD_=65536"),
        (
            fakes.changed(quiet_run(), "1-ray", leftovers=("4711 raylet",)),
            LeftoverProcesses,
            "ray left processes behind (1)",
        ),
        (
            quiet_run(workload=replace(TRAINED, chunk=12)),
            FewTasks,
            "4 tasks for 2 workers",
        ),
        (
            fakes.changed(quiet_run(), "1-ray", workers_seen=3),
            SpareWorkers,
            "in 3 threads or processes for 2 workers",
        ),
        (slow_spark(), BelowCeiling, "spark reached 84% of the engine-free ceiling"),
        (
            fakes.changed(quiet_run(blocks=1), "1-ceiling", makespan_s=6.0),
            AboveCeiling,
            "Engines were faster than the engine-free ceiling in block 1 (multiprocessing",
        ),
        (
            fakes.changed(quiet_run(), "1-ray", makespan_s=0.5),
            ShortRun,
            "The batch inference took ray only 500 ms",
        ),
        (
            fakes.run(fakes.plan(experiments=("job",), job=fakes.job(input_bytes=2_300_000))),
            LargeValues,
            "input of your job has 2,300 kB, and its largest output 0.200 kB",
        ),
        (
            fakes.run(fakes.plan(experiments=("job",), job=fakes.job(import_s=3.0, load_s=0.5))),
            SlowToLoad,
            "The import of your job takes 3.00 s, and its load() 500 ms, in every worker process",
        ),
        (
            fakes.disturbed(quiet_run(), "2-ray"),
            SweepDisturbed,
            "the cores were disturbed meanwhile: overhead (sweep) of ray in block 2 (the kernel ",
        ),
        (bent_ray(), BentLine, "off the line a + b·N, by up to"),
        (bent_in_every_block(), SlopeAboveAverage, "straight line cannot explain: ray "),
        (still_cold(), StillCold, "% (ray). On a cluster"),
        (
            fakes.changed(quiet_run(), "1-ray", throttled_s=1.2, throttled_periods=31),
            CpuThrottled,
            "up to 5% of the cores' time (1-ray, 31 periods)",
        ),
        (
            fakes.changed(quiet_run(), "1-ray", swapped_bytes=3 * 2**20),
            Swapped,
            "during 1 session, at worst 3 MiB (1-ray)",
        ),
        (in_a_container(64), SmallSharedMemory, "shm holds 64 MiB, the default of a container"),
        (
            in_a_container(256, store_mib=512),
            SmallSharedMemory,
            "shm holds 256 MiB, and ray means to use 512 MiB",
        ),
        (
            fakes.run(engines={"ray": fakes.FakeEngine(round_trip_s=0.00334)}),
            FewSamples,
            "there were fewer: ceiling 25",
        ),
        (heavy_harness(), HarnessShare, "6% of serial's time for no-ops"),
    ],
    ids=lambda value: value.__name__ if isinstance(value, type) else "",
)
def test_each_caution_is_raised_by_its_evidence(run: Run, kind: type, words: str) -> None:
    assert words in str(found(run)[kind])


def test_a_loss_is_explained_with_what_was_measured() -> None:
    caution = found(slow_spark())[BelowCeiling]
    assert isinstance(caution, BelowCeiling)
    assert caution.longer is not None
    # 12 tasks a worker, each 0.95 s instead of 0.80 s.
    assert caution.longer.kernel_s == pytest.approx(12 * 0.15)
    assert "each worker lost 1.80 s in slower kernels" in str(caution)


def test_with_few_chunks_a_loss_is_no_evidence() -> None:
    assert BelowCeiling not in found(fakes.run(noise=0.0))


def test_the_parts_of_a_makespan_add_up_to_it() -> None:
    spans = (
        Span(0, 0, 0.1, 1.1, 1.2),
        Span(1, 1, 0.2, 1.2, 1.3),
        Span(2, 0, 1.5, 3.0, 3.2),
    )
    run = replace(fakes.task_run(), spans=spans, makespan_s=3.2)
    found = parts(run, 2)
    assert found is not None
    assert found.kernel_s == pytest.approx(3.5 / 2)
    assert found.submit_s == pytest.approx(0.1)
    assert found.gaps_s == pytest.approx((0.3 + 0.2 + 0.3) / 2)
    assert found.tail_s == pytest.approx(1.5 / 2)
    assert found.return_s == pytest.approx(0.2)
    assert found.total_s() == pytest.approx(run.makespan_s)


def test_a_session_that_failed_as_a_whole_is_not_unfinished() -> None:
    run = fakes.failed(quiet_run(), "2-ray", "killed")
    assert PartialRun not in found(run)
    assert not any(isinstance(r, Lifecycle) and r.session == "2-ray" for r in run.records)


def test_what_the_kernel_does_not_tell_is_no_caution() -> None:
    untold = {"throttled_s": None, "throttled_periods": None, "swapped_bytes": None}
    assert found(fakes.changed(quiet_run(), "1-ray", **untold)) == {}


def test_every_sweep_of_a_disturbed_session_is_named() -> None:
    run = fakes.run(fakes.plan(experiments=("throughput", "dependencies")), noise=0.0)
    caution = str(found(fakes.disturbed(run, "2-ray"))[SweepDisturbed])
    assert "2 measurements do not count" in caution
    for pattern in ("tree", "stencil"):
        assert f"dependencies {pattern} (sweep) of ray in block 2" in caution


def test_shared_memory_that_suffices_is_no_caution() -> None:
    assert found(in_a_container(1024, store_mib=512)) == {}


def test_each_percentile_has_its_own_number_of_samples() -> None:
    run = fakes.run(engines={"ray": fakes.FakeEngine(round_trip_s=0.00334)})
    (few,) = [one for one in cautions(run) if isinstance(one, FewSamples)]
    assert few.needed == {95: 200, 99: 1000}
    assert few.samples["ray"] == 150


def test_a_percentile_that_every_engine_has_is_not_named() -> None:
    (few,) = [one for one in cautions(fakes.run()) if isinstance(one, FewSamples)]
    assert few.needed == {99: 1000}
    assert 200 <= few.samples["ray"] < 1000
