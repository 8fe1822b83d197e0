"""Differentiable stand-ins for rounding, used in training only."""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor


def round_straight_through(values: Tensor) -> Tensor:
    """Round to the nearest integer; the gradient passes as if nothing had happened."""
    return values + (torch.round(values) - values).detach()


def add_uniform_noise(values: Tensor, generator: torch.Generator | None = None) -> Tensor:
    """Add noise uniform in [-1/2, 1/2): the rate surrogate of Ballé et al., ICLR 2017, section 3."""
    noise = torch.rand(values.shape, generator=generator, device=values.device, dtype=values.dtype)
    return values + noise - 0.5


def lower_bound(values: Tensor, bound: float) -> Tensor:
    """Return max(values, bound), letting gradients through that would raise a value below the bound."""
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
