"""The fully convolutional network for pictures of any size: photo transforms with a factorised prior."""

from __future__ import annotations

from nncodec.nn.prior import LogisticMixturePrior
from nncodec.nn.transforms import STRIDE, PhotoTransforms, TransformConfig

PhotoConfig = TransformConfig


class PhotoNetwork(PhotoTransforms):
    """The transforms and, for training, one learned density per latent channel."""

    def __init__(self, config: PhotoConfig) -> None:
        super().__init__(config)
        self.prior = LogisticMixturePrior(config.latent_channels)


__all__ = ["STRIDE", "PhotoConfig", "PhotoNetwork"]
