"""A ViT in bfloat16, optimized for processors with bfloat16 instructions.  CPU only.

It avoids three things that transformers and torch do in each call, and that a program which serves
such a model for a long time would not do:

- A processor multiplies bfloat16 weights in its own layout, and ``nn.Linear`` converts them to this
  layout each time.  oneDNN can convert them once, as torch's compiler makes it do
  (``torch/_inductor/mkldnn_lowerings.py``).
- The activation reads and writes the largest of all tensors once more.  oneDNN can compute it on
  the products while they are in a register.
- Attention is converted to float32 and back around the softmax, although torch's softmax of
  bfloat16 accumulates in float32 anyway.

The mathematics is the same, but values are rounded at other places: logits differ in the last bits
of bfloat16.
"""

from typing import Any

import torch
from torch import nn
from transformers import AttentionInterface
from transformers.models.vit.modeling_vit import ViTMLP
from typing_extensions import override

ATTENTION = "engine_compare_bfloat16"
"""Value of ``attn_implementation`` to load the model with."""

_ONEDNN = torch.ops.mkldnn
_ROWS = 2048
"""Approximate number of rows (images × patches) in a call; oneDNN chooses the layout for it."""


def processor_has_bfloat16() -> bool:
    """Whether oneDNN multiplies bfloat16 with dedicated processor instructions."""
    supported: bool = _ONEDNN._is_mkldnn_bf16_supported()  # noqa: SLF001 - has no public name
    return supported


def pack(model: nn.Module) -> None:
    """Pack every ``nn.Linear`` in place, and fuse a GELU into the layer before it.

    The model must be in bfloat16 and can then be used for inference only.  On a processor without
    bfloat16 instructions the model stays as it is, because packing would not help.
    """
    if not processor_has_bfloat16():
        return
    for parent in list(model.modules()):
        is_gelu = isinstance(parent, ViTMLP) and parent.config.hidden_act == "gelu"
        for name, layer in parent.named_children():
            if isinstance(layer, nn.Linear):
                fused = is_gelu and name == "fc1"
                setattr(parent, name, _PackedLinear(layer, "gelu" if fused else "none"))
        if is_gelu:
            parent.activation_fn = nn.Identity()


class _PackedLinear(nn.Module):
    """``nn.Linear`` and the activation that follows it, for inference in bfloat16."""

    def __init__(self, layer: nn.Linear, then: str) -> None:
        super().__init__()
        weight = layer.weight.detach()  # (out, in) bfloat16
        self._weight: Any = _ONEDNN._reorder_linear_weight(weight, _ROWS)  # noqa: SLF001 - as above
        self._bias = layer.bias
        self._then = then

    @override
    def forward(self, rows: torch.Tensor) -> torch.Tensor:
        """(…, in) bfloat16 to (…, out) bfloat16."""
        packed: torch.Tensor = _ONEDNN._linear_pointwise(  # noqa: SLF001 - as above
            rows, self._weight, self._bias, self._then, [], "none"
        )
        return packed


def _attention(
    _module: nn.Module,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: torch.Tensor | None,
    scaling: float | None = None,
    **_rest: object,
) -> tuple[torch.Tensor, None]:
    """Attention of an image encoder: no mask, no dropout.  Inputs: (B, heads, patches, width)."""
    if attention_mask is not None:
        raise NotImplementedError("attention with a mask is not supported")
    batch, heads, patches, width = query.shape
    query, key, value = (x.reshape(batch * heads, patches, width) for x in (query, key, value))
    scores = torch.bmm(query, key.transpose(1, 2))  # (B·heads, patches, patches)
    scores.mul_(width**-0.5 if scaling is None else scaling)
    mixed = torch.bmm(torch.softmax(scores, dim=-1), value)  # (B·heads, patches, width)
    mixed = mixed.view(batch, heads, patches, width).transpose(1, 2)  # (B, patches, heads, width)
    return mixed.contiguous(), None


AttentionInterface.register(ATTENTION, _attention)
