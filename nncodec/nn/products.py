"""Products of matrices, and 1 x 1 convolutions, by the faster of torch's two libraries.

torch hands products in float32 to MKL, which leaves AVX-512 unused on processors of other makers, and convolutions of
one picture by one thread as well. oneDNN, to which it hands all other convolutions, uses it and takes half the time
there, and four fifths with AVX2. Here oneDNN is named: by the operators that `torch.compile` calls, which have no other
name. It also applies a leaky ReLU before it stores a result.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from nncodec.nn.precision import is_bfloat16_fast

# oneDNN compiles a kernel for each shape, and a call takes longer: with fewer multiplications it is no faster.
_FEWEST_MULTIPLICATIONS = 1 << 21


def addmm(sums: Tensor, first: Tensor, second: Tensor) -> Tensor:
    """Return sums + first @ second as `torch.addmm`.

    Args:
        sums: what broadcasts to the result, (n, outputs).
        first: (n, inputs).
        second: (inputs, outputs).
    """
    is_large = len(first) * second.numel() >= _FEWEST_MULTIPLICATIONS
    if not is_large or first.dtype != torch.float32 or not _takes_onednn(first):
        return torch.addmm(sums, first, second)
    is_bias = sums.dim() == 1
    products: Tensor = torch.ops.mkldnn._linear_pointwise(first, second.t(), sums if is_bias else None, "none", [], "")
    return products if is_bias else products.add_(sums)


def convolved(features: Tensor, weight: Tensor, bias: Tensor, leak: float = 1.0) -> Tensor:
    """Return a 1 x 1 convolution, with negative values times `leak`.

    Args:
        features: (N, inputs, H, W), float32, or bfloat16 where the processor multiplies it.
        weight, bias: of the layer, in the same type.
        leak: slope of the leaky ReLU that follows; 1 for none.
    """
    is_large = features.numel() * len(weight) >= _FEWEST_MULTIPLICATIONS
    # In bfloat16 a leaky ReLU of sums is another one than that of rounded sums, and pixels must not depend on the size
    # of a batch.
    is_wanted = is_large if features.dtype == torch.float32 else is_bfloat16_fast()
    if not is_wanted or not _takes_onednn(features):
        sums = F.conv2d(features, weight, bias)
        return sums if leak == 1 else F.leaky_relu(sums, leak)
    after = ("none", []) if leak == 1 else ("leaky_relu", [leak])
    result: Tensor = torch.ops.mkldnn._convolution_pointwise(
        features, weight, bias, [0, 0], [1, 1], [1, 1], 1, *after, ""
    )
    return result


def _takes_onednn(factor: Tensor) -> bool:
    """Return whether oneDNN may multiply it now: on a processor, without gradients, unless it is switched off."""
    is_on = factor.device.type == "cpu" and not torch.is_grad_enabled() and bool(torch.backends.mkldnn.enabled)
    return is_on and hasattr(torch.ops.mkldnn, "_linear_pointwise")
