"""``model.resolve`` finds the folder of a model, and explains why it rejects a name or folder."""

import json
import os
import shutil
import socket
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from workload import images, model
from workload.errors import ModelError
from workload.kernels import vit


@pytest.fixture
def folder(tmp_path: Path, digits_model: model.ResolvedModel) -> Path:
    """A copy of a model's folder, which tests can damage."""
    return Path(shutil.copytree(digits_model.folder, tmp_path / "mine"))


def test_the_digits_model_is_small_and_trained(digits_model: model.ResolvedModel) -> None:
    assert digits_model.labels == tuple("0123456789")
    assert not digits_model.random_weights
    files = list(Path(digits_model.folder).iterdir())
    assert sum(path.stat().st_size for path in files) < 1_000_000


def test_a_model_can_be_given_as_a_folder(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    expected = model.ResolvedModel(
        folder=str(folder), random_weights=False, labels=tuple("0123456789")
    )
    assert model.resolve(str(folder), folder) == expected
    monkeypatch.chdir(folder.parent)
    assert model.resolve("mine", folder) == expected
    assert model.resolve("./mine", folder) == expected


def test_the_folder_of_a_model_may_contain_pickled_weights(
    folder: Path, digits: tuple[str, ...], digits_model: model.ResolvedModel
) -> None:
    import torch
    from safetensors.torch import load_file

    torch.save(load_file(folder / "model.safetensors"), folder / "pytorch_model.bin")
    (folder / "model.safetensors").unlink()
    resolved = model.resolve(str(folder), folder)
    assert vit.load(resolved.folder, "float32", 1)(digits[:9]) == vit.load(
        digits_model.folder, "float32", 1
    )(digits[:9])


@pytest.mark.parametrize(
    ("missing", "message"),
    [
        ("config.json", "has no config.json; give a folder that was written with save_pretrained"),
        ("model.safetensors", "has no weights; put its model.safetensors there"),
        ("preprocessor_config.json", "has no preprocessor_config.json; save the model's image"),
    ],
)
def test_a_folder_that_lacks_a_file_is_rejected(folder: Path, missing: str, message: str) -> None:
    (folder / missing).unlink()
    with pytest.raises(ModelError) as raised:
        model.resolve(str(folder), folder)
    assert str(folder) in str(raised.value)
    assert message in str(raised.value)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"model_type": "bert"}, "is of type 'bert'; give one of type 'vit'"),
        ({"architectures": ["ViTModel"]}, "has no classification head"),
        ({"architectures": None}, "has no classification head"),
    ],
)
def test_a_model_that_is_not_a_vit_classifier_is_rejected(
    folder: Path, changes: dict[str, object], message: str
) -> None:
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | changes))
    with pytest.raises(ModelError, match=message):
        model.resolve(str(folder), folder)


@pytest.mark.parametrize("text", ["{", "[]", "\xff"])
def test_a_broken_config_is_rejected(folder: Path, text: str) -> None:
    (folder / "config.json").write_text(text, encoding="latin-1")
    with pytest.raises(ModelError, match=r"config\.json .*; save it anew"):
        model.resolve(str(folder), folder)


def test_truncated_weights_are_rejected(folder: Path) -> None:
    weights = folder / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1000])
    with pytest.raises(ModelError, match=r"model\.safetensors is broken .*; copy or download"):
        model.resolve(str(folder), folder)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("vit-bse", "there is no model or folder called 'vit-bse'; did you mean 'vit-base'?"),
        ("vit_digits", "did you mean 'vit-digits'?"),
        ("qqq", "give vit-base, vit-digits, a folder, or a hub name like google/vit-base-patch16"),
        ("./nowhere", "nowhere is not a folder; check the path"),
        ("/no/where", "/no/where is not a folder; check the path"),
        ("~/no-such-model", "no-such-model is not a folder; check the path"),
    ],
)
def test_the_error_for_an_unknown_name_says_the_next_step(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, message: str
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ModelError) as raised:
        model.resolve(name, tmp_path)
    assert message in str(raised.value)


