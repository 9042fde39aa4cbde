"""The images to classify: the built-in ones, those of a folder, and how to decode a file.

Workers get only paths from this module and decode the files themselves.
"""

import contextlib
import functools
import importlib.util
import io
import itertools
import os
import random
import tempfile
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from workload.digits import HELD_OUT, split
from workload.errors import BrokenImageError, ImagesError

_FORMATS = ("JPEG", "PNG")
_PNG = b"\x89PNG\r\n\x1a\n"
_SIGNATURES = {b"\xff\xd8\xff": "JPEG", _PNG: "PNG"}
"""How a file of each format begins."""
_PHOTOGRAPH_SIZE = (500, 375)
"""Width and height in pixels; the usual size of a photograph in ImageNet."""
_JPEG_QUALITY = 90
_PHOTOGRAPHS = (
    "astronaut.png",
    "chelsea.png",
    "coffee.png",
    "hubble_deep_field.jpg",
    "motorcycle_left.png",
    "retina.jpg",
    "rocket.jpg",
)
"""The colour photographs inside scikit-image's wheel; all others would be downloaded."""
_ORIENTATION_TAG = 0x0112
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""What makes an image upright, by its orientation (EXIF 2.3, section 4.6.4)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ScannedImages:
    """The contents of a folder of images."""

    good: tuple[str, ...]
    """Absolute paths of the images, sorted.  Each image was decoded successfully."""
    skipped: tuple[str, ...]
    """``"path in the folder: reason"`` for each file that is not an image or is damaged."""


def decode(file: str | bytes) -> Image.Image:
    """Decode the JPEG or PNG at a path or in bytes to upright RGB, from any stored mode.

    Raises:
        BrokenImageError: it is not such an image, or is damaged; the message names the file.
    """
    try:
        return _decoded(file)
    # For a damaged file Pillow may raise almost any error, from SyntaxError to struct.error.
    except Exception as error:
        with contextlib.suppress(Exception):
            return _decoded(_without_metadata(file))
        name = f"an image of {len(file)} bytes" if isinstance(file, bytes) else file
        raise BrokenImageError(name, _reason(error, file)) from error


def _decoded(file: str | bytes) -> Image.Image:
    source = io.BytesIO(file) if isinstance(file, bytes) else file
    with Image.open(source, formats=_FORMATS) as image:
        return _upright_rgb(image)


def _without_metadata(file: str | bytes) -> bytes:
    """A PNG with the parts that its pixels need, and no others.

    Pillow refuses a PNG of which a text or a colour profile is damaged or large, as browsers and
    most other programs do not.

    Raises:
        ValueError: it is no PNG.
    """
    content = file if isinstance(file, bytes) else Path(file).read_bytes()
    if not content.startswith(_PNG):
        raise ValueError("no PNG")
    kept, place = [_PNG], len(_PNG)
    while place < len(content):
        end = place + 12 + int.from_bytes(content[place : place + 4], "big")
        kind = content[place + 4 : place + 8]
        # The case of the first letter says whether a decoder needs the chunk.
        if kind[:1].isupper() or kind == b"tRNS":
            kept.append(content[place:end])
        place = end
    return b"".join(kept)


