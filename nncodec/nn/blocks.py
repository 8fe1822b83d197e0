"""Residual blocks that are cheap on a CPU."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

LEAK = 0.1
# Positions of a strip. Measured at 192 channels: with half as many the layers take longer to start than they gain, and
# whole pictures spend their time on getting memory.
_STRIP_POSITIONS = 3072


class DepthwiseBlock(nn.Module):
    """A residual block whose multiplications are nearly all 1 x 1 convolutions.

    Spatial mixing (1 x 1, depthwise 3 x 3, 1 x 1) and then a feed-forward part (1 x 1, 1 x 1), each with a skip.
    Both branches start near zero, so a fresh network is the identity plus a little and keeps whatever transform
    it was initialised with. No GDN and no normalisation: both are slow on a CPU.

    Args:
        width: channels in and out.
        expansion: feed-forward channels per channel.
        branch_gain: factor on the initial weights that close each branch.

    References:
        Jia et al., "Towards Practical Real-Time Neural Video Compression", 2025, section 3 (DCVC-RT).
    """

    def __init__(self, width: int, expansion: int = 2, branch_gain: float = 0.1) -> None:
        super().__init__()
        self.mix_in = nn.Conv2d(width, width, 1)
        self.mix_depthwise = nn.Conv2d(width, width, 3, padding=1, groups=width)
        self.mix_out = nn.Conv2d(width, width, 1)
        self.feed_in = nn.Conv2d(width, width * expansion, 1)
        self.feed_out = nn.Conv2d(width * expansion, width, 1)
        for closing in (self.mix_out, self.feed_out):
            nn.init.zeros_(_bias(closing))
            closing.weight.data.mul_(branch_gain)

    def forward(self, features: Tensor) -> Tensor:
        """Map features to features of the same shape (N, width, H, W)."""
        if not torch.is_grad_enabled():
            return self._by_strips(features)
        mixed = self.mix_depthwise(F.leaky_relu(self.mix_in(features), LEAK))
        features = features + self.mix_out(mixed)
        fed: Tensor = self.feed_out(F.leaky_relu(self.feed_in(features), LEAK))
        return features + fed

    def _by_strips(self, features: Tensor) -> Tensor:
        """Do the same a few rows at a time: what lies between layers then fits in a cache."""
        height, width = features.shape[2:]
        rows = max(1, _STRIP_POSITIONS // width)
        result = torch.empty_like(features)
        for top in range(0, height, rows):
            bottom = min(top + rows, height)
            above, below = min(top, 1), min(height - bottom, 1)  # rows beside the strip that the 3 x 3 layer sees
            mixed = F.leaky_relu_(self.mix_in(features[:, :, top - above : bottom + below]), LEAK)
            mixed = F.pad(mixed, (0, 0, 1 - above, 1 - below))
            depthwise = self.mix_depthwise
            mixed = F.conv2d(mixed, depthwise.weight, depthwise.bias, padding=(0, 1), groups=depthwise.groups)
            strip = features[:, :, top:bottom] + self.mix_out(mixed)
            fed = F.leaky_relu_(self.feed_in(strip), LEAK)
            torch.add(strip, self.feed_out(fed), out=result[:, :, top:bottom])
        return result


def _bias(layer: nn.Conv2d) -> Tensor:
    assert layer.bias is not None
    return layer.bias
