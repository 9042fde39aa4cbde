"""The training script, in a short version."""

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


def test_training_twice_writes_the_same_bytes(tmp_path: Path) -> None:
    for name in ("first", "second"):
        train_digits.train(1, tmp_path / name)
    for path in (tmp_path / "first").iterdir():
        assert path.read_bytes() == (tmp_path / "second" / path.name).read_bytes()


def test_the_kept_model_is_of_the_shape_that_the_script_trains(tmp_path: Path) -> None:
    train_digits.train(1, tmp_path)
    made = load_file(tmp_path / "model.safetensors")
    kept = load_file(train_digits.FOLDER / "model.safetensors")
    assert {name: part.shape for name, part in made.items()} == {
        name: part.shape for name, part in kept.items()
    }
