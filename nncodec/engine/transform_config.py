"""The shape of photo transforms; `nncodec.nn.transforms` builds them in torch, `nncodec.engine.photo` without."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Padding = Literal["zeros", "replicate"]

BLOCK = 8
STRIDE = 2 * BLOCK
LEAK = 0.1


@dataclass(frozen=True)
class TransformConfig:
    """Shape and rates of photo transforms.

    Args:
        latent_channels: channels at 1/16 resolution, 1..768, detail channels included.
        fine_blocks: residual blocks at 1/8 resolution, each side.
        coarse_blocks: residual blocks at 1/16 resolution, each side.
        lambda_low: distortion weight at quality 0 (mean squared error on 0..255 against bits per pixel).
        lambda_high: distortion weight at quality 100.
        anchors: number of qualities, evenly spaced over 0..100, that have gains of their own.
        detail_channels: the last of the latent channels: a linear transform of what the others leave out, for high
            qualities only.
        detail_quality: the lowest quality with detail channels; below, they are 0.
        deblocking: whether a filter hides where blocks meet; see `nncodec.nn.deblocking`.
        padding: what blocks see outside the image; see `nncodec.nn.blocks.DepthwiseBlock`.
    """

    latent_channels: int = 192
    fine_blocks: int = 3
    coarse_blocks: int = 2
    lambda_low: float = 0.0012
    lambda_high: float = 0.25
    anchors: int = 8
    detail_channels: int = 0
    detail_quality: int = 0
    deblocking: bool = False
    padding: Padding = "zeros"

    @property
    def coarse_channels(self) -> int:
        """Latent channels that pass through the coarse blocks, the first ones."""
        return self.latent_channels - self.detail_channels

    @property
    def halo(self) -> int:
        """Pixels beyond a tile that its result depends on, rounded up to whole latents.

        Every block adds one position, at 1/8 or 1/16 resolution, and the filter of pixels less than one at 1/8; strided
        layers add none.
        """
        return STRIDE * (self.coarse_blocks + -(-(self.fine_blocks + self.deblocking) // 2))
