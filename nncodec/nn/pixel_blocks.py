"""1 x 1 convolutions between features and square blocks of pixels, without the cost of `pixel_shuffle`.

The channels of a block are in the order of `nn.PixelUnshuffle`: plane, row, column. Images are channels last in memory,
so moving samples to that order and back takes as long as the multiplications. Here the weights are moved instead, to
the order row, column, plane, in which the samples of each row of a block lie side by side.

Without gradients, a few rows of blocks are done at a time: intermediate results then fit in a cache.
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor, nn

from nncodec.nn.products import addmm

# Blocks that are moved at once.
_BLOCKS_AT_ONCE = 1536


def convolved_blocks(layer: nn.Conv2d, pixels: Tensor, edge: int, offset: float = 0.0) -> Tensor:
    """Return `layer(F.pixel_unshuffle(pixels + offset, edge))`.

    Args:
        layer: 1 x 1, of planes x edge x edge channels.
        pixels: (N, planes, H, W), with H and W multiples of the edge.
        edge: of a block.
        offset: added to all samples.

    Returns:
        (N, C, H / edge, W / edge), channels last in memory.
    """
    count, planes, height, width = pixels.shape
    assert layer.bias is not None
    weight = layer.weight.view(-1, planes, edge, edge).permute(0, 2, 3, 1).flatten(1)
    bias = layer.bias + offset * weight.sum(1)
    rows = pixels.permute(0, 2, 3, 1).reshape(-1, edge, width // edge, edge * planes)  # of blocks

    def strip(part: slice) -> Tensor:
        return rows[part].transpose(1, 2).reshape(-1, weight.shape[1])

    if torch.is_grad_enabled():
        features = addmm(bias, strip(slice(None)), weight.t())
    else:
        features = pixels.new_empty(len(rows) * rows.shape[2], len(weight))
        for part, places in _strips(len(rows), rows.shape[2], pixels.device):
            features[places] = addmm(bias, strip(part), weight.t())
    return features.view(count, height // edge, width // edge, -1).permute(0, 3, 1, 2)


def pixels_of_blocks(layer: nn.Conv2d, features: Tensor, edge: int, offset: float = 0.0) -> Tensor:
    """Return `F.pixel_shuffle(layer(features), edge) + offset`.

    Args:
        layer: 1 x 1, to planes x edge x edge channels.
        features: (N, C, h, w).
        edge: of a block.
        offset: added to all samples.

    Returns:
        (N, planes, h edge, w edge), channels last in memory.
    """
    count, channels, height, width = features.shape
    assert layer.bias is not None
    weight = layer.weight.view(-1, edge, edge, channels).permute(1, 2, 0, 3).reshape(-1, channels)
    bias = layer.bias.view(-1, edge, edge).permute(1, 2, 0).flatten() + offset
    places = features.permute(0, 2, 3, 1).reshape(-1, channels)

    def strip(part: slice) -> Tensor:
        blocks = addmm(bias, places[part], weight.t())
        return blocks.view(-1, width, edge, len(weight) // edge).transpose(1, 2)

    if torch.is_grad_enabled():
        rows = strip(slice(None))
    else:
        rows = features.new_empty(count * height, edge, width, len(weight) // edge)
        for part, own in _strips(count * height, width, features.device):
            rows[part] = strip(own)
    return rows.reshape(count, height * edge, width * edge, -1).permute(0, 3, 1, 2)


def _strips(rows: int, columns: int, device: torch.device) -> Iterator[tuple[slice, slice]]:
    """Yield the rows of each strip, and their blocks; only processors need more than one strip."""
    at_once = max(1, _BLOCKS_AT_ONCE // columns) if device.type == "cpu" else rows
    for top in range(0, rows, at_once):
        bottom = min(top + at_once, rows)
        yield slice(top, bottom), slice(top * columns, bottom * columns)
