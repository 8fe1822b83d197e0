"""Pixelwise losses."""

from __future__ import annotations

from collections.abc import Callable

import torch.nn.functional as F
from torch import Tensor

Loss = Callable[[Tensor, Tensor], Tensor]
"""A function of (restored, original), both (N, C, H, W) in 0..1, that returns a scalar tensor."""


_ERROR_AT_30_DB = 1e-3


def mse(restored: Tensor, original: Tensor) -> Tensor:
    """Return the mean squared error."""
    return F.mse_loss(restored, original)


def l1(restored: Tensor, original: Tensor) -> Tensor:
    """Return the mean absolute error."""
    return F.l1_loss(restored, original)


def bce(restored: Tensor, original: Tensor) -> Tensor:
    """Return the binary cross-entropy in nats per value, with pixels as probabilities; `restored` must lie in 0..1."""
    return F.binary_cross_entropy(restored, original)


def log_error(restored: Tensor, original: Tensor) -> Tensor:
    """Return the mean over images of log(mean squared error + 0.001).

    This is nearly the negative mean PSNR: images count by ratios, whether their errors are large or small. The added
    0.001, an error of 30 dB, limits the weight of crops that happen to be smooth.

    References:
        L. Chen et al., "HINet: Half instance normalization network for image restoration", CVPR workshops 2021, for
        the logarithm ("PSNR loss").
    """
    per_picture = (restored - original).square().mean(dim=(1, 2, 3))
    return (per_picture + _ERROR_AT_30_DB).log().mean()
