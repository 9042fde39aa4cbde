"""A ViT in bfloat16 as a processor with instructions for it likes it.  CPU only.

Three things that transformers and torch do in each call, and that a program which serves such a
model for long would not:

- a processor multiplies bfloat16 weights in an order of its own, into which ``nn.Linear`` brings
  them each time; oneDNN can do so once, as torch's compiler has it done
  (``torch/_inductor/mkldnn_lowerings.py``);
- the activation reads and writes the largest of all tensors once more; oneDNN computes it on the
  products while they are in a register;
- attention is converted to float32 and back around the softmax, though torch's softmax of bfloat16
  adds up in float32 anyway.

The same mathematics, rounded at other places: logits differ in the last bits of bfloat16.
"""

from typing import Any

import torch
from torch import nn
from transformers import AttentionInterface
from transformers.models.vit.modeling_vit import ViTMLP
from typing_extensions import override

ATTENTION = "engine_compare_bfloat16"
"""``attn_implementation`` to load the model with."""

_ONEDNN = torch.ops.mkldnn
_ROWS = 2048
"""About how many rows (images × patches) a call has; oneDNN chooses the order for it."""


def processor_has_bfloat16() -> bool:
    """Whether oneDNN multiplies bfloat16 with instructions made for it."""
    supported: bool = _ONEDNN._is_mkldnn_bf16_supported()  # noqa: SLF001 - has no public name
    return supported


def pack(model: nn.Module) -> None:
    """Pack every ``nn.Linear`` in place, and a GELU into the layer before it, where that is of use.

    The model is in bfloat16, and for inference alone.
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
    """``nn.Linear`` and what follows it, for inference in bfloat16."""

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
    """Of an encoder of images: no mask, no dropout.  (B, heads, patches, width) each."""
    if attention_mask is not None:
        raise NotImplementedError("attention with a mask")
    batch, heads, patches, width = query.shape
    query, key, value = (x.reshape(batch * heads, patches, width) for x in (query, key, value))
    scores = torch.bmm(query, key.transpose(1, 2))  # (B·heads, patches, patches)
    scores.mul_(width**-0.5 if scaling is None else scaling)
    mixed = torch.bmm(torch.softmax(scores, dim=-1), value)  # (B·heads, patches, width)
    mixed = mixed.view(batch, heads, patches, width).transpose(1, 2)  # (B, patches, heads, width)
    return mixed.contiguous(), None


AttentionInterface.register(ATTENTION, _attention)
