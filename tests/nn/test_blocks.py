"""The shared building blocks."""

from __future__ import annotations

import pytest
import torch

from nncodec.nn.blocks import DepthwiseBlock, DepthwiseBlocks, by_strips
from nncodec.nn.dct import analysis_weights, merge_weights, synthesis_weights


def test_a_block_keeps_the_shape_and_starts_near_the_identity() -> None:
    torch.manual_seed(0)
    features = torch.randn(2, 16, 9, 7)
    changed = DepthwiseBlock(16)(features)
    assert changed.shape == features.shape
    assert 0 < (changed - features).std() < 0.2


def test_a_block_depends_on_its_direct_neighbours_only() -> None:
    torch.manual_seed(0)
    block = DepthwiseBlock(4)
    features = torch.zeros(1, 4, 9, 9)
    touched = features.clone()
    touched[0, :, 4, 4] = 1
    reach = (block(touched) - block(features)).abs().sum(dim=(0, 1)) > 1e-9
    rows, columns = reach.nonzero(as_tuple=True)
    assert (rows.min(), rows.max(), columns.min(), columns.max()) == (3, 5, 3, 5)


@pytest.mark.parametrize("size", [(1, 1), (2, 1), (2, 3000), (4, 3072), (70, 50), (71, 1000)])
def test_blocks_in_place_give_what_training_computes(size: tuple[int, int]) -> None:
    torch.manual_seed(0)
    blocks = DepthwiseBlocks(4, 2)
    features = torch.randn(2, 4, *size)
    expected = blocks(features.clone())
    with torch.inference_mode():
        assert torch.allclose(blocks(features), expected, atol=1e-5)


@pytest.mark.parametrize("height", [2, 4, 6, 14, 16])
def test_strips_put_together_equal_the_whole(height: int) -> None:
    values = torch.arange(3.0 * height * 5).reshape(1, 3, height, 5)
    for layer in (torch.nn.Upsample(scale_factor=2), torch.nn.MaxPool2d(2)):
        assert torch.equal(by_strips(layer, values, 4), layer(values))


def test_no_blocks_change_nothing() -> None:
    features = torch.randn(1, 4, 3, 3)
    assert torch.equal(DepthwiseBlocks(4, 0)(features), features)


def test_the_dct_start_is_orthonormal_and_its_inverse_is_exact() -> None:
    forward = analysis_weights()[:, :, 0, 0]
    backward = synthesis_weights()[:, :, 0, 0]
    assert torch.allclose(backward @ forward, torch.eye(192), atol=1e-5)
    assert torch.allclose(forward @ forward.T, torch.eye(192), atol=1e-5)


def test_the_first_dct_channel_is_the_mean_of_luma() -> None:
    first = analysis_weights()[0, :, 0, 0]
    assert torch.allclose(first, torch.full((192,), 192**-0.5), atol=1e-6)


def test_the_merge_keeps_orthonormal_bands_and_all_when_asked_for_all() -> None:
    weights = merge_weights(768).reshape(768, -1)
    assert torch.allclose(weights @ weights.T, torch.eye(768), atol=1e-5)
    kept = merge_weights(100).reshape(100, -1)
    assert torch.allclose(kept, weights[:100])
