"""1 x 1 convolutions between features and square blocks of pixels, without the cost of `pixel_shuffle`.

The channels of a block are in the order of `nn.PixelUnshuffle`: plane, row, column. Images are channels last in memory,
so moving samples to that order and back takes as long as the multiplications. Here the weights are moved instead, to
the order row, column, plane, in which the samples of each row of a block lie side by side.
"""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn


def convolved_blocks(layer: nn.Conv2d, pixels: Tensor, edge: int) -> Tensor:
    """Return `layer(F.pixel_unshuffle(pixels, edge))`, (N, C, H/edge, W/edge) for pixels (N, planes, H, W)."""
    count, planes, height, width = pixels.shape
    rows, columns = height // edge, width // edge
    strips = pixels.permute(0, 2, 3, 1).reshape(count, rows, edge, columns, edge * planes)
    blocks = strips.transpose(2, 3).reshape(count, rows, columns, edge * edge * planes)
    weight = layer.weight.view(-1, planes, edge, edge).permute(0, 2, 3, 1).flatten(1)
    return F.linear(blocks, weight, layer.bias).permute(0, 3, 1, 2)


def pixels_of_blocks(layer: nn.Conv2d, features: Tensor, edge: int) -> Tensor:
    """Return `F.pixel_shuffle(layer(features), edge)`, (N, planes, h edge, w edge) for features (N, C, h, w)."""
    count, channels, rows, columns = features.shape
    assert layer.bias is not None
    weight = layer.weight.view(-1, edge, edge, channels).permute(1, 2, 0, 3).reshape(-1, channels)
    bias = layer.bias.view(-1, edge, edge).permute(1, 2, 0).flatten()
    blocks = F.linear(features.permute(0, 2, 3, 1), weight, bias).view(count, rows, columns, edge, -1)
    pixels = blocks.transpose(2, 3).reshape(count, rows * edge, columns * edge, -1)
    return pixels.permute(0, 3, 1, 2)
