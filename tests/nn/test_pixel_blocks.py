"""Convolutions between features and blocks of pixels."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from nncodec.nn.pixel_blocks import convolved_blocks, pixels_of_blocks

# One strip, many strips whose last is smaller, and rows that are a strip each.
SIZES = [(3, 8, (16, 40)), (3, 16, (48, 16)), (1, 2, (2, 2)), (1, 2, (206, 100)), (1, 1, (3, 4000))]


@pytest.mark.parametrize("memory_format", [torch.contiguous_format, torch.channels_last])
@pytest.mark.parametrize(("planes", "edge", "size"), SIZES)
@pytest.mark.parametrize("trained", [False, True])
def test_blocks_are_those_of_unshuffled_and_shuffled_pixels(
    planes: int, edge: int, size: tuple[int, int], memory_format: torch.memory_format, trained: bool
) -> None:
    torch.manual_seed(0)
    inner, outer = nn.Conv2d(planes * edge * edge, 5, 1), nn.Conv2d(5, planes * edge * edge, 1)
    pixels = torch.randn(2, planes, *size).contiguous(memory_format=memory_format)
    with torch.set_grad_enabled(trained):
        features = convolved_blocks(inner, pixels, edge, -0.5)
        assert torch.allclose(features, inner(F.pixel_unshuffle(pixels - 0.5, edge)), atol=1e-5)
        features = features.contiguous(memory_format=memory_format)
        restored = pixels_of_blocks(outer, features, edge, 0.5)
        assert torch.allclose(restored, F.pixel_shuffle(outer(features), edge) + 0.5, atol=1e-5)
        assert restored.is_contiguous(memory_format=torch.channels_last) or planes == 1


def test_gradients_reach_the_weights() -> None:
    inner, outer = nn.Conv2d(12, 5, 1), nn.Conv2d(5, 12, 1)
    pixels_of_blocks(outer, convolved_blocks(inner, torch.ones(1, 3, 4, 6), 2), 2).square().sum().backward()
    assert all(layer.weight.grad is not None and layer.weight.grad.any() for layer in (inner, outer))
