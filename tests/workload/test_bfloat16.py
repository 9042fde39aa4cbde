"""Packing changes the speed of matrix products; the results stay as exact as bfloat16 allows."""

from pathlib import Path

import pytest
import torch
from torch import nn
from transformers.models.vit.modeling_vit import ViTForImageClassification

from workload.bfloat16 import ATTENTION, pack, processor_has_bfloat16


@pytest.mark.parametrize("rows", [1, 197, 4000])
def test_packed_layers_give_the_same_bits(rows: int) -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(768, 3072), nn.ReLU(), nn.Linear(3072, 768, bias=False))
    model = model.eval().to(torch.bfloat16)
    inputs = torch.randn(2, rows, 768, dtype=torch.bfloat16)
    with torch.inference_mode():
        plain = model(inputs)
        pack(model)
        assert torch.equal(model(inputs), plain)


def test_every_linear_layer_is_packed_if_the_processor_has_bfloat16() -> None:
    model = nn.Sequential(nn.Linear(8, 8), nn.Sequential(nn.Linear(8, 8))).to(torch.bfloat16)
    pack(model)
    unpacked = [layer for layer in model.modules() if isinstance(layer, nn.Linear)]
    assert len(unpacked) == (0 if processor_has_bfloat16() else 2)


def test_the_packed_model_is_as_close_to_float32_as_the_plain_one(random_vit: Path) -> None:
    """The plain model in bfloat16 sets the limit: packing must not increase its error."""

    def model(dtype: torch.dtype, attention: str) -> ViTForImageClassification:
        loaded = ViTForImageClassification.from_pretrained(
            random_vit, dtype=dtype, attn_implementation=attention
        )
        return loaded.eval()

    def error(model: ViTForImageClassification, pixels: torch.Tensor) -> float:
        # Compare the whole last layer, because the few logits could agree by chance.
        states = model.vit(pixel_values=pixels).last_hidden_state
        return float((states - exact).square().mean().sqrt())

    torch.manual_seed(0)
    pixels = torch.randn(4, 3, 224, 224)
    packed = model(torch.bfloat16, ATTENTION)
    pack(packed)
    with torch.inference_mode():
        exact = model(torch.float32, "eager").vit(pixel_values=pixels).last_hidden_state
        halves = pixels.to(torch.bfloat16)
        plain_error = error(model(torch.bfloat16, "eager"), halves)
        assert error(packed, halves) < 1.05 * plain_error
    assert plain_error < 0.02 * exact.square().mean().sqrt()
