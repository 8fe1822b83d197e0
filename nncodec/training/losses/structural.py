"""1 - SSIM and 1 - MS-SSIM, differentiable."""

from __future__ import annotations

from typing import Final

import torch
import torch.nn.functional as F
from torch import Tensor

from nncodec.nn.precision import all_of_float32

_WINDOW: Final = 11
_SIGMA: Final = 1.5
_K1, _K2 = 0.01, 0.03
# Exponents of the scales, finest first: Wang et al. 2003, section 3.2.
_SCALE_WEIGHTS: Final = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)
# Below 0 a similarity has no real power, and at 0 the power has no finite gradient.
_SMALLEST: Final = 1e-4


def dissimilarity(restored: Tensor, original: Tensor) -> Tensor:
    """Return 1 - SSIM, averaged over images, channels and positions.

    Gaussian window of 11 x 11, sigma 1.5, K1 0.01, K2 0.03, dynamic range 1, no padding.

    Raises:
        ValueError: images are smaller than 11 x 11.

    References:
        Wang et al., "Image quality assessment: from error visibility to structural similarity", 2004.
    """
    _require_window(original)
    with all_of_float32(original.device):
        luminance, structure = _maps(_precise(restored), _precise(original))
        return 1 - (luminance * structure).mean()


def multiscale_dissimilarity(restored: Tensor, original: Tensor) -> Tensor:
    """Return 1 - MS-SSIM, averaged over images; see `multiscale_similarity`."""
    return 1 - multiscale_similarity(restored, original).mean()


def multiscale_similarity(restored: Tensor, original: Tensor) -> Tensor:
    """Return the MS-SSIM of each image, averaged over channels, (N,).

    Window and constants as for `dissimilarity`. Five scales if a window fits into the coarsest, a sixteenth of the edge
    (176 pixels); smaller images use as many scales as fit, with their published weights divided by the sum, so that
    training on crops works.

    Raises:
        ValueError: images are smaller than 11 x 11.

    References:
        Wang et al., "Multiscale structural similarity for image quality assessment", Asilomar 2003.
    """
    _require_window(original)
    weights = _SCALE_WEIGHTS[: _scales(min(original.shape[2:]))]
    total = sum(weights)
    with all_of_float32(original.device):
        x, y = _precise(restored), _precise(original)
        similarity = torch.ones(x.shape[:2], dtype=x.dtype, device=x.device)
        for scale, weight in enumerate(weights):
            if scale:
                # Where an edge is odd, the last row or column is dropped.
                x, y = F.avg_pool2d(x, 2), F.avg_pool2d(y, 2)
            luminance, structure = _maps(x, y)
            coarsest = scale == len(weights) - 1
            values = (luminance * structure if coarsest else structure).mean(dim=(2, 3))  # (N, C)
            similarity = similarity * values.clamp(min=_SMALLEST) ** (weight / total)
        return similarity.mean(1)


def _scales(edge: int) -> int:
    count = 1
    while count < len(_SCALE_WEIGHTS) and edge >> count >= _WINDOW:
        count += 1
    return count


def _require_window(pictures: Tensor) -> None:
    if min(pictures.shape[2:]) < _WINDOW:
        raise ValueError(f"SSIM needs pictures of at least {_WINDOW} x {_WINDOW}")


def _precise(values: Tensor) -> Tensor:
    """Return float32, or float64 unchanged: variances are small differences of large means, which bfloat16 loses."""
    return values if values.dtype == torch.float64 else values.float()


def _maps(x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    """Return luminance, and contrast times structure, at every position of the window."""
    mean_x, mean_y = _blur(x), _blur(y)
    variance_x = _blur(x * x) - mean_x.square()
    variance_y = _blur(y * y) - mean_y.square()
    covariance = _blur(x * y) - mean_x * mean_y
    c1, c2 = _K1**2, _K2**2
    luminance = (2 * mean_x * mean_y + c1) / (mean_x.square() + mean_y.square() + c1)
    structure = (2 * covariance + c2) / (variance_x + variance_y + c2)
    return luminance, structure


def _blur(values: Tensor) -> Tensor:
    position = torch.arange(_WINDOW, device=values.device, dtype=values.dtype) - _WINDOW // 2
    line = torch.exp(-position.square() / (2 * _SIGMA**2))
    line = line / line.sum()
    channels = values.shape[1]
    vertical = line[:, None].expand(channels, 1, -1, 1)
    horizontal = line[None, :].expand(channels, 1, 1, -1)
    return F.conv2d(F.conv2d(values, vertical, groups=channels), horizontal, groups=channels)
