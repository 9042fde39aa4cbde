"""Models from elsewhere: what a worker would refuse is refused before anything is measured."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.compare.command_line import command, small_run
from tests.compare.test_bad_input import said
from tests.hosts.anyone import as_anyone, open_folder
from workload.model import VIT_DIGITS, resolve

POINTER = "version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 343254736\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A copy of the model of digits, which a test damages."""
    return Path(shutil.copytree(resolve(VIT_DIGITS, tmp_path).folder, tmp_path / "mine"))


def refused(folder: Path, tmp_path: Path) -> str:
    return said(small_run(tmp_path / "out", "--model", folder, "--engines", "serial", "--dry-run"))


def edit(path: Path, change: Callable[[dict[str, Any]], object]) -> None:
    content = json.loads(path.read_text())
    change(content)
    path.write_text(json.dumps(content))


@pytest.mark.parametrize(
    ("file", "changes", "words"),
    [
        ("config.json", {"id2label": {"0": 0, "1": 1}}, ["id2label", "0 for class 0", "no text"]),
        ("config.json", {"id2label": ["cat", "dog"]}, ["id2label", '{"0": "cat"']),
        # https://github.com/huggingface/transformers/issues/15876: the head has another number
        ("config.json", {"id2label": {"0": "a", "1": "b"}}, ["tell 10 classes apart", "names 2"]),
        ("config.json", {"image_size": "32"}, ["image_size", "'32'", "whole number of pixels"]),
        ("config.json", {"patch_size": 0}, ["patch_size", "is 0"]),
        ("preprocessor_config.json", {"size": 224}, ["224 by 224 pixels", "the model takes 32"]),
        ("preprocessor_config.json", {"image_mean": "0.5"}, ["image_mean", "list of numbers"]),
    ],
    ids=lambda value: None if isinstance(value, list) else str(value)[:30],
)
def test_a_field_of_another_type_is_named_with_its_file(
    folder: Path, tmp_path: Path, file: str, changes: dict[str, Any], words: list[str]
) -> None:
    edit(folder / file, lambda content: content.update(changes))
    sentence = refused(folder, tmp_path)
    for word in (file.partition(".")[0], *words):
        assert word in sentence


@pytest.mark.parametrize("file", ["pytorch_model.bin", "model.safetensors", "config.json"])
def test_a_file_that_git_lfs_has_not_fetched_is_told_as_what_it_is(
    folder: Path, tmp_path: Path, file: str
) -> None:
    # https://github.com/huggingface/transformers/issues/27923
    # https://github.com/microsoft/OmniParser/issues/34
    if file == "pytorch_model.bin":
        (folder / "model.safetensors").unlink()
    (folder / file).write_text(POINTER)
    sentence = refused(folder, tmp_path)
    assert f"{folder / file} is a pointer of Git LFS" in sentence
    assert "git lfs pull" in sentence


def test_weights_that_are_a_web_page_are_broken(folder: Path, tmp_path: Path) -> None:
    """A download that a proxy or a login page has answered."""
    (folder / "model.safetensors").unlink()
    (folder / "pytorch_model.bin").write_text("<!doctype html><html>Sign in</html>")
    assert "pytorch_model.bin is broken" in refused(folder, tmp_path)


def test_weights_without_a_head_would_answer_at_random_and_are_refused(
    folder: Path, tmp_path: Path
) -> None:
    from safetensors.numpy import load_file, save_file

    weights = load_file(folder / "model.safetensors")
    kept = {name: value for name, value in weights.items() if not name.startswith("classifier")}
    save_file(kept, folder / "model.safetensors")
    assert "no classifier.weight" in refused(folder, tmp_path)


def test_a_part_of_the_weights_that_is_missing_is_named(folder: Path, tmp_path: Path) -> None:
    (folder / "model.safetensors").rename(folder / "model-00001-of-00002.safetensors")
    parts = {"a": "model-00001-of-00002.safetensors", "b": "model-00002-of-00002.safetensors"}
    (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": parts}))
    assert "has no model-00002-of-00002.safetensors" in refused(folder, tmp_path)


def test_a_broken_file_of_the_image_processor_is_named(folder: Path, tmp_path: Path) -> None:
    (folder / "preprocessor_config.json").write_text("{")
    assert "preprocessor_config.json is not JSON" in refused(folder, tmp_path)


def test_a_model_below_a_closed_folder_is_unreadable_and_the_cache_is_not_blamed() -> None:
    with open_folder() as folder:
        (folder / "closed").mkdir(mode=0o700)
        asked = ("--model", folder / "closed" / "mine", "--out", folder / "out")
        done = as_anyone(
            command(*asked, "--engines", "serial", "--dry-run"),
            ENGINE_COMPARE_CACHE=str(folder / "cache"),
        )
        sentence = said(done)
    assert "cannot read" in sentence
    assert "closed" in sentence
    assert "ENGINE_COMPARE_CACHE" not in sentence