_RESOLVE = """
import sys
from pathlib import Path
from workload import errors, model
try:
    print(model.resolve("google/vit-base-patch16-224", Path(sys.argv[1])))
except errors.ModelError as error:
    print(error)
"""


@pytest.mark.parametrize("listens", [False, True], ids=["refuses", "never answers"])
def test_an_unreachable_hub_is_reported_soon_in_one_sentence(
    tmp_path: Path, *, listens: bool
) -> None:
    # A server that listens but never answers behaves like a firewall that drops packets.
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1] if listens else 1
        environment = os.environ | {
            "HF_ENDPOINT": f"http://127.0.0.1:{port}",
            "HF_HOME": str(tmp_path),
            "NO_PROXY": "127.0.0.1",
        }
        started_s = time.monotonic()
        run = subprocess.run(
            [sys.executable, "-W", "error", "-c", _RESOLVE, str(tmp_path)],
            env=environment,
            capture_output=True,
            text=True,
            check=True,
        )
    assert time.monotonic() - started_s < 15
    assert run.stderr == ""
    [sentence] = run.stdout.splitlines()
    assert "'google/vit-base-patch16-224' is no folder here and could not be had" in sentence
    assert "or download it elsewhere and give its folder" in sentence


# --- the weights of vit-base; a small model replaces it in these tests


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch, random_vit: Path) -> list[Path]:
    """Replace the 346 MB model with a small one; return the folders that were written."""
    written: list[Path] = []

    def save(folder: Path) -> None:
        written.append(folder)
        shutil.copytree(random_vit, folder)

    monkeypatch.setattr(model, "_save_random_vit", save)
    return written


def test_random_weights_are_created_once(tmp_path: Path, small: list[Path]) -> None:
    first = model.resolve("vit-base", tmp_path / "cache")
    assert first.random_weights
    assert model.resolve("vit-base", tmp_path / "cache") == first
    assert len(small) == 1


def test_random_weights_are_complete_when_several_threads_create_them(
    tmp_path: Path, small: list[Path]
) -> None:
    with ThreadPoolExecutor(4) as threads:
        resolved = list(threads.map(lambda _: model.resolve("vit-base", tmp_path), range(4)))
    assert len(set(resolved)) == 1
    assert [path.name for path in tmp_path.iterdir()] == [Path(resolved[0].folder).name]
    assert 1 <= len(small) <= 4


def test_an_interrupted_write_leaves_no_incomplete_model(
    tmp_path: Path, small: list[Path], monkeypatch: pytest.MonkeyPatch, random_vit: Path
) -> None:
    def interrupted(folder: Path) -> None:
        shutil.copytree(random_vit, folder)
        (folder / "model.safetensors").write_bytes(b"half")
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(model, "_save_random_vit", interrupted)
        with pytest.raises(KeyboardInterrupt):
            model.resolve("vit-base", tmp_path)
    assert list(tmp_path.iterdir()) == []
    model.resolve("vit-base", tmp_path)
    assert len(small) == 1


def test_random_weights_are_reproducible_and_keep_the_random_state_of_the_caller(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import torch
    from transformers.models.vit import configuration_vit

    full = configuration_vit.ViTConfig
    monkeypatch.setattr(
        configuration_vit,
        "ViTConfig",
        lambda **settings: full(num_hidden_layers=1, intermediate_size=96, **settings),
    )
    torch.manual_seed(5)
    before = torch.get_rng_state()
    resolved = [model.resolve("vit-base", tmp_path / name) for name in ("a", "b")]
    assert torch.equal(torch.get_rng_state(), before)
    weights = [(Path(each.folder) / "model.safetensors").read_bytes() for each in resolved]
    assert weights[0] == weights[1]
    assert resolved[0].labels[:2] == ("class 0", "class 1")
    assert len(resolved[0].labels) == 1000


def test_the_kernel_returns_labels_of_the_resolved_model(
    photographs: tuple[str, ...], tmp_path: Path, small: list[Path]
) -> None:
    resolved = model.resolve("vit-base", tmp_path)
    assert len(small) == 1
    answers = vit.load(resolved.folder, "float32", 1)(photographs)
    assert set(answers) <= set(resolved.labels)
    assert images.true_labels(photographs, resolved.labels) is None
