"""Differentiable substitutes for rounding, and a bounded quantizer."""

from __future__ import annotations

import math
from typing import cast

import torch
from torch import Tensor, nn

from nncodec.engine.autoencoder import check_levels


def round_straight_through(values: Tensor) -> Tensor:
    """Round to the nearest integer; the gradient is that of the identity."""
    return values + (torch.round(values) - values).detach()


def add_uniform_noise(values: Tensor, generator: torch.Generator | None = None) -> Tensor:
    """Add noise uniform in [-1/2, 1/2): the rate surrogate of Ballé et al., ICLR 2017, section 3."""
    noise = torch.rand(values.shape, generator=generator, device=values.device, dtype=values.dtype)
    return values + noise - 0.5


def lower_bound(values: Tensor, bound: float) -> Tensor:
    """Return max(values, bound); gradients that would raise a value below the bound still pass."""
    return cast(Tensor, _LowerBound.apply(values, bound))  # type: ignore[no-untyped-call]


class _LowerBound(torch.autograd.Function):
    @staticmethod
    def forward(ctx: torch.autograd.function.FunctionCtx, values: Tensor, bound: float) -> Tensor:
        ctx.save_for_backward(values)
        ctx.bound = bound  # type: ignore[attr-defined]
        return values.clamp(min=bound)

    @staticmethod
    def backward(ctx: torch.autograd.function.FunctionCtx, *grads: Tensor) -> tuple[Tensor, None]:
        (values,) = ctx.saved_tensors  # type: ignore[attr-defined]
        (grad,) = grads
        passes = (values >= ctx.bound) | (grad < 0)  # type: ignore[attr-defined]
        return grad * passes, None


class BoundedQuantizer(nn.Module):
    """Bounds codes to 0 and above (a ReLU) and below a learned limit, and quantizes them to whole levels.

    A plain ReLU or clamp has no gradient outside its range: a code that leaves the range in early training stays
    outside, and a third of them did. Here the gradient passes wherever it leads back inside.

    Args:
        channels: channels of the codes, (N, channels, H, W).
        levels: number of symbols, 2..256.
    """

    def __init__(self, channels: int, levels: int) -> None:
        super().__init__()
        check_levels(levels)
        self.levels = levels
        self.log_scale = nn.Parameter(torch.full((channels,), math.log(levels / 4)))

    def symbols(self, codes: Tensor) -> Tensor:
        """Return codes as levels 0..levels-1, not yet rounded."""
        scaled = codes * torch.exp(self.log_scale)[:, None, None]
        top = self.levels - 1
        return top - lower_bound(top - lower_bound(scaled, 0.0), 0.0)

    def codes(self, symbols: Tensor) -> Tensor:
        """Return the decoder's input for (rounded) levels."""
        return symbols * torch.exp(-self.log_scale)[:, None, None]

    def forward(self, codes: Tensor, *, rounded: bool = True) -> Tensor:
        """Bound codes and, if `rounded`, round them to levels; gradients pass the rounding."""
        symbols = self.symbols(codes)
        return self.codes(round_straight_through(symbols) if rounded else symbols)