def scan(folder: Path, wanted: int | None = None) -> ScannedImages:
    """Find the images in ``folder`` and its subfolders; skip hidden files.

    With ``wanted``, stop when there are that many, taken in turn from all folders: folders are
    often classes, and decoding every file of a large collection would take an hour.

    Raises:
        ImagesError: the folder does not exist or has no image.
    """
    try:
        if folder.is_file():
            raise ImagesError(f"{folder} is a file; give the folder that holds it")
        if not folder.is_dir():
            raise ImagesError(f"there is no folder {folder} to take images from; check the path")
        next(folder.iterdir(), None)
    except OSError as error:
        raise ImagesError(
            f"cannot read the folder {folder}: {error.strerror}; make it readable"
        ) from error
    good: list[str] = []
    skipped: list[str] = []
    unreadable: list[OSError] = []
    paths = sorted(_files(folder.absolute(), unreadable))
    for path in paths if wanted is None else _in_turn(paths):
        if len(good) == wanted:
            break
        try:
            _check(path)
        except BrokenImageError as error:
            skipped.append(f"{_name(path, folder)}: {error.reason}")
        else:
            good.append(str(path))
    skipped += [f"{_name(Path(error.filename), folder)}: {_reason(error)}" for error in unreadable]
    if not good:
        files = "1 file" if len(skipped) == 1 else f"{len(skipped)} files"
        unusable = f"{files}, none of them a JPEG or PNG image that can be read"
        unusable += f" (the first: {skipped[0]})" if skipped else ""
        raise ImagesError(
            f"folder {folder} holds {unusable if skipped else 'no files'}; "
            "put some JPEG or PNG images there, or give another folder"
        )
    return ScannedImages(good=tuple(sorted(good)), skipped=tuple(skipped))


def _in_turn(paths: Sequence[Path]) -> Iterator[Path]:
    """The first file of each folder, then the second of each, and so on."""
    of_folder: dict[Path, list[Path]] = {}
    for path in paths:
        of_folder.setdefault(path.parent, []).append(path)
    for row in itertools.zip_longest(*of_folder.values()):
        yield from (path for path in row if path is not None)


def true_labels(paths: tuple[str, ...], labels: tuple[str, ...]) -> tuple[str, ...] | None:
    """The label of each image, if every image is in a folder with the name of one of ``labels``.

    ``None`` if any image is not, because the folders then mean something else.
    """
    folders = tuple(Path(path).parent.name for path in paths)
    return folders if set(folders) <= set(labels) else None


def default_photographs(count: int, folder: Path) -> tuple[Path, ...]:
    """``count`` JPEG photographs of 500 by 375; those missing in ``folder`` are created.

    Each is a different part of a real photograph, at a different scale.  Image ``i`` depends only
    on ``i``.
    """
    paths = tuple(folder / f"{index:04}.jpg" for index in range(count))
    for index, path in enumerate(paths):
        _make_once(path, functools.partial(_photograph, index))
    return paths


def held_out_digits(count: int, folder: Path) -> tuple[Path, ...]:
    """``count`` handwritten digits that ``vit-digits`` was not trained on, with classes mixed.

    They are PNG files of 8 by 8, each in a folder with the name of its label (``7/0012.png``).
    Those missing in ``folder`` are created.

    Raises:
        ImagesError: there are fewer than ``count``.
    """
    if count > HELD_OUT:
        raise ImagesError(
            f"cannot give {count} digits, because only {HELD_OUT} were held out from training; "
            f"ask for at most {HELD_OUT}"
        )
    _, digits = split()
    paths = []
    for index in range(count):
        path = folder / str(digits.labels[index]) / f"{index:04}.png"
        _make_once(path, functools.partial(Image.fromarray, digits.images[index]))
        paths.append(path)
    return tuple(paths)


def _upright_rgb(image: Image.Image) -> Image.Image:
    turn = _TURNS.get(_orientation(image))
    upright = image if turn is None else image.transpose(turn)
    if upright.mode.startswith("I"):
        # 16-bit grey: Pillow would clip its values to 255 instead of scaling them.
        return Image.fromarray((np.asarray(upright) >> 8).astype(np.uint8)).convert("RGB")
    if upright.has_transparency_data:
        # Use a white background, as browsers do: a transparent pixel has an arbitrary colour.
        rgba = upright.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", rgba.size, "white"), rgba).convert("RGB")
    return upright.convert("RGB")


def _orientation(image: Image.Image) -> int:
    """The orientation in the metadata; 1 (upright) where the metadata cannot be read.

    ``ImageOps.exif_transpose`` writes the metadata back, and fails if any tag is odd, although the
    pixels are whole.
    """
    try:
        return int(image.getexif().get(_ORIENTATION_TAG, 1))
    except Exception:  # noqa: BLE001 - whatever the metadata holds, the pixels can be used
        return 1


