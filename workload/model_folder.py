"""Checks that a folder has everything of a model that a worker loads, before the run.

No model is loaded, and torch is not imported: what a worker would refuse is read from the files'
own headers and fields.
"""

import json
from pathlib import Path
from typing import Any

from workload.errors import ModelError

CONFIG = "config.json"
PROCESSOR = "preprocessor_config.json"
_CLASSIFIER = "ViTForImageClassification"
_HEAD = "classifier.weight"
"""Name of the weights of the classification head, in the layout (labels, width)."""
_TENSORS, _PICKLED = "model*.safetensors*", "pytorch_model*.bin*"
"""Patterns of weights in their two formats, with the index of those in several files."""
_INDEX = ".index.json"
_POINTER = b"version https://git-lfs"
"""How a file begins that Git LFS has not yet replaced by its content."""
_PICKLE_STARTS = (b"PK", b"\x80")
"""How the files of ``torch.save`` begin, today's archives and the older pickles."""
_DEFAULT_SIDE, _DEFAULT_PATCH = 224, 16


def used_files(folder: Path) -> tuple[Path, ...]:
    """The files that a worker loads; only those that exist."""
    weights = sorted(folder.glob(_TENSORS)) or sorted(folder.glob(_PICKLED))
    named = [folder / CONFIG, folder / PROCESSOR]
    return (*(path for path in named if path.is_file()), *weights)


