"""The local structure of pictures: strength, direction and coherence of changes around a place.

Structure tells edges from texture, and faint edges from strong ones. A network learns it slowly from pixels, since it
consists of ratios and angles; with it as input, training finds filters for each place in minutes.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from nncodec.nn.precision import all_of_float32
from nncodec_srgan.cosines import planes_of

_SPREADS = (0.5, 1.25)  # standard deviations of the two neighbourhoods, in squares
_PER_SPREAD = 7
_UNCLEAR = 3e-4  # changes below this have no clear direction: a tenth of a grey level
_LEAST_CHANGE = 1e-6  # squared changes below this count as none: a quarter of a grey level
# These bring logarithms of squared changes in photographs to about -1..1.
_LOG_SCALE, _LOG_SHIFT = 0.3, 2.5

CHANNELS = _PER_SPREAD * len(_SPREADS)
"""Number of maps."""

REACH = 4
"""How many squares away structure still depends on."""


def structure_of(pixels: Tensor, edge: int) -> Tensor:
    """Return the structure of every square of pixels.

    Args:
        pixels: (N, 3, H, W), edges multiples of `edge`.
        edge: of the squares, pixels.

    Returns:
        (N, CHANNELS, H / edge, W / edge) of about -1..1, for each of two neighbourhoods: logarithms of the brightness
        change along and across the direction of most change; coherence of that direction, 0 to 1; and cosine and sine
        of twice and of four times its angle, times the coherence.

    References:
        Romano et al., "RAISR: Rapid and accurate image super resolution", IEEE TCI 2017, section III (filters chosen
        by angle, strength and coherence of the gradients' covariance).
    """
    with all_of_float32(pixels.device):
        brightness = planes_of(pixels.float())[:, :1]
        around = F.pad(brightness, (1, 1, 1, 1), mode="replicate")
        across = (around[..., 1:-1, 2:] - around[..., 1:-1, :-2]) / 2
        down = (around[..., 2:, 1:-1] - around[..., :-2, 1:-1]) / 2
        covariance = F.avg_pool2d(torch.cat([across**2, across * down, down**2], dim=1), edge)
        return torch.cat([_described(_blurred(covariance, spread)) for spread in _SPREADS], dim=1)


def _described(covariance: Tensor) -> Tensor:
    """Return the maps for covariances (N, 3, H, W): across-across, across-down, down-down."""
    across, both, down = (covariance[:, plane : plane + 1] for plane in range(3))
    apart = ((across - down) ** 2 + 4 * both**2 + 1e-24).sqrt()
    most, least = (across + down + apart) / 2, ((across + down - apart) / 2).clamp(min=0)
    coherence = (most.sqrt() - least.sqrt()) / (most.sqrt() + least.sqrt() + _UNCLEAR)
    cosine, sine = (across - down) / apart, 2 * both / apart  # of twice the angle
    logs = [(value + _LEAST_CHANGE).log() * _LOG_SCALE + _LOG_SHIFT for value in (most, least)]
    angles = [cosine, sine, cosine**2 - sine**2, 2 * cosine * sine]
    return torch.cat([*logs, coherence, *(coherence * angle for angle in angles)], dim=1)


def _blurred(maps: Tensor, spread: float) -> Tensor:
    """Return maps (N, 3, H, W) blurred by a Gaussian, with the picture's edge replicated."""
    radius = int(2 * spread + 0.5)
    offsets = torch.arange(-radius, radius + 1, device=maps.device, dtype=maps.dtype)
    weights = (-0.5 * (offsets / spread) ** 2).exp()
    weights = (weights / weights.sum()).expand(maps.shape[1], 1, 1, -1)
    padded = F.pad(maps, (radius, radius, radius, radius), mode="replicate")
    rows = F.conv2d(padded, weights, groups=maps.shape[1])
    return F.conv2d(rows, weights.transpose(2, 3), groups=maps.shape[1])
