"""Squared error that counts the steps across the edges of blocks once more.

A codec that decodes blocks of 16 x 16 pixels apart leaves edges between them at low rates. They add little to the
squared error, and SSIMULACRA 2 and MS-SSIM hardly notice them, but people see the grid.
"""

from __future__ import annotations

from itertools import product

from torch import Tensor

_BLOCK = 16
# A step weighs 1 at the edges of blocks, and less in the middle between them, where blocks of 8 pixels meet.
_LINES = ((_BLOCK, 1.0), (_BLOCK // 2, 1 / 3))
_WEIGHT = 0.6


def step_error(restored: Tensor, original: Tensor) -> Tensor:
    """Return the squared error of the steps across the edges of blocks, (N,).

    It is the mean over all pixels beside horizontal edges, then over those beside vertical ones, averaged; images
    without an edge have none.

    Args:
        restored, original: (N, C, H, W), in any unit; blocks begin at the upper left corner.
    """
    error = restored - original
    total = error.new_zeros(len(error))
    for (first, weight), axis in product(_LINES, (2, 3)):
        steps = error.diff(dim=axis).movedim(axis, -1)[..., first - 1 :: _BLOCK]
        if steps.numel():
            total = total + weight / 2 * steps.square().mean(dim=(1, 2, 3))
    return total


def edge_aware_error(restored: Tensor, original: Tensor, share: Tensor | float = 1.0) -> Tensor:
    """Return the mean squared error of each image with a share of its `step_error`, weighted, (N,)."""
    squared = (restored - original).square().mean(dim=(1, 2, 3))
    return squared + share * _WEIGHT * step_error(restored, original)


def mse_edges(restored: Tensor, original: Tensor) -> Tensor:
    """Return the mean of `edge_aware_error`."""
    return edge_aware_error(restored, original).mean()
