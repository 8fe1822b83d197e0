"""Losses of one sample at a time."""

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
    """Return the binary cross-entropy in nats a value, pixels read as probabilities; `restored` must lie in 0..1."""
    return F.binary_cross_entropy(restored, original)


def log_error(restored: Tensor, original: Tensor) -> Tensor:
    """Return the mean over pictures of the logarithm of each one's mean squared error, 0.001 added.

    That is nearly the mean PSNR with its sign turned: pictures count by ratios, be their errors large or small.
    The addition, an error of 30 dB, bounds what a crop can count that happens to be smooth: it is a part of a picture
    whose error lies elsewhere.

    References:
        L. Chen et al., "HINet: Half instance normalization network for image restoration", CVPR workshops 2021, for
        the logarithm ("PSNR loss").
    """
    per_picture = (restored - original).square().mean(dim=(1, 2, 3))
    return (per_picture + _ERROR_AT_30_DB).log().mean()
