"""A deblocking filter across the lines where blocks of 16 x 16 pixels meet."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from nncodec.engine.transform_config import STRIDE
from nncodec.nn.interpolation import interpolate
from nncodec.nn.margins import Surrounded

# Pixels on each side of a line that the filter looks at.
_SEEN = 3


class Deblocking(nn.Module):
    """Shrinks steps across the edges of blocks that the slopes beside them do not explain.

    At low rates each block of pixels that one latent stands for carries an error of its own, which shows as a grid. The
    pixels next to an edge move towards each other, by `strength` of the unexplained step at most; less where the pixels
    beside the edge differ more than `tolerance`, because there the step may be part of the picture.

    Args:
        anchors: number of qualities, evenly spaced over 0..100, with a strength and a tolerance (in 0..1) of their own.

    References:
        List et al., "Adaptive deblocking filter", IEEE Transactions on Circuits and Systems for Video Technology, 2003.
    """

    def __init__(self, anchors: int) -> None:
        super().__init__()
        # About what shrinks the squared error of photographs most, measured at qualities 0 to 70 of `hyperprior/photo`.
        self.strength = nn.Parameter(torch.tensor([0.35] * anchors))
        self.tolerance = nn.Parameter(
            torch.tensor([10 ** (-1.1 - 1.5 * anchor / (anchors - 1)) for anchor in range(anchors)])
        )

    def forward(self, tile: Surrounded, quality: Tensor) -> Surrounded:
        """Filter pixels (N, C, H, W) at qualities (N,); without gradients, in place."""
        strength, tolerance = (
            interpolate(table[:, None], quality)[:, :, None, None] for table in (self.strength, self.tolerance)
        )
        pixels = tile.features.clone() if torch.is_grad_enabled() else tile.features
        margins = tile.margins
        _filter_columns(pixels.transpose(2, 3), margins.top, margins.bottom, strength, tolerance.square())
        _filter_columns(pixels, margins.left, margins.right, strength, tolerance.square())
        return Surrounded(pixels, margins)


def _filter_columns(
    pixels: Tensor, margin_before: int, margin_after: int, strength: Tensor, squared_tolerance: Tensor
) -> None:
    """Filter across vertical lines, in place; one is at each margin's end, none at the edge of the image."""
    first, last = margin_before or STRIDE, pixels.shape[3] - (margin_after or STRIDE)
    if first > last:
        return
    columns = [slice(first + offset, last + offset + 1, STRIDE) for offset in range(-_SEEN, _SEEN)]
    p2, p1, p0, q0, q1, q2 = (pixels[..., column] for column in columns)
    left, right = p0 - p1, q1 - q0
    activity = (left.abs() + right.abs() + (p1 - p2).abs() + (q2 - q1).abs()) / 4
    unexplained = q0 - p0 - (left + right) / 2
    # The small number keeps a tolerance of 0 from dividing by 0.
    moved = unexplained * (strength * squared_tolerance / (squared_tolerance + activity.square() + 1e-12))
    # These views are new, because gradients refuse views from before a change.
    pixels[..., columns[_SEEN - 1]] += moved
    pixels[..., columns[_SEEN]] -= moved
