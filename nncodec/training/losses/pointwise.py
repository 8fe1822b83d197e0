"""Losses of one sample at a time."""

from __future__ import annotations

from collections.abc import Callable

import torch.nn.functional as F
from torch import Tensor

Loss = Callable[[Tensor, Tensor], Tensor]
"""A function of (restored, original), both (N, C, H, W) in 0..1, that returns a scalar tensor."""


def mse(restored: Tensor, original: Tensor) -> Tensor:
    """Return the mean squared error."""
    return F.mse_loss(restored, original)


def l1(restored: Tensor, original: Tensor) -> Tensor:
    """Return the mean absolute error."""
    return F.l1_loss(restored, original)


def bce(restored: Tensor, original: Tensor) -> Tensor:
    """Return the binary cross-entropy in nats a value, pixels read as probabilities; `restored` must lie in 0..1."""
    return F.binary_cross_entropy(restored, original)
