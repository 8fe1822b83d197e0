"""Residual blocks that are cheap on a CPU."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from nncodec.engine.transform_config import LEAK, Padding
from nncodec.nn.margins import Surrounded
from nncodec.nn.products import convolved

# Positions in a strip, measured at 192 channels: with half as many the layers' overhead exceeds the gain, and without
# strips most time goes into allocating memory.
_STRIP_POSITIONS = 3072


class DepthwiseBlock(nn.Module):
    """A residual block whose multiplications are nearly all 1 x 1 convolutions.

    Spatial mixing (1 x 1, depthwise 3 x 3, 1 x 1) and then a feed-forward part (1 x 1, 1 x 1), each with a skip.
    Both branches start near zero, so a fresh network is nearly the identity and keeps the transform that it was
    initialised with. No GDN and no normalisation: both are slow on a CPU.

    Args:
        width: channels in and out.
        expansion: feed-forward channels per channel.
        branch_gain: factor on the initial weights that close each branch.
        padding: what lies outside the image: "zeros", or "replicate" for copies of the edge. Zeros make the outermost
            pixels of flat colours visibly wrong.

    References:
        Jia et al., "Towards Practical Real-Time Neural Video Compression", 2025, section 3 (DCVC-RT).
    """

    def __init__(self, width: int, expansion: int = 2, branch_gain: float = 0.1, padding: Padding = "zeros") -> None:
        super().__init__()
        self.mix_in = nn.Conv2d(width, width, 1)
        self.mix_depthwise = nn.Conv2d(width, width, 3, padding=1, groups=width, padding_mode=padding)
        self.mix_out = nn.Conv2d(width, width, 1)
        self.feed_in = nn.Conv2d(width, width * expansion, 1)
        self.feed_out = nn.Conv2d(width * expansion, width, 1)
        for closing in (self.mix_out, self.feed_out):
            nn.init.zeros_(_bias(closing))
            closing.weight.data.mul_(branch_gain)
        self._casts = _Casts()

    def forward(self, features: Tensor) -> Tensor:
        """Map features to features of the same shape (N, width, H, W)."""
        mixed = self.mix_depthwise(F.leaky_relu(self.mix_in(features), LEAK))
        features = features + self.mix_out(mixed)
        fed: Tensor = self.feed_out(F.leaky_relu(self.feed_in(features), LEAK))
        return features + fed

    def update(self, features: Tensor) -> None:
        """Do the same in place and without gradients, a few rows at a time.

        Intermediate results then fit in a cache, and an image needs no memory beside its features.
        """
        height, width = features.shape[2:]
        rows = max(1, _STRIP_POSITIONS // width) if features.device.type == "cpu" else height  # GPUs need no strips
        is_reduced = torch.is_autocast_enabled(features.device.type)
        kind = torch.get_autocast_dtype(features.device.type) if is_reduced else features.dtype
        mix_in, around, mix_out, feed_in, feed_out = (
            self._casts.parameters(layer, kind)
            for layer in (self.mix_in, self.mix_depthwise, self.mix_out, self.feed_in, self.feed_out)
        )
        padded = _PaddedStrip(self.mix_depthwise.padding_mode == "replicate")
        groups = self.mix_depthwise.groups
        for top in range(0, height, rows):
            strip = features[:, :, top : top + rows]
            # The row below sees this one as it was before its update, and the row above was seen before its own.
            seen = convolved(features[:, :, top : top + rows + 1].to(kind), *mix_in, LEAK)
            strip += convolved(F.conv2d(padded.around(seen, strip.shape[2]), *around, groups=groups), *mix_out)
            strip += convolved(convolved(strip.to(kind), *feed_in, LEAK), *feed_out)


class _PaddedStrip:
    """Surrounds the strips of an image, from top to bottom, with the rows and columns that a 3 x 3 layer sees.

    Args:
        replicate: what lies outside the image is copies of the edge, not zeros.
    """

    def __init__(self, replicate: bool) -> None:
        self._replicate = replicate
        self._above: Tensor | None = None

    def around(self, seen: Tensor, rows: int) -> Tensor:
        """Return the next strip with its surroundings, (N, C, rows + 2, W + 2), channels last in memory.

        Args:
            seen: the strip and the row below it, which the last strip lacks, (N, C, rows or rows + 1, W).
            rows: in the strip.
        """
        count, channels, _, width = seen.shape
        padded = seen.new_empty(count, rows + 2, width + 2, channels).permute(0, 3, 1, 2)
        inside = padded[..., 1:-1]
        inside[:, :, 1 : 1 + seen.shape[2]] = seen
        if self._above is not None:
            inside[:, :, :1] = self._above
        elif self._replicate:
            inside[:, :, :1] = seen[:, :, :1]
        else:
            inside[:, :, :1] = 0
        if seen.shape[2] == rows:
            inside[:, :, -1:] = seen[:, :, -1:] if self._replicate else 0
        for edge, nearest in ((0, 1), (-1, -2)):
            padded[..., edge] = padded[..., nearest] if self._replicate else 0
        self._above = seen[:, :, rows - 1 : rows].clone()
        return padded


class _Casts:
    """Parameters in the type that autocast computes with, cast once for as long as they stay as they are."""

    def __init__(self) -> None:
        self._held: dict[nn.Conv2d, tuple[tuple[Any, ...], tuple[Tensor, Tensor]]] = {}

    def parameters(self, layer: nn.Conv2d, kind: torch.dtype) -> tuple[Tensor, Tensor]:
        """Return the weight and the bias of a layer in a type."""
        own = layer.weight, _bias(layer)
        if own[0].dtype == kind:
            return own
        if any(tensor.is_inference() for tensor in own):  # these do not count their changes
            return own[0].to(kind), own[1].to(kind)
        state = (kind, *((id(tensor), tensor._version) for tensor in own))
        held = self._held.get(layer)
        if held is None or held[0] != state:
            with torch.inference_mode(False), torch.no_grad():
                held = self._held[layer] = state, (own[0].to(kind), own[1].to(kind))
        return held[1]

    def __deepcopy__(self, memo: object) -> _Casts:
        return _Casts()

    def __reduce__(self) -> tuple[type[_Casts], tuple[()]]:
        return _Casts, ()


class DepthwiseBlocks(nn.Sequential):
    """Blocks one after another.

    Args:
        width: channels in and out.
        count: how many.
        padding: see `DepthwiseBlock`.
    """

    def __init__(self, width: int, count: int, padding: Padding = "zeros") -> None:
        super().__init__(*(DepthwiseBlock(width, padding=padding) for _ in range(count)))

    def forward(self, features: Tensor) -> Tensor:
        """Map features to features of the same shape; without gradients, the input is overwritten."""
        return self.within(Surrounded(features)).features

    def within(self, tile: Surrounded, after: int = 0) -> Surrounded:
        """Map the features of a tile with margins as `forward` does, and leave out what is not seen any more.

        Each block sees one position further than its result is needed.

        Args:
            tile: margins that are smaller than what is seen end where the image ends.
            after: positions of the margins that later layers see.
        """
        for number, block in enumerate(self):
            assert isinstance(block, DepthwiseBlock)
            tile = tile.trimmed(after + len(self) - number)
            if torch.is_grad_enabled():
                tile = tile._replace(features=block(tile.features))
            else:
                block.update(tile.features)
        return tile.trimmed(after)


def _bias(layer: nn.Conv2d) -> Tensor:
    assert layer.bias is not None
    return layer.bias


__all__ = ["LEAK", "DepthwiseBlock", "DepthwiseBlocks", "Padding"]
