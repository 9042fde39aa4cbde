"""Folders of photographs as people have them; what cannot be read is told as what it is."""

import os
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.compare.command_line import command, compare, small_run
from tests.compare.test_bad_input import said
from tests.hosts.anyone import as_anyone, open_folder

DRY = ("--engines", "serial", "--dry-run")


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """A folder with three good photographs."""
    folder = tmp_path / "photos"
    folder.mkdir()
    for number in range(3):
        pixels = np.random.default_rng(number).integers(0, 255, (40, 60, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / f"{number}.png")
    return folder


def planned(photos: Path, tmp_path: Path, *flags: object) -> str:
    done = small_run(tmp_path / "out", "--images", photos, "--n-images", 3, *DRY, *flags)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_a_folder_that_cannot_be_entered_is_named_and_the_cache_is_not_blamed() -> None:
    """Mode 644, as ``chmod -R 644`` leaves folders."""
    with open_folder() as folder:
        (folder / "photos").mkdir()
        Image.new("RGB", (8, 8)).save(folder / "photos" / "a.png")
        (folder / "photos").chmod(0o644)
        asked = ("--model", "vit-digits", "--images", folder / "photos", "--out", folder / "out")
        cache = str(folder / "cache")
        listed = said(as_anyone(command(*asked, *DRY), ENGINE_COMPARE_CACHE=cache))
        (folder / "photos").chmod(0o600)
        closed = said(as_anyone(command(*asked, *DRY), ENGINE_COMPARE_CACHE=cache))
    assert "Permission denied" in listed
    assert "is not readable" in closed
    for sentence in (listed, closed):
        assert f"{folder}/photos" in sentence
        assert "ENGINE_COMPARE_CACHE" not in sentence


def test_three_thousand_files_beside_the_photographs_are_a_few_lines(
    photos: Path, tmp_path: Path
) -> None:
    for number in range(3000):
        (photos / f"{number}.xml").write_text("<annotation/>")
    done = small_run(tmp_path / "out", "--images", photos, *DRY[:2], "--dry-run", "--n-images", 3)
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.splitlines()) < 15


def test_sixteen_of_three_thousand_photographs_are_decoded_and_they_come_from_all_folders(
    tmp_path: Path,
) -> None:
    folders = [tmp_path / "photos" / f"n{number:04}" for number in range(8)]
    for folder in folders:
        folder.mkdir(parents=True)
        for number in range(375):
            (folder / f"{number}.jpg").write_bytes(b"decoding this would be an error")
        for number in (0, 1):
            Image.new("RGB", (8, 8)).save(folder / f"{number}.jpg")
    done = small_run(tmp_path / "out", "--images", tmp_path / "photos", "--n-images", 16, *DRY)
    assert done.returncode == 0, done.stderr
    assert "16 images" in done.stdout
    assert "0 files skipped" in done.stdout


def bad_checksum(path: Path, kind: bytes) -> None:
    """Change the checksum of the first chunk of this kind."""
    content = bytearray(path.read_bytes())
    place = content.index(kind)
    (length,) = struct.unpack(">I", content[place - 4 : place])
    content[place + 4 + length] ^= 0xFF
    path.write_bytes(content)


def test_a_png_with_a_bad_checksum_is_a_damaged_png(photos: Path, tmp_path: Path) -> None:
    # https://github.com/python-pillow/Pillow/issues/5136
    bad_checksum(photos / "0.png", b"IHDR")
    done = small_run(tmp_path / "out", "--images", photos, "--n-images", 2, *DRY)
    assert done.returncode == 0, done.stderr
    told = small_run(tmp_path / "out", "--images", photos, "--n-images", 3, *DRY)
    assert "2 readable images" in said(told)
    (photos / "1.png").unlink()
    (photos / "2.png").unlink()
    assert "0.png: a damaged PNG image" in said(
        small_run(tmp_path / "out", "--images", photos, *DRY)
    )


def with_chunk(path: Path, kind: bytes, body: bytes) -> None:
    """Add a chunk behind the header."""
    content = path.read_bytes()
    chunk = struct.pack(">I", len(body)) + kind + body
    chunk += struct.pack(">I", zlib.crc32(kind + body))
    path.write_bytes(content[:33] + chunk + content[33:])