def tokens(folder: Path) -> int:
    """Patches of an image, and the class token."""
    config = json.loads((folder / CONFIG).read_bytes())
    height, width = _sides(config.get("image_size", _DEFAULT_SIDE)) or (0, 0)
    patch_height, patch_width = _sides(config.get("patch_size", _DEFAULT_PATCH)) or (1, 1)
    return (height // patch_height) * (width // patch_width) + 1


def check(model: str, folder: Path) -> tuple[str, ...]:
    """Check the folder of the model that the user called ``model``; return all of its labels.

    Raises:
        ModelError: a file is missing or unusable; names it, the cause and the next step.
    """
    try:
        return _check(f"model {model!r}", folder)
    except OSError as error:
        raise ModelError(
            f"model {model!r}: cannot read {error.filename}: {error.strerror}; make it readable"
        ) from error


def _check(model: str, folder: Path) -> tuple[str, ...]:
    if not folder.is_dir():
        raise ModelError(f"{model}: {folder} is not a folder; check the path")
    if not (folder / CONFIG).is_file():
        raise ModelError(
            f"{model}: {folder} has no {CONFIG}; give a folder that was written with "
            "save_pretrained"
        )
    for path in used_files(folder):
        with path.open("rb") as file:
            if file.read(len(_POINTER)) == _POINTER:
                raise ModelError(
                    f"{model}: {path} is a pointer of Git LFS, not the file itself; run "
                    "'git lfs pull' in the repository that it comes from"
                )
    config = _read(model, folder / CONFIG)
    _check_kind(model, config)
    labels = _labels(model, folder / CONFIG, config)
    _check_sizes(model, folder / CONFIG, config)
    if not (folder / PROCESSOR).is_file():
        raise ModelError(
            f"{model}: {folder} has no {PROCESSOR}; save the model's image processor "
            "there with save_pretrained"
        )
    _check_processor(model, folder / PROCESSOR, config)
    _check_weights(model, folder, len(labels))
    return labels


def _read(model: str, path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_bytes())
    except ValueError as error:
        raise ModelError(f"{model}: {path} is not JSON ({error}); save it anew") from error
    if not isinstance(content, dict):
        raise ModelError(f"{model}: {path} holds no JSON object; save it anew")
    return content


def _check_kind(model: str, config: dict[str, Any]) -> None:
    if config.get("model_type") != "vit":
        raise ModelError(f"{model} is of type {config.get('model_type')!r}; give one of type 'vit'")
    architectures = config.get("architectures")
    if not isinstance(architectures, list) or _CLASSIFIER not in architectures:
        raise ModelError(
            f"{model} has no classification head (its architectures: {architectures}); give one "
            f"that was saved as {_CLASSIFIER}"
        )


def _labels(model: str, path: Path, config: dict[str, Any]) -> tuple[str, ...]:
    """The names of the classes; without names, transformers numbers them, and assumes two."""
    names = config.get("id2label")
    if not names:
        return tuple(f"LABEL_{index}" for index in range(config.get("num_labels") or 2))
    if not isinstance(names, dict) or not all(key.isdecimal() for key in names):
        raise ModelError(
            f'{model}: id2label in {path} must have the form {{"0": "cat", "1": "dog"}}; correct it'
        )
    for number, name in names.items():
        if not isinstance(name, str):
            raise ModelError(
                f"{model}: id2label in {path} has {name!r} for class {number}, which is no text; "
                "write it in quotation marks"
            )
    return tuple(names[number] for number in sorted(names, key=int))


def _check_sizes(model: str, path: Path, config: dict[str, Any]) -> None:
    for name in ("image_size", "patch_size"):
        if name in config and _sides(config[name]) is None:
            raise ModelError(
                f"{model}: {name} in {path} is {config[name]!r}; write a whole number of pixels"
            )


def _sides(value: object) -> tuple[int, int] | None:
    """Height and width from one number, a pair of numbers, or names; ``None`` from all else."""
    if isinstance(value, dict):
        value = [value.get("height"), value.get("width")]
    if isinstance(value, int):
        value = [value, value]
    if not isinstance(value, list):
        return None
    sides = [side for side in value if isinstance(side, int) and side > 0]
    return (sides[0], sides[1]) if len(sides) == len(value) == 2 else None  # noqa: PLR2004


def _check_processor(model: str, path: Path, config: dict[str, Any]) -> None:
    processor = _read(model, path)
    made = _sides(processor.get("size", _DEFAULT_SIDE))
    wanted = _sides(config.get("image_size", _DEFAULT_SIDE))
    if processor.get("do_resize", True) and made is not None and made != wanted:
        raise ModelError(
            f"{model}: {path} makes images of {made[0]} by {made[1]} pixels, but the model takes "
            f"{config.get('image_size', _DEFAULT_SIDE)}; take the file that belongs to this model"
        )
    for name in ("image_mean", "image_std"):
        values = processor.get(name, [0.5])
        if not isinstance(values, list) or not all(isinstance(one, int | float) for one in values):
            raise ModelError(f"{model}: {name} in {path} is {values!r}; write a list of numbers")


def _check_weights(model: str, folder: Path, labels: int) -> None:
    weights = [path for path in used_files(folder) if path.name not in (CONFIG, PROCESSOR)]
    for index in (path for path in weights if path.name.endswith(_INDEX)):
        listed = _read(model, index).get("weight_map", {}).values()
        for name in sorted(set(listed)):
            if not (folder / name).is_file():
                raise ModelError(
                    f"{model}: {folder} has no {name}, which {index.name} lists; copy or download "
                    "it"
                )
    files = [path for path in weights if not path.name.endswith(_INDEX)]
    if not files:
        raise ModelError(f"{model}: {folder} has no weights; put its model.safetensors there")
    if files[0].suffix == ".safetensors":
        _check_tensors(model, files, labels)
        return
    for path in files:
        with path.open("rb") as file:
            if not file.read(2).startswith(_PICKLE_STARTS):
                raise ModelError(
                    f"{model}: {path} is broken (torch has not written it); copy or download it "
                    "anew"
                )


def _check_tensors(model: str, files: list[Path], labels: int) -> None:
    from safetensors import SafetensorError, safe_open

    heads = []
    for path in files:
        # Opening reads the header and compares the sizes in it with the size of the file.
        try:
            with safe_open(path, framework="numpy") as tensors:
                if _HEAD in tensors.keys():  # noqa: SIM118 - it is no mapping
                    heads.append(tensors.get_slice(_HEAD).get_shape()[0])
        except SafetensorError as error:
            raise ModelError(
                f"{model}: {path} is broken ({error}); copy or download it anew"
            ) from error
    if not heads:
        raise ModelError(
            f"{model}: its weights have no {_HEAD}, so its answers would be random; give a model "
            "that was trained to classify images"
        )
    if heads[0] != labels:
        raise ModelError(
            f"{model}: its weights tell {heads[0]} classes apart, but {CONFIG} names {labels}; "
            "correct id2label"
        )
