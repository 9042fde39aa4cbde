"""The ViT kernel returns correct labels, computes whole batches and keeps its thread budget."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from workload import images
from workload.interface import Kernel
from workload.kernels import vit, vit_reloading
from workload.model import ResolvedModel
from workload.task import run_task


def labels_of(
    paths: tuple[str, ...], folder: str, chunk: int, dtype: str = "float32"
) -> tuple[str, ...]:
    def chunks() -> Iterator[tuple[str, ...]]:
        for task in vit.tasks(f"chunks of {chunk}", (folder, dtype, 1), paths, chunk):
            report = run_task(task)
            assert report.error is None, report.error
            yield report.output

    return tuple(label for labels in chunks() for label in labels)


@pytest.mark.parametrize("dtype", vit.DTYPES)
def test_at_least_97_percent_of_held_out_digits_are_classified_correctly(
    digits: tuple[str, ...], digits_model: ResolvedModel, dtype: str
) -> None:
    truth = images.true_labels(digits, digits_model.labels)
    assert truth is not None
    labels = labels_of(digits, digits_model.folder, 60, dtype)
    right = sum(label == true for label, true in zip(labels, truth, strict=True))
    assert right / len(truth) >= 0.97


@pytest.mark.parametrize("dtype", vit.DTYPES)
@pytest.mark.parametrize("chunk", [1, 7, 360])
def test_the_chunk_size_does_not_change_the_labels_of_digits(
    digits: tuple[str, ...], digits_model: ResolvedModel, chunk: int, dtype: str
) -> None:
    some = digits[:120]
    assert labels_of(some, digits_model.folder, chunk, dtype) == labels_of(
        some, digits_model.folder, 15, dtype
    )


def test_a_photograph_gets_the_same_label_in_a_batch_as_alone(
    photographs: tuple[str, ...], random_vit: Path
) -> None:
    assert labels_of(photographs, str(random_vit), len(photographs)) == labels_of(
        photographs, str(random_vit), 1
    )


def test_a_task_calls_the_model_once_for_all_its_images(
    photographs: tuple[str, ...], random_vit: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from transformers.models.vit.modeling_vit import ViTForImageClassification

    shapes = []
    forward = ViTForImageClassification.forward

    def spied(self: object, pixel_values: object) -> object:
        shapes.append(tuple(pixel_values.shape))  # type: ignore[attr-defined]
        return forward(self, pixel_values)

    monkeypatch.setattr(ViTForImageClassification, "forward", spied)
    vit.load(str(random_vit), "float32", 1)(photographs)
    assert shapes == [(14, 3, 224, 224)]


def test_a_batch_may_mix_images_of_all_sizes_and_modes(
    tmp_path: Path, random_vit: Path, photographs: tuple[str, ...]
) -> None:
    photograph = images.decode(photographs[0])
    paths = []
    for mode in ("1", "L", "LA", "P", "RGB", "RGBA", "I;16"):
        paths.append(str(tmp_path / f"{mode}.png"))
        photograph.convert("L" if mode == "I;16" else mode).convert(mode).save(paths[-1])
    for size in ((1, 1), (3, 50), (50, 3), (3, 3), (1, 700), (640, 480)):
        paths.append(str(tmp_path / f"{size}.jpg"))
        photograph.resize(size).convert("CMYK").save(paths[-1])
    assert len(labels_of(tuple(paths), str(random_vit), len(paths))) == len(paths)


def test_a_task_with_a_broken_image_fails_and_names_the_file(
    tmp_path: Path, digits: tuple[str, ...], digits_model: ResolvedModel
) -> None:
    broken = tmp_path / "broken.png"
    broken.write_bytes(Path(digits[0]).read_bytes()[:-30])
    settings = (digits_model.folder, "float32", 1)
    [task] = vit.tasks("broken", settings, (*digits[:3], str(broken)), 4)
    report = run_task(task)
    assert report.output is None
    assert report.error is not None
    assert str(broken) in report.error.splitlines()[-1]


def test_tasks_contain_every_image_once_and_in_order(digits: tuple[str, ...]) -> None:
    tasks = vit.tasks("order", ("folder", "float32", 1), digits, 50)
    assert [len(task.payload) for task in tasks] == [50] * 7 + [10]
    assert tuple(path for task in tasks for path in task.payload) == digits


_BUDGET = """
import os, sys, threading, time
from workload.kernels import vit
from workload.task import run_task

folder, threads, *paths = sys.argv[1:]
started = {threading.get_native_id()}

def work(task):
    started.add(threading.get_native_id())
    report = run_task(task)
    # Count before this thread ends, because its OpenMP threads end with it.  Count repeatedly,
    # because the threads that read the weights may not have ended yet.
    native = {int(name) for name in os.listdir("/proc/self/task")} - started
    for _ in range(10):
        time.sleep(0.05)
        native &= {int(name) for name in os.listdir("/proc/self/task")}
    print(report.error, report.threads, torch.get_num_interop_threads(), len(native) > 0)

import torch
for dtype in vit.DTYPES:
    for task in vit.tasks("budget", (folder, dtype, int(threads)), tuple(paths), len(paths)):
        thread = threading.Thread(target=work, args=(task,))
        thread.start()
        thread.join()
"""


@pytest.mark.parametrize("threads", [1, 2])
def test_a_new_worker_prints_no_warnings_and_keeps_its_thread_budget(
    digits: tuple[str, ...], digits_model: ResolvedModel, threads: int
) -> None:
    # The tasks run in threads other than the main thread, as in Dask's workers.
    run = subprocess.run(
        [
            *(sys.executable, "-W", "error", "-c", _BUDGET),
            *(digits_model.folder, str(threads), *digits[:40]),
        ],
        # Without this, NumPy and SciPy start threads of their own when they are imported.
        env=os.environ | {"OPENBLAS_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert run.stderr == ""
    # A budget of 2 must show extra threads; otherwise the script could not detect any with 1.
    assert run.stdout.splitlines() == [f"None {threads} 1 {threads > 1}"] * 2


def test_building_tasks_imports_neither_torch_nor_transformers() -> None:
    code = """
import sys
from workload import images, model
from workload.kernels import noop, sleep, spin, vit
vit.tasks("case", ("folder", "float32", 1), ("a.png",), 1)
print(sorted({"torch", "transformers", "sklearn", "skimage"} & sys.modules.keys()))
"""
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout == "[]\n"


@pytest.mark.parametrize("per", [vit_reloading.PER_IMAGE, vit_reloading.PER_TASK])
def test_reloading_the_model_does_not_change_the_labels(
    digits: tuple[str, ...], digits_model: ResolvedModel, per: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    loaded = []
    load = vit.load

    def spied(folder: str, dtype: str, threads: int) -> Kernel:
        loaded.append(folder)
        return load(folder, dtype, threads)

    monkeypatch.setattr(vit, "load", spied)
    settings = (digits_model.folder, "float32", 1)
    tasks = vit_reloading.tasks(f"again for each {per}", settings, per, digits[:6], 3)
    reports = [run_task(task) for task in tasks]
    assert [report.error for report in reports] == [None, None]
    assert len(loaded) == {"image": 6, "task": 2}[per]
    labels = tuple(label for report in reports for label in report.output)
    assert labels == labels_of(digits[:6], digits_model.folder, 3)
