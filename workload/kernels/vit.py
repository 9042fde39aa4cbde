"""Image classification with a Vision Transformer: from files to labels.

A task is a chunk of images and one call of the model on all of them as a batch.  Importing this
module imports neither torch nor transformers; ``load`` does, once in each worker.
"""

import gc
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TypeAlias

from workload.images import decode
from workload.interface import Kernel, Task

DTYPES = ("float32", "bfloat16")

Settings: TypeAlias = tuple[str, str, int]
"""Folder of the model, one of ``DTYPES``, native threads for torch."""


@contextmanager
def _without_garbage_collection() -> Iterator[None]:
    """Hardly anything that loading creates is garbage, and looking for it takes half a second."""
    collects = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collects:
            gc.enable()


@_without_garbage_collection()
def load(folder: str, dtype: str, threads: int) -> Kernel:
    """A kernel that takes a tuple of images and returns a tuple of their labels.

    Each image is a path or the bytes of a file.

    Raises:
        RuntimeError: torch has already run in this process with another number of
            inter-operation threads, so the thread budget cannot be kept.
    """
    import torch

    # Import from the defining modules: without torchvision, `from transformers import
    # ViTImageProcessor` falls back to the Pillow class with a warning.  The explicit import uses
    # the same class everywhere.
    from transformers.models.vit.image_processing_pil_vit import ViTImageProcessorPil
    from transformers.models.vit.modeling_vit import ViTForImageClassification
    from transformers.utils.logging import disable_progress_bar

    torch.set_num_threads(threads)
    # Torch accepts this call once per process and then rejects it, even for the same number.
    if torch.get_num_interop_threads() != 1:
        torch.set_num_interop_threads(1)
    disable_progress_bar()  # otherwise all workers print "Loading weights: 100%"

    # Measured in float32: eager is as fast as sdpa.
    attention = "eager"
    if dtype == "bfloat16":
        from workload.bfloat16 import ATTENTION, pack

        attention = ATTENTION
    processor = ViTImageProcessorPil.from_pretrained(folder, local_files_only=True)
    model = ViTForImageClassification.from_pretrained(
        folder,
        dtype=getattr(torch, dtype),
        attn_implementation=attention,
        local_files_only=True,
    ).eval()
    if dtype == "bfloat16":
        pack(model)
    labels = model.config.id2label

    def classify(files: tuple[str | bytes, ...]) -> tuple[str, ...]:
        images = [decode(file) for file in files]
        inputs = processor(images, return_tensors="pt")
        pixels = inputs["pixel_values"].to(model.dtype)  # (B, 3, H, W)
        with torch.inference_mode():
            logits = model(pixel_values=pixels).logits  # (B, classes)
        return tuple(labels[best] for best in logits.argmax(dim=1).tolist())

    return classify


def tasks(case: str, settings: Settings, images: Sequence[str | bytes], chunk: int) -> list[Task]:
    """Divide the images, in order, into tasks of ``chunk`` images; the last may have fewer."""
    return [
        Task("vit", settings, case, tuple(images[start : start + chunk]))
        for start in range(0, len(images), chunk)
    ]
