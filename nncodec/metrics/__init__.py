"""Metrics of a decoded picture against its original: PSNR, SSIM, MS-SSIM, SSIMULACRA2.

All take two pictures of one size, 8-bit grey or RGB, as arrays of shape (height, width) or (height, width, 3) or as
Pillow images; higher is better. All count colour: PSNR is over all samples, SSIM and MS-SSIM are means over the R, G
and B planes, as in published results of learned codecs. Luma alone would miss the loss by chroma subsampling. Importing
this module loads neither torch nor scikit-image.
"""

from __future__ import annotations

import importlib
import math
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from nncodec._support.extras import is_installed, require
from nncodec.errors import UnsupportedImage
from nncodec.metrics import cvvdp
from nncodec.metrics import ssimulacra2 as reference_ssimulacra2

Picture: TypeAlias = "Image.Image | NDArray[np.uint8]"

SSIM_EDGE = 11
"""Pixels along the shorter edge below which there is no SSIM: its window does not fit."""

MS_SSIM_EDGE = 161
"""Pixels along the shorter edge below which there is no MS-SSIM: its window does not fit into the fifth scale."""

_PACKAGES = {"MS-SSIM": "pytorch_msssim", "SSIMULACRA2": "ssimulacra2"}


def not_installed() -> list[str]:
    """Return the names of the metrics whose packages, in the extra `compare`, are not installed."""
    return [name for name, package in _PACKAGES.items() if not is_installed(package)]


def psnr(original: Picture, decoded: Picture) -> float:
    """Return the peak signal-to-noise ratio over all samples in dB; infinite for equal pictures.

    Raises:
        UnsupportedImage: sizes or modes differ, or are not 8-bit grey or RGB.
    """
    before, after = _pair(original, decoded)
    error = before.astype(np.int32) - after
    squares = int(np.sum(error * error, dtype=np.int64))
    return 10 * math.log10(255**2 * error.size / squares) if squares else math.inf


def ssim(original: Picture, decoded: Picture) -> float:
    """Return the structural similarity, -1..1, mean over planes.

    Windows are Gaussian, 11 x 11 with sigma 1.5, and the mean is over those that lie wholly within the picture, as in
    the authors' program (without its downsampling of large pictures).

    Raises:
        UnsupportedImage: see `psnr`; or an edge is shorter than `SSIM_EDGE`.

    References:
        Z. Wang et al., Image quality assessment: from error visibility to structural similarity, IEEE TIP 2004.
    """
    before, after = _pair(original, decoded)
    if _edge(before) < SSIM_EDGE:
        raise UnsupportedImage(detail=f"SSIM needs pictures of {SSIM_EDGE} x {SSIM_EDGE} pixels or more")
    package: Any = importlib.import_module("skimage.metrics")
    value = package.structural_similarity(
        before,
        after,
        channel_axis=2 if before.ndim == 3 else None,
        data_range=255,
        gaussian_weights=True,
        sigma=1.5,
        use_sample_covariance=False,
    )
    return float(value)


def ms_ssim(original: Picture, decoded: Picture) -> float | None:
    """Return the multi-scale structural similarity, 0..1, mean over planes; None below `MS_SSIM_EDGE`.

    Five scales with the authors' weights, windows as for `ssim`, negative terms taken as 0. Published curves of learned
    codecs use the same package, pytorch-msssim; pictures with odd edges get a border of zeros when they are halved.

    Raises:
        UnsupportedImage: see `psnr`.
        NncError: the extra `compare` is not installed.

    References:
        Z. Wang et al., Multiscale structural similarity for image quality assessment, Asilomar 2003.
    """
    before, after = _pair(original, decoded)
    if _edge(before) < MS_SSIM_EDGE:
        return None
    package = require(_PACKAGES["MS-SSIM"], "compare", "MS-SSIM")
    import torch

    def planes(picture: NDArray[np.uint8]) -> Any:
        stacked = picture.reshape(*picture.shape[:2], -1).transpose(2, 0, 1)
        return torch.from_numpy(stacked.astype(np.float32))[None]  # 1, channels, height, width

    with torch.inference_mode():
        return float(package.ms_ssim(planes(before), planes(after), data_range=255))


def ssimulacra2(original: Picture, decoded: Picture) -> float | None:
    """Return the SSIMULACRA 2.1 score, at most 100; None where its package is not installed or an edge is below 8.

    90 is visually lossless, 70 high, 50 medium and 30 low quality; very strong distortions are negative. Samples are
    taken as sRGB, grey as R = G = B. See `nncodec.metrics.ssimulacra2`.

    Raises:
        UnsupportedImage: see `psnr`.
    """
    before, after = _pair(original, decoded)
    if not is_installed(_PACKAGES["SSIMULACRA2"]) or _edge(before) < reference_ssimulacra2.SMALLEST_EDGE:
        return None
    return reference_ssimulacra2.score(_colour(before), _colour(after))


def colorvideovdp(original: Picture, decoded: Picture) -> float:
    """Return the quality by ColorVideoVDP in just-objectionable differences: 10 is no visible difference.

    About three seconds per megapixel. Samples are taken as sRGB, grey as R = G = B. See
    `nncodec.metrics.cvvdp`.

    Raises:
        UnsupportedImage: see `psnr`.
        NncError: its package is not installed.
    """
    before, after = _pair(original, decoded)
    return cvvdp.score(_colour(before), _colour(after))


def _colour(picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return picture if picture.ndim == 3 else np.stack([picture] * 3, axis=2)


def _pair(original: Picture, decoded: Picture) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    before, after = (np.asarray(picture) for picture in (original, decoded))
    if before.shape != after.shape:
        raise UnsupportedImage(detail=f"metrics need pictures of one size and mode, not {before.shape}, {after.shape}")
    if before.dtype != np.uint8 or after.dtype != np.uint8 or not before.size:
        raise UnsupportedImage(detail="metrics need pictures of 8 bits per sample; convert them first")
    if not (before.ndim == 2 or (before.ndim == 3 and before.shape[2] == 3)):
        raise UnsupportedImage(detail="metrics need grey or RGB pictures; convert them first")
    return before, after


def _edge(picture: NDArray[np.uint8]) -> int:
    return int(min(picture.shape[:2]))
