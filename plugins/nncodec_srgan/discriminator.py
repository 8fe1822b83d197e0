"""The discriminator: it judges how real a picture looks."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn

SMALLEST_EDGE = 32
"""Smallest edge in training, pixels: batch normalisation needs more than one value per map."""

_COLOURS = 3
_SLOPE = 0.2
_DOUBLINGS = 3
_CORRECTION_GAIN = 4.0  # corrections are a few levels, pictures a few hundred


class Judgement(NamedTuple):
    """The output of a discriminator.

    Args:
        verdicts: (N,), about 1 for a real picture and 0 for a generated one.
        features: the maps after each halving, for comparing two pictures.
    """

    verdicts: Tensor
    features: list[Tensor]


class Discriminator(nn.Module):
    """Strided convolutions with maps that double three times, averaged over the picture to one number.

    It sees a picture and its difference from the plain interpolation, so that it judges detail rather than subjects.
    Strided kernels are 4 pixels wide: with 3, every second pixel lies under more taps than its neighbours, which gives
    gradients a pattern of single pixels that a generator would adopt.

    Shapes: pixels and plain (N, 3, H, W) in 0..1, edges of at least `SMALLEST_EDGE` in training.

    Args:
        width: maps of the first layer; 64 is the paper's.

    References:
        Ledig et al., "Photo-realistic single image super-resolution using a generative adversarial network", CVPR
        2017, figure 4; with adaptive average pooling, so that any size will do.
        Isola et al., "Image-to-image translation with conditional adversarial networks", CVPR 2017, for the
        second input and the kernels of 4.
        Odena et al., "Deconvolution and checkerboard artifacts", Distill 2016, for the pattern in gradients.
        Mao et al., "Least squares generative adversarial networks", ICCV 2017, for the labels.
    """

    def __init__(self, width: int = 64) -> None:
        super().__init__()
        self.head = nn.Sequential(nn.Conv2d(2 * _COLOURS, width, 3, padding=1), nn.LeakyReLU(_SLOPE))
        self.stages = nn.ModuleList([_halving(width)])
        for _ in range(_DOUBLINGS):
            doubling = _normalised(nn.Conv2d(width, 2 * width, 3, padding=1, bias=False))
            width *= 2
            self.stages.append(nn.Sequential(doubling, _halving(width)))
        self.verdict = nn.Sequential(
            nn.AdaptiveAvgPool2d(1), nn.Conv2d(width, 2 * width, 1), nn.LeakyReLU(_SLOPE), nn.Conv2d(2 * width, 1, 1)
        )

    def forward(self, pixels: Tensor, plain: Tensor) -> Judgement:
        """Return how real each picture looks.

        Args:
            pixels: real or generated.
            plain: their low-resolution originals enlarged by plain interpolation, same shape.
        """
        maps = self.head(torch.cat([pixels - 0.5, _CORRECTION_GAIN * (pixels - plain)], dim=1))
        features = []
        for stage in self.stages:
            maps = stage(maps)
            features.append(maps)
        return Judgement(self.verdict(maps).flatten().float(), features)


def _halving(width: int) -> nn.Module:
    return _normalised(nn.Conv2d(width, width, 4, stride=2, padding=1, bias=False))


def _normalised(convolution: nn.Conv2d) -> nn.Module:
    return nn.Sequential(convolution, nn.BatchNorm2d(convolution.out_channels), nn.LeakyReLU(_SLOPE))
