"""Packing changes how long a product takes, not what it is."""

import pytest
import torch
from torch import nn

from workload.packed import pack_linear_layers, processor_has_bfloat16


@pytest.mark.parametrize("rows", [1, 197, 4000])
def test_packed_layers_give_the_same_bits(rows: int) -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(768, 3072), nn.GELU(), nn.Linear(3072, 768, bias=False))
    model = model.eval().to(torch.bfloat16)
    inputs = torch.randn(2, rows, 768, dtype=torch.bfloat16)
    with torch.inference_mode():
        plain = model(inputs)
        pack_linear_layers(model)
        assert torch.equal(model(inputs), plain)


def test_every_linear_layer_is_packed_where_the_processor_has_bfloat16() -> None:
    model = nn.Sequential(nn.Linear(8, 8), nn.Sequential(nn.Linear(8, 8))).to(torch.bfloat16)
    pack_linear_layers(model)
    left = [layer for layer in model.modules() if isinstance(layer, nn.Linear)]
    assert len(left) == (0 if processor_has_bfloat16() else 2)