def _reason(error: Exception, file: str | bytes | None = None) -> str:
    if isinstance(error, UnidentifiedImageError):
        kind = None if file is None else _format(file)
        return f"a damaged {kind} image" if kind else "not a JPEG or PNG image"
    if isinstance(error, Image.DecompressionBombWarning | Image.DecompressionBombError):
        most = (Image.MAX_IMAGE_PIXELS or 0) / 1e6
        return f"more than {most:.0f} megapixels, as in a decompression bomb: make it smaller"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return str(error) or type(error).__name__


def _format(file: str | bytes) -> str | None:
    """The format that a file begins like; ``None`` for all others."""
    start = file[:8] if isinstance(file, bytes) else Path(file).read_bytes()[:8]
    return next((name for sign, name in _SIGNATURES.items() if start.startswith(sign)), None)


def _name(path: Path, folder: Path) -> str:
    """The path relative to the folder, with bytes that are not Unicode escaped."""
    name = path.relative_to(folder.absolute()).as_posix()
    return name.encode(errors="backslashreplace").decode()


def _files(folder: Path, unreadable: list[OSError]) -> Iterator[Path]:
    """Every file below ``folder`` that is not hidden; linked folders are visited only once.

    The errors of folders that cannot be read are added to ``unreadable``.
    """
    seen = set()
    for parent, folders, names in os.walk(folder, onerror=unreadable.append, followlinks=True):
        real = os.path.realpath(parent)
        if real in seen:  # a link to a parent folder, or to one visited under another name
            folders.clear()
            continue
        seen.add(real)
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        yield from (Path(parent, name) for name in names if not name.startswith("."))


def _check(path: Path) -> None:
    """Decode the image once, so that decoding cannot fail in the middle of a run."""
    try:
        str(path).encode()
    except UnicodeEncodeError as error:
        raise BrokenImageError(ascii(str(path)), "its name is not Unicode; rename it") from error
    try:
        special = path.exists() and not path.is_file()
    except OSError as error:  # its folder may be listed, but not entered
        raise BrokenImageError(str(path), _reason(error)) from error
    if special:  # opening a pipe would block forever
        raise BrokenImageError(str(path), "not a file")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # details of files that Pillow can read anyway
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        decode(str(path))


def _make_once(path: Path, make: Callable[[], Image.Image]) -> None:
    """Write an image through a rename: a file is then always complete, even with other writers."""
    if path.exists():
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, scratch = tempfile.mkstemp(dir=path.parent, prefix=".", suffix=path.suffix)
    os.close(descriptor)
    try:
        make().save(scratch, quality=_JPEG_QUALITY)  # a PNG ignores the quality
        Path(scratch).chmod(0o644)
        Path(scratch).replace(path)
    finally:
        Path(scratch).unlink(missing_ok=True)


def _photograph(index: int) -> Image.Image:
    chance = random.Random(index)  # noqa: S311 - the same images everywhere, no secret
    with Image.open(_photograph_folder() / _PHOTOGRAPHS[index % len(_PHOTOGRAPHS)]) as source:
        photograph = source.convert("RGB")
    width, height = photograph.size
    aspect = _PHOTOGRAPH_SIZE[0] / _PHOTOGRAPH_SIZE[1]
    scale = 0.5 + chance.random() / 2
    part_width = scale * min(width, height * aspect)
    part_height = part_width / aspect
    left = chance.random() * (width - part_width)
    top = chance.random() * (height - part_height)
    part = photograph.resize(
        _PHOTOGRAPH_SIZE,
        Image.Resampling.LANCZOS,
        box=(left, top, left + part_width, top + part_height),
    )
    return ImageOps.mirror(part) if chance.random() < 0.5 else part  # noqa: PLR2004 - a coin toss


def _photograph_folder() -> Path:
    # Do not import scikit-image, because its own loader looks for downloads.
    spec = importlib.util.find_spec("skimage")
    if spec is None or spec.origin is None:
        raise ImagesError(
            "the built-in photographs come with scikit-image, which is not installed: "
            "pip install scikit-image"
        )
    return Path(spec.origin).parent / "data"
