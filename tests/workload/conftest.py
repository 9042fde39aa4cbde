"""Fixtures with real models and real images that are small enough for every test run."""

from pathlib import Path

import pytest

from workload import images, model


@pytest.fixture(scope="session")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="session")
def digits_model() -> model.ResolvedModel:
    return model.resolve(model.VIT_DIGITS, Path("never-used"))


@pytest.fixture(scope="session")
def digits(cache: Path) -> tuple[str, ...]:
    """All 360 held-out digits."""
    return tuple(str(path) for path in images.held_out_digits(360, cache / "digits"))


@pytest.fixture(scope="session")
def photographs(cache: Path) -> tuple[str, ...]:
    return tuple(str(path) for path in images.default_photographs(14, cache / "photographs"))


@pytest.fixture(scope="session")
def random_vit(cache: Path) -> Path:
    """A ViT with default settings, except that it is narrow and has two layers."""
    from transformers.models.vit.configuration_vit import ViTConfig
    from transformers.models.vit.image_processing_pil_vit import ViTImageProcessorPil
    from transformers.models.vit.modeling_vit import ViTForImageClassification
    from transformers.utils.logging import disable_progress_bar

    disable_progress_bar()
    folder = cache / "random-vit"
    config = ViTConfig(
        hidden_size=48, num_hidden_layers=2, num_attention_heads=3, intermediate_size=96
    )
    ViTForImageClassification(config).save_pretrained(folder)
    ViTImageProcessorPil().save_pretrained(folder)
    return folder
