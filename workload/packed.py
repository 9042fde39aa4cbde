"""Linear layers whose bfloat16 weights are laid out once, not again in every call.  CPU only.

A processor with bfloat16 instructions multiplies weights in an order of its own.  Torch's
``nn.Linear`` brings them into that order in each call; oneDNN can do so beforehand, as torch's own
compiler has it done (``torch/_inductor/mkldnn_lowerings.py``).  The products are the same, bit by
bit.
"""

from typing import Any

import torch
from torch import nn
from typing_extensions import override

_ONEDNN = torch.ops.mkldnn
_ROWS = 2048
"""About how many rows (images × patches) a call has; oneDNN chooses the order for it."""


def processor_has_bfloat16() -> bool:
    """Whether oneDNN multiplies bfloat16 with instructions made for it."""
    supported: bool = _ONEDNN._is_mkldnn_bf16_supported()  # noqa: SLF001 - has no public name
    return supported


def pack_linear_layers(model: nn.Module) -> None:
    """Pack every ``nn.Linear`` of a bfloat16 model in place, where the processor gains by it."""
    if not processor_has_bfloat16():
        return
    for parent in list(model.modules()):
        for name, layer in parent.named_children():
            if isinstance(layer, nn.Linear):
                setattr(parent, name, _PackedLinear(layer))


class _PackedLinear(nn.Module):
    """``nn.Linear`` for inference in bfloat16."""

    def __init__(self, layer: nn.Linear) -> None:
        super().__init__()
        weight = layer.weight.detach()  # (out, in) bfloat16
        self._weight: Any = _ONEDNN._reorder_linear_weight(weight, _ROWS)  # noqa: SLF001 - as above
        self._bias = layer.bias

    @override
    def forward(self, rows: torch.Tensor) -> torch.Tensor:
        """(…, in) bfloat16 to (…, out) bfloat16."""
        packed: torch.Tensor = _ONEDNN._linear_pointwise(  # noqa: SLF001 - as above
            rows, self._weight, self._bias, "none", [], "none"
        )
        return packed
