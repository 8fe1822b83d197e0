"""SSIMULACRA 2.1 as in its reference implementation, built from parts of the package `ssimulacra2`.

The package (version 0.3) has the right colour space, error maps and trained weights, but the wrong loop around them: it
blurs with a true Gaussian that is mirrored at two of the four edges, and stops one scale early, which applies the
weights to the wrong maps for pictures below 256 pixels. Photographs score up to 4 points too low, small ones 10 and
more. So this module has its own blur and scales, as in libjxl; the tests compare with the scores of libjxl's program.

References:
    J. Sneyers, SSIMULACRA 2 (version 2.1, April 2023), github.com/cloudinary/ssimulacra2.
    D. Charalampidis, Recursive implementation of the Gaussian filter using truncated cosine functions, IEEE TSP 2016.
"""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nncodec._support.extras import require

SMALLEST_EDGE = 8
"""Pictures with a shorter edge have no score."""

SCALES = 6
"""Scales of an image whose shorter edge has at least 256 pixels, each half the size of the one before."""

_SIGMA, _RADIUS = 1.5, 5  # the radius is round(3.2795 sigma + 0.2546)

_Planes = NDArray[np.float32]


def score(original: NDArray[np.uint8], decoded: NDArray[np.uint8]) -> float:
    """Return the score of two sRGB pictures.

    Args:
        original, decoded: one shape (height, width, 3), no edge below `SMALLEST_EDGE`.

    Raises:
        NncError: the extra `compare` is not installed.
    """
    parts = require("ssimulacra2.ssimulacra2", "compare", "SSIMULACRA2")
    linear = [parts.srgb_to_linear(picture) for picture in (original, decoded)]
    result = parts.Msssim()
    for scale in range(SCALES):
        if min(linear[0].shape[:2]) < SMALLEST_EDGE:
            break
        if scale:
            linear = [parts.downsample(plane, 2, 2) for plane in linear]
        result.scales.append(_errors(parts, *(_perceptual(parts, plane) for plane in linear)))
    return float(result.score())


def _perceptual(parts: Any, linear: NDArray[np.float64]) -> _Planes:
    """Return linear RGB as XYB in 32 bits, as in the reference.

    The package's function swaps the first two axes, which changes nothing here.
    """
    planes: _Planes = parts.make_positive_xyb(parts.linear_rgb_to_xyb(linear)).astype(np.float32)
    return planes


def _errors(parts: Any, original: _Planes, decoded: _Planes) -> Any:
    """Return the norms of the three error maps at one scale."""
    norms = parts.MsssimScale()
    mean, decoded_mean = _blur(original), _blur(decoded)
    squares = _blur(original * original), _blur(decoded * decoded)
    norms.avg_ssim = parts.ssim_map(mean, decoded_mean, *squares, _blur(original * decoded))
    norms.avg_edgediff = parts.edge_diff_map(original, mean, decoded, decoded_mean)
    return norms


def _blur(planes: _Planes) -> _Planes:
    """Blur along both axes, with zeros beyond the edges."""
    from scipy.ndimage import correlate1d

    for axis in (0, 1):
        planes = correlate1d(planes, blur_taps(), axis=axis, mode="constant")
    return planes


@functools.cache
def blur_taps() -> NDArray[np.float64]:
    """Return the impulse response of Charalampidis' recursive filter: three cosines on -radius..radius."""
    omega = np.array([1, 3, 5]) * np.pi / (2 * _RADIUS)
    sign = np.array([1, -1, 1])
    p = sign / np.tan(omega / 2)
    r = sign * p**2 / np.sin(omega)
    rho = np.exp(-(_SIGMA**2) * omega**2 / 2) / _RADIUS
    cross = np.cross(p, r)
    zeta = np.array([cross[0] / cross[2], cross[1] / cross[2], 1])
    beta = np.linalg.solve(np.array([p, r, zeta]), np.array([1, _RADIUS**2 - _SIGMA**2, zeta @ rho]))
    taps: NDArray[np.float64] = beta @ np.cos(np.outer(omega, np.arange(-_RADIUS, _RADIUS + 1)))
    return taps
