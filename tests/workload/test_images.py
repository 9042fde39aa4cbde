"""The workload finds and decodes images, and creates the same built-in images on every machine."""

import io
import os
import shutil
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from workload import images
from workload.digits import HELD_OUT, split
from workload.errors import BrokenImageError, ImagesError


def encoded(image_format: str, size: tuple[int, int] = (40, 30)) -> bytes:
    buffer = io.BytesIO()
    Image.radial_gradient("L").resize(size).convert("RGB").save(buffer, image_format)
    return buffer.getvalue()


JPEG = encoded("JPEG")
PNG = encoded("PNG")


# --- built-in images


def test_photographs_are_distinct_jpegs_of_500_by_375_pixels(photographs: tuple[str, ...]) -> None:
    for path in photographs:
        with Image.open(path) as image:
            assert (image.format, image.mode, image.size) == ("JPEG", "RGB", (500, 375))
    assert len({Path(path).read_bytes() for path in photographs}) == len(photographs)


def test_a_photograph_depends_only_on_its_index(
    tmp_path: Path, photographs: tuple[str, ...]
) -> None:
    again = images.default_photographs(3, tmp_path)
    assert [path.read_bytes() for path in again] == [
        Path(path).read_bytes() for path in photographs[:3]
    ]


def test_built_in_images_are_created_once(tmp_path: Path) -> None:
    first = images.default_photographs(2, tmp_path)
    written = [path.stat().st_mtime_ns for path in first]
    assert images.default_photographs(3, tmp_path)[:2] == first
    assert [path.stat().st_mtime_ns for path in first] == written


def test_built_in_images_are_complete_when_several_threads_create_them(tmp_path: Path) -> None:
    with ThreadPoolExecutor(6) as threads:
        made = list(threads.map(lambda _: images.default_photographs(4, tmp_path), range(6)))
    assert len(set(made)) == 1
    assert images.scan(tmp_path) == images.ScannedImages(
        good=tuple(str(path) for path in made[0]), skipped=()
    )
    assert len(list(tmp_path.iterdir())) == 4


def test_held_out_digits_are_shuffled_and_lie_in_folders_named_by_label(
    digits: tuple[str, ...],
) -> None:
    truth = images.true_labels(digits, tuple("0123456789"))
    assert truth is not None
    assert min(Counter(truth).values()) >= 34
    assert len(set(truth[:20])) >= 7


def test_held_out_digits_are_not_training_digits() -> None:
    train, held_out = split()
    assert len(train.images) + len(held_out.images) == 1797
    assert len(held_out.images) == HELD_OUT
    trained_on = {image.tobytes() for image in train.images}
    assert [image for image in held_out.images if image.tobytes() in trained_on] == []


def test_the_split_of_the_digits_is_always_the_same() -> None:
    (train, held_out), again = split(), split()
    assert np.array_equal(train.images, again[0].images)
    assert np.array_equal(held_out.images, again[1].images)


def test_a_request_for_too_many_digits_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ImagesError, match=r"^cannot give 361 digits, .*; ask for at most 360$"):
        images.held_out_digits(361, tmp_path)


# --- a folder of images


def test_a_scan_finds_jpeg_and_png_by_content_at_any_depth_in_a_fixed_order(tmp_path: Path) -> None:
    contents = {
        "b/2.JPG": JPEG, "b/10.jpeg": JPEG, "a.png": PNG, "b/c/d/x.PNG": PNG, "Z.JPEG": JPEG,
        "without_suffix": PNG, "a space ü.jpg": JPEG,
    }  # fmt: skip
    for name, content in contents.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(content)
    scanned = images.scan(tmp_path)
    assert scanned.skipped == ()
    assert scanned.good == tuple(str(path) for path in sorted(tmp_path / n for n in contents))


