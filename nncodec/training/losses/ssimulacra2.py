"""SSIMULACRA 2 as a loss: what `nncodec.metrics.ssimulacra2` computes, differentiable and for each image of a batch."""

from __future__ import annotations

import functools
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from nncodec._support.extras import require
from nncodec.metrics.ssimulacra2 import SCALES, SMALLEST_EDGE, blur_taps
from nncodec.nn.precision import all_of_float32

# 100 - score = _FACTOR x p(s) ^ _POWER, where s is the weighted sum of the error maps' norms, scaled by _SUM.
_SUM = 0.9562382616834844
_CUBIC = (2.326765642916932, -0.020884521182843837, 6.248496625763138e-05)
_FACTOR, _POWER = 10.0, 0.6276336467831387
_C2 = 0.0009  # keeps the contrast term finite on flat areas
# Below these a root has no finite gradient.
_SMALLEST_NORM, _SMALLEST_LIGHT, _SMALLEST_SUM = 1e-24, 1e-6, 1e-8


def ssimulacra2_distance(restored: Tensor, original: Tensor) -> Tensor:
    """Return 100 - score of each image: 0 where they are equal, about 10 where no difference is visible, no upper end.

    Crops have fewer than six scales. Each scale keeps the weights that it has in a large image, where the score of a
    small one takes those of other scales; so this equals 100 - score from an edge of 256 pixels on.

    Args:
        restored, original: sRGB in 0..1, (N, 3, H, W), no edge below 8 pixels; values outside are clamped.

    Returns:
        (N,), float32. Variances are small differences of large means, which bfloat16 loses: autocast is off inside.

    Raises:
        ValueError: an edge is shorter than 8 pixels, or there are not three channels.

    References:
        J. Sneyers, SSIMULACRA 2 (version 2.1), github.com/cloudinary/ssimulacra2.
    """
    if min(original.shape[2:]) < SMALLEST_EDGE or original.shape[1] != 3:
        raise ValueError(f"SSIMULACRA2 needs colour images of at least {SMALLEST_EDGE} x {SMALLEST_EDGE} pixels")
    with all_of_float32(original.device):
        constants = _constants(original.device)
        linear = _linear(restored.float()), _linear(original.float())
        total = torch.zeros(len(original), device=original.device)
        for scale in range(SCALES):
            if scale:
                linear = _halved(linear[0]), _halved(linear[1])
            if min(linear[0].shape[2:]) < SMALLEST_EDGE:
                break
            norms = _norms(_xyb(linear[0], constants), _xyb(linear[1], constants), constants.taps)
            total = total + (norms * constants.weights[:, scale]).sum(dim=(1, 2, 3))
        total = _SUM * total
        cubic = _CUBIC[0] * total + _CUBIC[1] * total**2 + _CUBIC[2] * total**3
        return _FACTOR * cubic.clamp(min=_SMALLEST_SUM) ** _POWER


def ssimulacra2_loss(restored: Tensor, original: Tensor) -> Tensor:
    """Return 1 - score / 100, averaged over images; see `ssimulacra2_distance`."""
    return ssimulacra2_distance(restored, original).mean() / 100


class _Constants(NamedTuple):
    weights: Tensor  # (plane, scale, norm, map)
    taps: Tensor  # (11,)
    absorbance: Tensor  # (3, 3, 1, 1)
    bias: float


@functools.cache
def _constants(device: torch.device) -> _Constants:
    """Return the published numbers of the measure, which its package holds."""
    parts = require("ssimulacra2.ssimulacra2", "train", "the loss 'ssimulacra2'")

    def tensor(values: object) -> Tensor:
        return torch.as_tensor(values, dtype=torch.float32, device=device)

    return _Constants(
        tensor(parts.weights).reshape(3, SCALES, 2, 3),
        tensor(blur_taps()),
        tensor(parts.kOpsinAbsorbanceMatrix).reshape(3, 3, 1, 1),
        float(parts.kB0),
    )


def _linear(srgb: Tensor) -> Tensor:
    srgb = srgb.clamp(0, 1)
    # The power of a value below the bend is not used, but its gradient would be infinite at 0.
    return torch.where(srgb <= 0.04045, srgb / 12.92, ((srgb.clamp(min=0.04045) + 0.055) / 1.055) ** 2.4)


def _halved(planes: Tensor) -> Tensor:
    return F.avg_pool2d(planes, 2, ceil_mode=True, count_include_pad=False)


def _xyb(linear: Tensor, constants: _Constants) -> Tensor:
    """Return the three planes of XYB, shifted to be positive."""
    bias = constants.bias
    cones = (F.conv2d(linear, constants.absorbance) + bias).clamp(min=_SMALLEST_LIGHT) ** (1 / 3) - bias ** (1 / 3)
    long, medium, short = cones.unbind(1)
    x, y = 0.5 * (long - medium), 0.5 * (long + medium)
    return torch.stack([14 * x + 0.42, y + 0.01, short - y + 0.55], 1)


def _norms(restored: Tensor, original: Tensor, taps: Tensor) -> Tensor:
    """Return the norms 1 and 4 of the three error maps, (N, plane, norm, map)."""
    products = restored * restored, original * original, restored * original
    blurred = _blur(torch.cat([restored, original, *products], 1), taps)
    mean_r, mean_o, square_r, square_o, product = torch.tensor_split(blurred, 5, dim=1)
    luminance = 1 - (mean_r - mean_o) ** 2
    structure = 2 * (product - mean_r * mean_o) + _C2
    variances = (square_r - mean_r * mean_r) + (square_o - mean_o * mean_o) + _C2
    dissimilarity = (1 - luminance * structure / variances).clamp(min=0)
    edges = (1 + (restored - mean_r).abs()) / (1 + (original - mean_o).abs()) - 1
    artefacts, lost_detail = edges.clamp(min=0), (-edges).clamp(min=0)
    return torch.stack([_norms_of(error) for error in (dissimilarity, artefacts, lost_detail)], -1)


def _norms_of(error: Tensor) -> Tensor:
    squares = error * error
    fourth = (squares * squares).mean(dim=(2, 3)).clamp(min=_SMALLEST_NORM) ** 0.25
    return torch.stack([error.mean(dim=(2, 3)), fourth], -1)


def _blur(planes: Tensor, taps: Tensor) -> Tensor:
    count, reach = planes.shape[1], len(taps) // 2
    rows = F.conv2d(planes, taps.view(1, 1, -1, 1).expand(count, 1, -1, 1), padding=(reach, 0), groups=count)
    return F.conv2d(rows, taps.view(1, 1, 1, -1).expand(count, 1, 1, -1), padding=(0, reach), groups=count)
