"""Losses of one sample at a time."""

from __future__ import annotations

from collections.abc import Callable

import torch.nn.functional as F
from torch import Tensor

Loss = Callable[[Tensor, Tensor], Tensor]
"""A function of (restored, original), both (N, C, H, W) in 0..1, that returns a scalar tensor."""


_ROUNDING_ERROR = 1 / (12 * 255**2)


def mse(restored: Tensor, original: Tensor) -> Tensor:
    """Return the mean squared error."""
    return F.mse_loss(restored, original)


def l1(restored: Tensor, original: Tensor) -> Tensor:
    """Return the mean absolute error."""
    return F.l1_loss(restored, original)


def bce(restored: Tensor, original: Tensor) -> Tensor:
    """Return the binary cross-entropy in nats a value, pixels read as probabilities; `restored` must lie in 0..1."""
    return F.binary_cross_entropy(restored, original)


def log_error(restored: Tensor, original: Tensor) -> Tensor:
    """Return the mean over pictures of the logarithm of each one's mean squared error.

    Its lowest value is the highest mean PSNR: every picture counts alike, whether its error is large or small. A square
    error below that of 8-bit rounding counts as that.

    References:
        L. Chen et al., "HINet: Half instance normalization network for image restoration", CVPR workshops 2021, which
        calls it PSNR loss.
    """
    per_picture = (restored - original).square().mean(dim=(1, 2, 3))
    return per_picture.clamp(min=_ROUNDING_ERROR).log().mean()
