"""Transforms for photographs of any size, with gains that make one network serve every quality."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from nncodec.engine.transform_config import BLOCK, STRIDE, TransformConfig
from nncodec.nn.blocks import DepthwiseBlocks
from nncodec.nn.dct import analysis_weights, detail_weights, merge_weights, synthesis_weights
from nncodec.nn.deblocking import Deblocking
from nncodec.nn.interpolation import interpolate
from nncodec.nn.margins import NO_MARGINS, Surrounded, in_positions
from nncodec.nn.pixel_blocks import convolved_blocks, pixels_of_blocks
from nncodec.nn.precision import all_of_float32
from nncodec.plugin.codec import Margins

_UNSHUFFLED = 3 * BLOCK**2
_DETAIL_BLOCK = 3 * STRIDE**2
# What networks take pixels relative to.
_MEAN = 0.5


class PhotoTransforms(nn.Module):
    """Analysis and synthesis at 1/8 and 1/16 resolution, started from a DCT followed by a Haar transform.

    Shapes: pixels (N, 3, H, W) in 0..1 with H and W multiples of 16; latents (N, C, H/16, W/16).
    One network serves every quality: per-quality, per-channel gains scale the latents before rounding.

    256 channels stand for 768 samples, which is enough up to about 40 dB. Detail channels carry what is missing above,
    by linear transforms of blocks of 16 x 16 pixels, so the network need not keep what its other channels cannot code.
    At last a deblocking filter hides where blocks meet, if there is one.

    References:
        Cui et al., "Asymmetric gained deep image compression", CVPR 2021, for the gains.
    """

    def __init__(self, config: TransformConfig) -> None:
        super().__init__()
        self.config = config
        coarse = self.config.coarse_channels
        self.analysis_in = nn.Conv2d(_UNSHUFFLED, _UNSHUFFLED, 1)
        self.analysis_fine = DepthwiseBlocks(_UNSHUFFLED, config.fine_blocks, config.padding)
        self.analysis_down = nn.Conv2d(_UNSHUFFLED, coarse, 2, stride=2)
        self.analysis_coarse = DepthwiseBlocks(coarse, config.coarse_blocks, config.padding)
        self.synthesis_coarse = DepthwiseBlocks(coarse, config.coarse_blocks, config.padding)
        self.synthesis_up = nn.ConvTranspose2d(coarse, _UNSHUFFLED, 2, stride=2)
        self.synthesis_fine = DepthwiseBlocks(_UNSHUFFLED, config.fine_blocks, config.padding)
        self.synthesis_out = nn.Conv2d(_UNSHUFFLED, _UNSHUFFLED, 1)
        if config.detail_channels:
            self.detail_in = nn.Conv2d(_DETAIL_BLOCK, config.detail_channels, 1)
            self.detail_features = nn.Conv2d(_UNSHUFFLED, config.detail_channels, 2, stride=2)
            self.detail_out = nn.Conv2d(config.detail_channels, _DETAIL_BLOCK, 1)
        self.deblocking = Deblocking(config.anchors) if config.deblocking else None
        channels = config.latent_channels
        self.log_gain = nn.Parameter(torch.tensor([[value] * channels for value in self._starting_log_gains()]))
        self.log_rescale = nn.Parameter(torch.zeros(config.anchors, channels))
        # On the meta device weights are loaded next, and torch would import sympy to multiply nothing: 0.3 s.
        if not self.log_gain.is_meta:
            self._start_from_fixed_transforms()

    def analysis(self, pixels: Tensor, *, detail: bool = True) -> Tensor:
        """Map pixels to latents before gain and rounding; without `detail`, the detail channels are 0."""
        features = self.features(pixels)
        with all_of_float32(pixels.device):
            down = self.analysis_down(features)  # (N, C, H/16, W/16)
            if detail and self.config.detail_channels:
                details = convolved_blocks(self.detail_in, pixels, STRIDE, -_MEAN) + self.detail_features(features)
            else:
                details = down.new_zeros(len(down), self.config.detail_channels, *down.shape[2:])
        latents: Tensor = self.analysis_coarse(down).float()
        return torch.cat([latents, details], 1)

    def features(self, pixels: Tensor) -> Tensor:
        """Map pixels to the features that latents are taken from, (N, 192, H/8, W/8)."""
        # The first and last layers run in float32: the residual stream then carries full precision past the
        # bfloat16 branches, and a latent of several hundred steps still rounds to the right one.
        with all_of_float32(pixels.device):
            features = convolved_blocks(self.analysis_in, pixels, BLOCK, -_MEAN)
        fine: Tensor = self.analysis_fine(features)
        return fine.float()

    def synthesis(self, latents: Tensor, quality: Tensor, margins: Margins = NO_MARGINS) -> Tensor:
        """Map latents to pixels without the margins; values may slightly exceed 0..1.

        Args:
            latents: after the inverse gain.
            quality: (N,), or one for all.
            margins: how far the latents extend beyond the wanted tile.
        """
        tile = Surrounded(latents, in_positions(margins, STRIDE))
        if self.deblocking is None:
            return self._pixels(tile).features
        # The filter sees some pixels beyond the tile.
        filtered: Surrounded = self.deblocking(self._pixels(tile, margin=1), quality)
        return filtered.trimmed(0).features

    def _pixels(self, tile: Surrounded, margin: int = 0) -> Surrounded:
        """Map latents to pixels with a margin of so many blocks of 8."""
        coarse = self.config.coarse_channels
        # The blocks may overwrite their input.
        own = Surrounded(tile.features[:, :coarse].clone(memory_format=torch.channels_last), tile.margins)
        own = self.synthesis_coarse.within(own, _in_latents(self.config.fine_blocks + margin))
        device = tile.features.device
        with all_of_float32(device):
            fine = own.enlarged(self.synthesis_up(own.features.float()), STRIDE // BLOCK)  # (N, 192, H/8, W/8)
        fine = self.synthesis_fine.within(fine, margin)
        details = tile.trimmed(_in_latents(margin))
        with all_of_float32(device):
            pixels = pixels_of_blocks(self.synthesis_out, fine.features.float(), BLOCK, _MEAN)  # (N, 3, H, W)
            if (detail := details.features[:, coarse:]).any():
                added = details.enlarged(pixels_of_blocks(self.detail_out, detail, STRIDE), STRIDE)
                pixels = pixels + added.trimmed(margin * BLOCK).features
        return fine.enlarged(pixels, BLOCK)

    def gain(self, quality: Tensor) -> Tensor:
        """Return the factor on latents before rounding for qualities (N,) in 0..100, shape (N, C, 1, 1)."""
        return torch.exp(interpolate(self.log_gain, quality))[:, :, None, None] * self.used(quality)

    def inverse_gain(self, quality: Tensor) -> Tensor:
        """Return the factor on rounded latents before synthesis, shape (N, C, 1, 1)."""
        factor = torch.exp(interpolate(self.log_rescale - self.log_gain, quality))[:, :, None, None]
        return factor * self.used(quality)

    def used(self, quality: Tensor) -> Tensor:
        """Return 1 for each channel that qualities (N,) use and 0 for the others, (N, C, 1, 1)."""
        is_detail = torch.arange(self.config.latent_channels, device=quality.device) >= self.config.coarse_channels
        unused = is_detail & (quality < self.config.detail_quality)[:, None]
        return (~unused).float()[:, :, None, None]

    def distortion_weight(self, quality: Tensor) -> Tensor:
        """Return lambda for qualities (N,): the weight of mean squared error (0..255) against bits per pixel."""
        low, high = math.log(self.config.lambda_low), math.log(self.config.lambda_high)
        return torch.exp(low + (high - low) * quality / 100)

    def _starting_log_gains(self) -> list[float]:
        # For an orthonormal transform at high rate, lambda = 18 / (ln 2 * step^2) with three planes a pixel.
        low, high = math.log(self.config.lambda_low), math.log(self.config.lambda_high)
        last = self.config.anchors - 1
        lambdas = [math.exp(low + (high - low) * anchor / last) for anchor in range(last + 1)]
        return [math.log(255 / math.sqrt(18 / (math.log(2) * value))) for value in lambdas]

    def _start_from_fixed_transforms(self) -> None:
        merge = merge_weights(self.config.coarse_channels)
        with torch.no_grad():
            self.analysis_in.weight.copy_(analysis_weights())
            self.analysis_down.weight.copy_(merge)
            self.synthesis_up.weight.copy_(merge)
            self.synthesis_out.weight.copy_(synthesis_weights())
            for layer in (self.analysis_in, self.analysis_down, self.synthesis_up, self.synthesis_out):
                _zero(layer.bias)
            if self.config.detail_channels:
                bands = detail_weights(self.config.coarse_channels, self.config.detail_channels)
                self.detail_in.weight.copy_(bands)
                self.detail_out.weight.copy_(bands.transpose(0, 1))
                self.detail_features.weight.zero_()
                for layer in (self.detail_in, self.detail_features, self.detail_out):
                    _zero(layer.bias)


def _in_latents(blocks: int) -> int:
    """Return how many latents cover so many blocks of 8 pixels."""
    return -(-blocks * BLOCK // STRIDE)


def _zero(bias: Tensor | None) -> None:
    assert bias is not None
    bias.zero_()


__all__ = ["STRIDE", "PhotoTransforms", "TransformConfig"]
