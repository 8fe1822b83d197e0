"""Losses as functions of (restored, original), both (N, C, H, W) in 0..1; each returns a scalar tensor."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import torch
import torch.nn.functional as F
from torch import Tensor

Loss = Callable[[Tensor, Tensor], Tensor]

_SSIM_WINDOW = 11
_SSIM_SIGMA = 1.5
_SSIM_K1, _SSIM_K2 = 0.01, 0.03


def mse(restored: Tensor, original: Tensor) -> Tensor:
    """Return the mean squared error."""
    return F.mse_loss(restored, original)


def bce(restored: Tensor, original: Tensor) -> Tensor:
    """Return the binary cross-entropy in nats a value, pixels read as probabilities; `restored` must lie in 0..1."""
    return F.binary_cross_entropy(restored, original)


def dissimilarity(restored: Tensor, original: Tensor) -> Tensor:
    """Return 1 - SSIM, averaged over pictures, channels and positions.

    Gaussian window of 11 x 11, sigma 1.5, K1 0.01, K2 0.03, dynamic range 1, no padding; pictures must be at least
    11 x 11.

    References:
        Wang et al., "Image quality assessment: from error visibility to structural similarity", 2004.
    """
    if min(original.shape[2:]) < _SSIM_WINDOW:
        raise ValueError(f"SSIM needs pictures of at least {_SSIM_WINDOW} x {_SSIM_WINDOW}")
    mean_x, mean_y = _blur(restored), _blur(original)
    variance_x = _blur(restored * restored) - mean_x.square()
    variance_y = _blur(original * original) - mean_y.square()
    covariance = _blur(restored * original) - mean_x * mean_y
    c1, c2 = _SSIM_K1**2, _SSIM_K2**2
    luminance = (2 * mean_x * mean_y + c1) / (mean_x.square() + mean_y.square() + c1)
    structure = (2 * covariance + c2) / (variance_x + variance_y + c2)
    return 1 - (luminance * structure).mean()


LOSSES: Final[dict[str, Loss]] = {"mse": mse, "bce": bce, "ssim": dissimilarity}
"""Loss functions by the name a config uses."""


def loss_by_name(name: str) -> Loss:
    """Return a loss; raises ValueError, naming those there are."""
    if name not in LOSSES:
        raise ValueError(f"there is no loss {name!r}; there are {', '.join(LOSSES)}")
    return LOSSES[name]


def _blur(values: Tensor) -> Tensor:
    position = torch.arange(_SSIM_WINDOW, device=values.device, dtype=values.dtype) - _SSIM_WINDOW // 2
    line = torch.exp(-position.square() / (2 * _SSIM_SIGMA**2))
    line = line / line.sum()
    channels = values.shape[1]
    vertical = line[:, None].expand(channels, 1, -1, 1)
    horizontal = line[None, :].expand(channels, 1, 1, -1)
    return F.conv2d(F.conv2d(values, vertical, groups=channels), horizontal, groups=channels)
