"""The transforms of the photo models."""

from __future__ import annotations

import pytest
import torch

from nncodec.nn import transforms
from nncodec.nn.blocks import DepthwiseBlock
from nncodec.plugin import Margins


def test_no_start_is_computed_where_weights_are_loaded_next(monkeypatch: pytest.MonkeyPatch) -> None:
    config = transforms.TransformConfig(8, fine_blocks=1, coarse_blocks=1, detail_channels=2)
    computed = transforms.PhotoTransforms(config).detail_out.weight
    torch.testing.assert_close(computed[:, :, 0, 0].T @ computed[:, :, 0, 0], torch.eye(2))
    monkeypatch.setattr(transforms, "detail_weights", None)
    with torch.device("meta"):
        assert transforms.PhotoTransforms(config).detail_out.weight.shape == computed.shape


@pytest.mark.parametrize("deblocking", [False, True])
@pytest.mark.parametrize("fine_blocks", [2, 3])
@pytest.mark.parametrize("margins", [Margins(64, 64, 64, 64), Margins(16, 0, 80, 0)])
def test_a_tile_is_synthesized_without_its_margins(
    fine_blocks: int, margins: Margins, deblocking: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    torch.manual_seed(0)
    config = transforms.TransformConfig(
        8, fine_blocks, coarse_blocks=2, detail_channels=2, deblocking=deblocking, padding="replicate"
    )
    network = transforms.PhotoTransforms(config)
    latents, quality = 9 * torch.randn(1, 8, 11, 12), torch.tensor([20.0])
    sizes = []
    update = DepthwiseBlock.update

    def recorded(block: DepthwiseBlock, features: torch.Tensor) -> None:
        sizes.append(tuple(features.shape[2:]))
        update(block, features)

    monkeypatch.setattr(DepthwiseBlock, "update", recorded)
    with torch.inference_mode():
        rows, columns = margins.inside
        whole = network.synthesis(latents, quality)[:, :, rows, columns]
        sizes.clear()
        torch.testing.assert_close(network.synthesis(latents, quality, margins), whole, atol=1e-5, rtol=0)
    # Beyond the tile, the filter sees one position of an eighth, the last block one more, and so on.
    tile = (2 * 11 - (margins.top + margins.bottom) // 8, 2 * 12 - (margins.left + margins.right) // 8)
    for number, size in enumerate(reversed(sizes[2:])):
        seen = [min(margin // 8, number + 1 + deblocking) for margin in margins]
        assert size == (tile[0] + seen[0] + seen[1], tile[1] + seen[2] + seen[3])
