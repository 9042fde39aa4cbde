"""Finds and checks, before the run, the local folder of a model that every worker can load.

A folder has the format of the model hub: ``config.json``, weights, ``preprocessor_config.json``.
No model is loaded here, and torch is imported only to create the weights of ``vit-base``.
"""

import difflib
import os
import re
import tempfile
from dataclasses import dataclass
from pathlib import Path

from workload.errors import ModelError
from workload.model_folder import CONFIG, PROCESSOR, check

VIT_BASE = "vit-base"
"""The architecture of google/vit-base-patch16-224 with random weights; needs no download."""
VIT_DIGITS = "vit-digits"
"""A small ViT that recognizes handwritten digits; trained by ``workload.train_digits``."""
BUILT_IN = (VIT_BASE, VIT_DIGITS)

_CHOICES = f"{VIT_BASE}, {VIT_DIGITS}, a folder, or a hub name like google/vit-base-patch16-224"
_HUB_FILES = [CONFIG, PROCESSOR, "model*.safetensors*"]
"""Files to download; the hub has the weights in up to four formats."""
_HUB_NAME = re.compile(r"[\w-][\w.-]*/[\w.-]+")
_HUB_TIMEOUT_S = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ResolvedModel:
    """A model that is available on this host."""

    folder: str
    """Absolute path."""
    random_weights: bool
    """Whether the weights are random: the labels then mean nothing, only the speed does."""
    labels: tuple[str, ...]
    """All labels that it can return, in the order of its classes."""


def resolve(model: str, cache: Path) -> ResolvedModel:
    """Find the model called ``model``: a built-in name, a folder or a name on the model hub.

    A name that exists as a folder, or is written like a path, is a folder.  The weights of
    ``vit-base`` are created once and kept in ``cache``; downloads go to the hub's own cache, as in
    every other program that uses the hub.

    Raises:
        ModelError: the model does not exist, or is not a ViT that classifies images.
    """
    # Unlike that of Path, this function leaves the name as it is if there is no home folder.
    path = Path(os.path.expanduser(model))  # noqa: PTH111
    if model == VIT_BASE:
        folder = _random_vit_base(cache)
    elif model == VIT_DIGITS:
        folder = Path(__file__).with_name("vit_digits")
    elif os.path.lexists(path) or path.is_absolute() or model.startswith((".", "~")):
        folder = path
    elif _HUB_NAME.fullmatch(model):
        folder = _download(model)
    else:
        close = difflib.get_close_matches(model, BUILT_IN, n=1)
        hint = f"did you mean {close[0]!r}?" if close else f"give {_CHOICES}"
        raise ModelError(f"there is no model or folder called {model!r}; {hint}")
    return ResolvedModel(
        folder=str(folder.absolute()),
        random_weights=model == VIT_BASE,
        labels=check(model, folder),
    )


def _download(name: str) -> Path:
    from huggingface_hub import HfApi, snapshot_download

    unreachable: Exception | None = None
    try:
        # Ask first, because snapshot_download asks the same without a time limit.
        HfApi().model_info(name, timeout=_HUB_TIMEOUT_S)
    except Exception as error:  # noqa: BLE001 - the client passes on any error of its HTTP library
        unreachable = error
    try:
        # If the hub cannot be reached, use an earlier download.
        folder = snapshot_download(
            name, allow_patterns=_HUB_FILES, local_files_only=unreachable is not None
        )
    except Exception as error:
        cause = str(unreachable or error).strip().partition("\n")[0].rstrip(".")
        raise ModelError(
            f"model {name!r} is no folder here and could not be had from the model hub ({cause}); "
            "check the name and the connection, or download it elsewhere and give its folder"
        ) from error
    return Path(folder)


def _random_vit_base(cache: Path) -> Path:
    folder = cache / "vit-base-random-1"
    if folder.is_dir():  # it is complete, because only a rename creates it
        _let_others_read(folder)
        return folder
    cache.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=cache, prefix=".vit-base-") as scratch:
        made = Path(scratch) / folder.name
        _save_random_vit(made)
        _let_others_read(made)
        try:
            made.rename(folder)
        except OSError:
            # Another process was first; its weights come from the same seed.
            if not folder.is_dir():
                raise
    return folder


def _let_others_read(folder: Path) -> None:
    """Cluster nodes may run as other users, but safetensors writes for the owner only."""
    for path in folder.iterdir():
        if path.stat().st_uid == os.geteuid():
            path.chmod(0o644)


def _save_random_vit(folder: Path) -> None:
    """Write a ViT of the default size with seeded random weights and 1000 labels."""
    import torch
    from transformers.models.vit.configuration_vit import ViTConfig
    from transformers.models.vit.image_processing_pil_vit import ViTImageProcessorPil
    from transformers.models.vit.modeling_vit import ViTForImageClassification
    from transformers.utils.logging import disable_progress_bar

    disable_progress_bar()
    names = [f"class {index}" for index in range(1000)]
    config = ViTConfig(
        id2label=dict(enumerate(names)),
        label2id={name: index for index, name in enumerate(names)},
        # Three times the default of 0.02.  With 0.02 attention is nearly uniform, the class token
        # hardly depends on the image, and most images get the same label: comparing the labels of
        # two engines would then prove nothing.  With this value and this seed the first 21 built-in
        # photographs get 12 different labels, the same in float32 and bfloat16.
        initializer_range=0.06,
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        model = ViTForImageClassification(config)
    model.save_pretrained(folder)
    ViTImageProcessorPil().save_pretrained(folder)