def test_a_scan_skips_unusable_files_with_a_reason_and_keeps_the_others(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    contents = {
        "good.jpg": JPEG, "cut.jpg": JPEG[:-200], "sub/cut.png": PNG[:-40], "empty.png": b"",
        "notes.txt": b"not an image", "film.gif": encoded("GIF"), "web.jpg": encoded("WEBP"),
        ".DS_Store": b"hidden", ".hidden.jpg": JPEG,
    }  # fmt: skip
    for name, content in contents.items():
        (tmp_path / name).write_bytes(content)
    (tmp_path / "dangling.jpg").symlink_to("nowhere")
    os.mkfifo(tmp_path / "pipe.jpg")
    scanned = images.scan(tmp_path)
    assert scanned.good == (str(tmp_path / "good.jpg"),)
    reasons = dict(line.split(": ", 1) for line in scanned.skipped)
    assert set(reasons) == {
        "cut.jpg", "sub/cut.png", "empty.png", "notes.txt", "film.gif", "web.jpg", "dangling.jpg",
        "pipe.jpg",
    }  # fmt: skip
    assert "truncated" in reasons["cut.jpg"].lower()
    assert reasons["notes.txt"] == "not a JPEG or PNG image"
    assert reasons["dangling.jpg"] == "No such file or directory"
    assert reasons["pipe.jpg"] == "not a file"


def test_a_file_whose_name_is_not_unicode_is_skipped_with_a_printable_reason(
    tmp_path: Path,
) -> None:
    (tmp_path / "good.png").write_bytes(PNG)
    (tmp_path / os.fsdecode(b"caf\xe9.png")).write_bytes(PNG)
    scanned = images.scan(tmp_path)
    assert scanned.good == (str(tmp_path / "good.png"),)
    assert scanned.skipped == ("caf\\udce9.png: its name is not Unicode; rename it",)


def test_a_folder_that_cannot_be_read_is_reported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "good.png").write_bytes(PNG)
    (tmp_path / "locked").mkdir()
    scandir = os.scandir

    def refuse(path: str) -> object:  # file permissions do not stop root
        if path.endswith("locked"):
            raise PermissionError(13, "Permission denied", path)
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refuse)
    assert images.scan(tmp_path).skipped == ("locked: Permission denied",)


def test_a_scan_ends_when_links_are_circular(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "1.png").write_bytes(PNG)
    (tmp_path / "a" / "up").symlink_to(tmp_path)
    (tmp_path / "loop").symlink_to("loop")
    scanned = images.scan(tmp_path)
    assert scanned.good == (str(tmp_path / "a" / "1.png"),)


def test_a_scan_follows_links_to_folders(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "1.png").write_bytes(PNG)
    (tmp_path / "images").mkdir()
    (tmp_path / "images" / "cats").symlink_to(tmp_path / "elsewhere")
    scanned = images.scan(tmp_path / "images")
    assert scanned.good == (str(tmp_path / "images" / "cats" / "1.png"),)


def test_a_decompression_bomb_is_skipped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "small.png").write_bytes(encoded("PNG", (10, 10)))
    (tmp_path / "large.png").write_bytes(encoded("PNG", (40, 30)))
    (tmp_path / "huge.png").write_bytes(encoded("PNG", (400, 300)))
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1000)
    scanned = images.scan(tmp_path)
    assert scanned.good == (str(tmp_path / "small.png"),)
    assert ["decompression bomb" in line for line in scanned.skipped] == [True, True]


@given(
    content=st.sampled_from([JPEG, PNG]),
    changes=st.lists(
        st.tuples(st.integers(0, min(len(JPEG), len(PNG)) - 1), st.integers(0, 255)), max_size=8
    ),
    length=st.integers(0, max(len(JPEG), len(PNG))),
)
def test_a_damaged_file_is_either_decoded_or_skipped(
    tmp_path_factory: pytest.TempPathFactory,
    content: bytes,
    changes: list[tuple[int, int]],
    length: int,
) -> None:
    folder = tmp_path_factory.mktemp("damaged")
    damaged = bytearray(content)
    for position, value in changes:
        damaged[position] = value
    (folder / "whole.png").write_bytes(PNG)
    (folder / "damaged").write_bytes(damaged[:length])
    scanned = images.scan(folder)
    assert len(scanned.good) + len(scanned.skipped) == 2
    for path in scanned.good:
        assert images.decode(path).mode == "RGB"
    shutil.rmtree(folder)


