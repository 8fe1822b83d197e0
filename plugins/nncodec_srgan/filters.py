"""Filters of pixels that are mixed anew at every place."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn

from nncodec_srgan import structure
from nncodec_srgan.cosines import pixels_of, planes_of

KERNEL = 11
"""Edge of the filters, pixels."""

_HIDDEN = 64
_CORRECTION_SCALE = 0.1


class ChosenFilters(nn.Module):
    """A bank of filters over the whole picture, and for every place the shares of each in a correction.

    What smooths along an edge, or sharpens it, is a product of the picture and of where it is used: a network of
    convolutions has to build such products of many layers, and here they are. The shares are what the local structure
    says and what the features add, zero at first; between the squares that features stand for they are interpolated.

    Args:
        width: maps of the features.
        count: how many filters.

    References:
        Romano et al., IEEE TCI 2017 (see `structure`), where the shares are a table.
        Jia et al., "Dynamic filter networks", NeurIPS 2016.
    """

    def __init__(self, width: int, count: int) -> None:
        super().__init__()
        self.bank = nn.Conv2d(3, count, KERNEL, padding="same", padding_mode="replicate", bias=False)
        last = nn.Conv2d(_HIDDEN, count, 1)
        self.by_structure = nn.Sequential(
            nn.Conv2d(structure.CHANNELS, _HIDDEN, 1),
            nn.GELU(),
            nn.Conv2d(_HIDDEN, _HIDDEN, 1),
            nn.GELU(),
            last,
        )
        self.by_features = nn.Conv2d(width, count, 3, padding="same")
        self.mix = nn.Conv2d(count, 3, 1, bias=False)
        for parameter in (*last.parameters(), *self.by_features.parameters()):
            nn.init.zeros_(parameter)

    def forward(self, pixels: Tensor, features: Tensor, structures: Tensor) -> Tensor:
        """Return a correction of pixels (N, 3, H, W) around 0.

        Args:
            pixels: as they are.
            features: (N, width, h, w), one for each square of pixels.
            structures: (N, structure.CHANNELS, h, w), see `structure_of`.
        """
        filtered = self.bank(planes_of(pixels))
        shares = (self.by_structure(structures) + self.by_features(features)).float()
        shares = F.interpolate(shares, size=filtered.shape[2:], mode="bilinear")
        return pixels_of(self.mix(filtered * shares).float() * _CORRECTION_SCALE)
