"""Products of matrices by the faster of torch's two libraries.

torch hands products in float32 to MKL, which leaves AVX-512 unused on processors of other makers. oneDNN, to which it
hands convolutions, uses it and takes half the time there; elsewhere it is as fast.
"""

from __future__ import annotations

import torch
from torch import Tensor

# oneDNN compiles a kernel for each shape, and a call takes longer: with fewer multiplications it is no faster.
_FEWEST_MULTIPLICATIONS = 1 << 21


def addmm(sums: Tensor, first: Tensor, second: Tensor) -> Tensor:
    """Return sums + first @ second as `torch.addmm`, without gradients.

    Args:
        sums: what broadcasts to the result, (n, outputs).
        first: (n, inputs), rows one after another in memory.
        second: (inputs, outputs).
    """
    if not _is_for_onednn(first, second):
        return torch.addmm(sums, first, second)
    is_bias = sums.dim() == 1
    # What `torch.compile` calls for a linear layer; there is no other name for it.
    products: Tensor = torch.ops.mkldnn._linear_pointwise(first, second.t(), sums if is_bias else None, "none", [], "")
    return products if is_bias else products.add_(sums)


def _is_for_onednn(first: Tensor, second: Tensor) -> bool:
    if first.device.type != "cpu" or first.dtype != torch.float32 or torch.is_grad_enabled():
        return False
    if len(first) * second.numel() < _FEWEST_MULTIPLICATIONS or not torch.backends.mkldnn.enabled:
        return False
    return hasattr(torch.ops.mkldnn, "_linear_pointwise")
