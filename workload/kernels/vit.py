"""Image classification with a Vision Transformer: files in, labels out.

A task is a chunk of images and one call of the model on all of them as a batch.  Importing this
module imports neither torch nor transformers; ``load`` does, once in each worker.
"""

from collections.abc import Sequence
from typing import TypeAlias

from workload.images import decode
from workload.interface import Kernel, Task

DTYPES = ("float32", "bfloat16")

Settings: TypeAlias = tuple[str, str, int]
"""Folder of the model, one of ``DTYPES``, native threads for torch."""


def load(folder: str, dtype: str, threads: int) -> Kernel:
    """A kernel that takes a tuple of images, each a path or the bytes of a file, and returns a
    tuple of their labels.

    Raises:
        RuntimeError: torch has already worked in this process with another number of
            inter-operation threads, so the budget cannot be kept.
    """
    import torch

    # From the modules that define them: `from transformers import ViTImageProcessor` falls back
    # to the Pillow class where torchvision is missing, with a warning.  Named outright, the same
    # class runs everywhere.
    from transformers.models.vit.image_processing_pil_vit import ViTImageProcessorPil
    from transformers.models.vit.modeling_vit import ViTForImageClassification
    from transformers.utils.logging import disable_progress_bar

    torch.set_num_threads(threads)
    # Torch takes this once per process and refuses it afterwards, even the same number.
    if torch.get_num_interop_threads() != 1:
        torch.set_num_interop_threads(1)
    disable_progress_bar()  # "Loading weights: 100%" from every worker at once

    # Measured in float32: as fast as sdpa.
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
    """The images in tasks of ``chunk`` each, in their order; the last may hold fewer."""
    return [
        Task("vit", settings, case, tuple(images[start : start + chunk]))
        for start in range(0, len(images), chunk)
    ]
