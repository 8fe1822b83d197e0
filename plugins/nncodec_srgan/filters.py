"""A bank of pixel filters with a different mix at every place."""

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
    """Filters the whole picture with a bank, and corrects every place by a mix of the results.

    Smoothing along an edge, or sharpening it, multiplies the picture by weights that depend on the place. Convolutions
    need many layers to build such products; here they are explicit. The shares of the mix come from local structure
    plus features, both zero at the start, and are interpolated between squares.

    Args:
        width: maps of the features.
        count: number of filters.

    References:
        Romano et al., IEEE TCI 2017 (see `structure`), where a table holds the shares.
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
            pixels: the picture, around 0.
            features: (N, width, h, w), one vector per square of pixels.
            structures: (N, structure.CHANNELS, h, w), see `structure_of`.
        """
        filtered = self.bank(planes_of(pixels))
        shares = (self.by_structure(structures) + self.by_features(features)).float()
        shares = F.interpolate(shares, size=filtered.shape[2:], mode="bilinear")
        return pixels_of(self.mix(filtered * shares).float() * _CORRECTION_SCALE)