@pytest.mark.parametrize("kind", [b"iCCP", b"pHYs", b"tEXt"])
def test_a_bad_checksum_of_metadata_spoils_no_photograph(
    photos: Path, tmp_path: Path, kind: bytes
) -> None:
    # https://github.com/python-pillow/Pillow/issues/5631 and 4472: a colour profile
    # https://github.com/python-pillow/Pillow/issues/5978: the size of a pixel
    with_chunk(photos / "0.png", kind, b"name\0words of nine")
    bad_checksum(photos / "0.png", kind)
    assert "0 files skipped" in planned(photos, tmp_path)


def test_a_text_larger_than_pillow_reads_spoils_no_photograph(photos: Path, tmp_path: Path) -> None:
    # https://github.com/python-pillow/Pillow/issues/8363 and 2445
    with_chunk(photos / "0.png", b"zTXt", b"history\0\0" + zlib.compress(bytes(2 * 2**20)))
    assert "0 files skipped" in planned(photos, tmp_path)


def test_a_photograph_of_a_hundred_megapixels_is_skipped_with_advice(
    photos: Path, tmp_path: Path
) -> None:
    Image.new("1", (10_000, 9_500)).save(photos / "0.png")
    done = small_run(tmp_path / "out", "--images", photos, "--n-images", 2, *DRY)
    assert done.returncode == 0, done.stderr
    assert "more than 89 megapixels" in done.stdout
    assert "make it smaller" in done.stdout


def test_names_that_are_not_unicode_are_told_as_the_reason(tmp_path: Path) -> None:
    folder = tmp_path / "photos"
    (folder / "f\udcfcr").mkdir(parents=True)
    Image.new("RGB", (8, 8)).save(folder / "f\udcfcr" / "a.png")
    assert "its name is not Unicode" in said(small_run(tmp_path / "out", "--images", folder, *DRY))


def test_files_that_the_shell_has_listed_are_no_commands(photos: Path, tmp_path: Path) -> None:
    """``--images photos/*.png``, and the same with a single file."""
    files = sorted(photos.iterdir())
    several = said(small_run(tmp_path / "out", *DRY, "--images", *files))
    assert f"{files[1]} is no command" in several
    assert "takes one folder" in several
    one = said(small_run(tmp_path / "out", *DRY, "--images", files[0]))
    assert f"{files[0]} is a file; give the folder" in one


def test_a_photograph_of_a_phone_with_two_pictures_in_it_is_taken(
    photos: Path, tmp_path: Path
) -> None:
    """MPO: a JPEG with another one behind it."""
    first, second = Image.new("RGB", (60, 40), "red"), Image.new("RGB", (60, 40), "blue")
    first.save(photos / "0.jpg", format="MPO", save_all=True, append_images=[second])
    (photos / "0.png").unlink()
    assert "0 files skipped" in planned(photos, tmp_path)


def test_what_a_mac_puts_beside_each_file_is_no_photograph(photos: Path, tmp_path: Path) -> None:
    # https://github.com/python-pillow/Pillow/issues/4807
    for path in list(photos.iterdir()):
        path.with_name(f"._{path.name}").write_bytes(b"\0\5\x16\7Mac OS X")
    done = small_run(tmp_path / "out", "--images", photos, "--n-images", 3, *DRY)
    assert done.returncode == 0, done.stderr
    assert "3 images" in done.stdout
    assert "0 files skipped" in done.stdout


@pytest.mark.timeout(180)
def test_a_pipe_among_the_photographs_is_skipped_and_a_link_to_the_folder_itself_is_no_end(
    photos: Path, tmp_path: Path
) -> None:
    # https://github.com/MemPalace/mempalace/issues/2221
    # https://github.com/filebrowser/filebrowser/issues/1155
    os.mkfifo(photos / "pipe.png")
    (photos / "again").symlink_to(".")
    done = compare("--images", photos, *DRY, "--out", tmp_path / "out")
    assert done.returncode == 0, done.stderr
    assert "skipped pipe.png: not a file" in done.stdout
    assert "3 images in chunks" in done.stdout
