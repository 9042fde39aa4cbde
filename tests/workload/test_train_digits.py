"""The script that trains vit-digits, run for one epoch."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from workload import train_digits


@pytest.fixture(autouse=True)
def _torch_as_before() -> Iterator[None]:
    threads = torch.get_num_threads()
    yield
    torch.use_deterministic_algorithms(mode=False)
    torch.set_num_threads(threads)


def test_two_training_runs_write_the_same_bytes(tmp_path: Path) -> None:
    for name in ("first", "second"):
        train_digits.train(1, tmp_path / name)
    for path in (tmp_path / "first").iterdir():
        assert path.read_bytes() == (tmp_path / "second" / path.name).read_bytes()


def test_the_stored_model_has_the_shape_that_the_script_trains(tmp_path: Path) -> None:
    train_digits.train(1, tmp_path)
    trained = load_file(tmp_path / "model.safetensors")
    stored = load_file(train_digits.FOLDER / "model.safetensors")
    assert {name: part.shape for name, part in trained.items()} == {
        name: part.shape for name, part in stored.items()
    }
