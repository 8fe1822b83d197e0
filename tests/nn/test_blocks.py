"""The shared building blocks."""

from __future__ import annotations

import copy

import pytest
import torch
import torch.nn.functional as F

from nncodec.nn.blocks import DepthwiseBlock, DepthwiseBlocks, Padding
from nncodec.nn.dct import analysis_weights, detail_weights, merge_weights, synthesis_weights


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


@pytest.mark.parametrize("padding", ["zeros", "replicate"])
@pytest.mark.parametrize("size", [(1, 1), (2, 1), (2, 3000), (4, 3072), (70, 50), (71, 1000)])
def test_blocks_in_place_give_what_training_computes(size: tuple[int, int], padding: Padding) -> None:
    torch.manual_seed(0)
    blocks = DepthwiseBlocks(4, 2, padding)
    features = torch.randn(2, 4, *size)
    expected = blocks(features.clone())
    with torch.inference_mode():
        assert torch.allclose(blocks(features), expected, atol=1e-5)


def test_replicated_edges_keep_what_is_flat_flat() -> None:
    torch.manual_seed(0)
    flat = torch.randn(1, 4, 1, 1).expand(1, 4, 5, 7).contiguous()
    blocks = DepthwiseBlocks(4, 2, "replicate")
    result = blocks(flat)
    assert torch.allclose(result, result[..., :1, :1].expand_as(result), atol=1e-6)
    assert not torch.allclose(result, flat)


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


def test_detail_weights_are_the_bands_that_the_merge_leaves_out() -> None:
    pixels = torch.rand(1, 3, 16, 16)
    coefficients = F.conv2d(F.pixel_unshuffle(pixels, 8), analysis_weights())
    bands = F.conv2d(coefficients, merge_weights(768), stride=2)
    detail = F.conv2d(F.pixel_unshuffle(pixels, 16), detail_weights(700, 68))
    assert torch.allclose(detail, bands[:, 700:], atol=1e-5)


def test_parameters_are_cast_again_once_they_change() -> None:
    blocks = DepthwiseBlocks(8, 1).requires_grad_(False)
    features = torch.randn(1, 8, 6, 5)

    def reduced(network: DepthwiseBlocks) -> torch.Tensor:
        with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16):
            return network(features.clone())

    before = reduced(blocks)
    assert torch.equal(reduced(blocks), before)
    with torch.no_grad():
        for parameter in blocks.parameters():
            parameter.mul_(2)
    assert not torch.equal(reduced(blocks), before)
    assert torch.equal(reduced(copy.deepcopy(blocks)), reduced(blocks))
    with torch.inference_mode():
        made_inside = DepthwiseBlocks(8, 1)
        made_inside.load_state_dict(blocks.state_dict(), assign=True)
        assert torch.equal(reduced(made_inside), reduced(blocks))
        made_inside.load_state_dict({name: value.clone() for name, value in blocks.state_dict().items()}, assign=True)
        assert torch.equal(reduced(made_inside), reduced(blocks))
