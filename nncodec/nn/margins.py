"""Tiles with margins, of which layers leave out what later layers do not see."""

from __future__ import annotations

from typing import NamedTuple

from torch import Tensor

from nncodec.plugin.codec import Margins

NO_MARGINS = Margins(0, 0, 0, 0)


class Surrounded(NamedTuple):
    """Features of a tile and of its surroundings.

    Args:
        features: (N, C, H, W).
        margins: how many positions they extend beyond the tile.
    """

    features: Tensor
    margins: Margins = NO_MARGINS

    def trimmed(self, most: int) -> Surrounded:
        """Return a view of the features with margins of at most so many positions."""
        kept = Margins(*(min(margin, most) for margin in self.margins))
        left_out = Margins(*(margin - own for margin, own in zip(self.margins, kept, strict=True)))
        return Surrounded(self.features[:, :, *left_out.inside], kept)

    def enlarged(self, features: Tensor, factor: int) -> Surrounded:
        """Return features of the same area at so many times the resolution."""
        return Surrounded(features, Margins(*(factor * margin for margin in self.margins)))


def in_positions(margins: Margins, stride: int) -> Margins:
    """Return margins in pixels as numbers of positions."""
    return Margins(*(margin // stride for margin in margins))