def test_the_error_for_a_folder_without_images_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(ImagesError, match=r"there is no folder .*missing.*; check the path$"):
        images.scan(tmp_path / "missing")
    with pytest.raises(ImagesError, match=r"holds no files; put some JPEG or PNG images there"):
        images.scan(tmp_path)
    (tmp_path / "notes.txt").write_text("no image")
    with pytest.raises(ImagesError, match=r"holds 1 file, none .* \(the first: notes\.txt: not a"):
        images.scan(tmp_path)


# --- labels


def test_true_labels_are_known_only_if_every_folder_is_named_like_a_label() -> None:
    paths = ("/x/3/a.png", "/x/7/b.png", "/x/3/c.png")
    assert images.true_labels(paths, ("3", "5", "7")) == ("3", "7", "3")
    assert images.true_labels(paths, ("3", "5")) is None
    assert images.true_labels(("/x/a.png",), ("3", "5")) is None


# --- decoding


def test_decoding_rotates_a_photograph_upright(tmp_path: Path) -> None:
    path = tmp_path / "turned.jpg"
    exif = Image.Exif()
    exif[0x0112] = 6  # orientation: the camera was held on its side
    Image.new("RGB", (40, 30)).save(path, exif=exif)
    assert images.decode(str(path)).size == (30, 40)


def test_decoding_scales_16_bit_grey_to_8_bit(tmp_path: Path) -> None:
    path = tmp_path / "grey.png"
    Image.fromarray(np.array([[0, 0x8000, 0xFFFF]], dtype=np.uint16)).save(path)
    grey = np.asarray(images.decode(str(path)))[0, :, 0]
    assert grey.tolist() == [0, 128, 255]


def test_decoding_makes_transparent_pixels_white(tmp_path: Path) -> None:
    path = tmp_path / "transparent.png"
    Image.new("RGBA", (2, 2), (255, 0, 0, 0)).save(path)
    assert images.decode(str(path)).getpixel((0, 0)) == (255, 255, 255)


def test_decoding_keeps_the_colours_of_cmyk_images(tmp_path: Path) -> None:
    path = tmp_path / "print.jpg"
    Image.new("RGB", (16, 16), (250, 250, 250)).convert("CMYK").save(path, quality=95)
    assert np.asarray(images.decode(str(path))).min() > 240


def test_the_error_for_a_broken_image_names_the_file(tmp_path: Path) -> None:
    path = tmp_path / "cut.jpg"
    path.write_bytes(JPEG[: len(JPEG) // 2])
    with pytest.raises(
        BrokenImageError, match=r"cannot read the image .*cut\.jpg: .*(?i:truncated)"
    ):
        images.decode(str(path))


def _odd_exif() -> Image.Exif:
    """A photograph on its side, with a tag that Pillow cannot write back."""
    exif = Image.Exif()
    exif[0x0112] = 6
    exif[0x9C9B] = b"odd"
    return exif


def test_a_photograph_with_an_orientation_is_turned_whatever_else_its_metadata_hold(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "side.jpg"
    Image.new("RGB", (40, 20), "red").save(path, exif=_odd_exif())

    def fail(*_: object, **__: object) -> bytes:
        raise TypeError("cannot write this tag")

    monkeypatch.setattr(Image.Exif, "tobytes", fail)
    assert images.decode(str(path)).size == (20, 40)


def test_a_photograph_whose_metadata_cannot_be_read_is_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "odd.jpg"
    Image.new("RGB", (40, 20), "red").save(path)

    def fail(_: Image.Image) -> Image.Exif:
        raise SyntaxError("not a TIFF file")

    monkeypatch.setattr(Image.Image, "getexif", fail)
    assert images.decode(str(path)).size == (40, 20)


def test_no_more_images_are_decoded_than_are_wanted_and_they_come_from_all_folders(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for folder in ("cat", "dog"):
        (tmp_path / folder).mkdir()
        for number in range(50):
            Image.new("RGB", (8, 8)).save(tmp_path / folder / f"{number:02}.png")
    decoded: list[str] = []
    real = images.decode

    def counting(file: str | bytes) -> Image.Image:
        decoded.append(str(file))
        return real(file)

    monkeypatch.setattr(images, "decode", counting)
    scanned = images.scan(tmp_path, 6)
    assert len(decoded) == len(scanned.good) == 6
    assert {Path(path).parent.name for path in scanned.good} == {"cat", "dog"}
