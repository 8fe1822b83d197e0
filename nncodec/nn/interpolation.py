"""Values between those that are given for evenly spaced qualities."""

from __future__ import annotations

from torch import Tensor


def interpolate(table: Tensor, quality: Tensor) -> Tensor:
    """Interpolate rows of a (anchors, C) table linearly at qualities (N,) in 0..100; returns (N, C)."""
    position = quality / 100 * (len(table) - 1)
    below = position.floor().clamp(max=len(table) - 2).long()
    fraction = (position - below)[:, None]
    return table[below] * (1 - fraction) + table[below + 1] * fraction
