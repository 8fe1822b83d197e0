"""NIQE: how much a picture's local statistics differ from those of sharp photographs, without an original.

Lower is better: blur, ringing, blocks and noise move away from the statistics of photographs. The literature plots it
against PSNR where networks invent detail (Blau and Michaeli; the PIRM challenge). The statistics come from this
project's training photographs (`benchmarks.train.niqe_photographs`), so values do not compare with those of other
programs. They are rough for small pictures: 192 x 192 pixels are four blocks.

References:
    A. Mittal, R. Soundararajan, A. C. Bovik, Making a "completely blind" image quality analyzer, IEEE SPL 2013.
    Y. Blau, T. Michaeli, The perception-distortion tradeoff, CVPR 2018.
"""

from __future__ import annotations

import functools
import json
import math
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy.ndimage import correlate1d

BLOCK = 96
"""Edge of the blocks, pixels; smaller pictures have no NIQE."""
STATISTICS = Path(__file__).parent / "niqe_photographs.json"
"""Mean and covariance of the features of photographs."""

Floats = NDArray[np.float64]

_SCALES = 2
_LUMA_WEIGHTS = np.array([0.299, 0.587, 0.114])
_RADIUS, _SIGMA = 3, 7 / 6
_SHARP_SHARE = 0.75  # of the sharpest block of a picture; fitting skips less sharp ones
# A block of one level has neither negative nor positive values; this stands for their mean squares.
_NOTHING = 1e-12
_NEIGHBOURS = ((0, 1), (1, 0), (1, 1), (1, -1))  # right, below, and both diagonals


@dataclass(frozen=True)
class Statistics:
    """A normal distribution of block features.

    Args:
        mean: (36,).
        covariance: (36, 36).
    """

    mean: Floats
    covariance: Floats

    @classmethod
    def of(cls, features: Floats) -> Statistics:
        """Return the statistics of features (blocks, 36), at least two blocks."""
        return cls(features.mean(axis=0), np.cov(features, rowvar=False))

    def distance(self, other: Statistics) -> float:
        """Return the distance of the means under the mean covariance."""
        apart = self.mean - other.mean
        spread = np.linalg.pinv((self.covariance + other.covariance) / 2)
        return float(np.sqrt(apart @ spread @ apart))


def niqe(picture: Image.Image) -> float | None:
    """Return NIQE of a grey or RGB picture; None if it holds fewer than two blocks.

    Args:
        picture: mode L or RGB. Pixels beyond whole blocks, at the lower and right edges, do not count.
    """
    features, _ = block_features(picture)
    return Statistics.of(features).distance(photographs()) if len(features) > 1 else None


@functools.cache
def photographs() -> Statistics:
    """Return the statistics of photographs that are stored beside this module."""
    kept = json.loads(STATISTICS.read_text(encoding="utf-8"))
    mean = np.array(kept["mean"])
    covariance = np.zeros((mean.size, mean.size))
    covariance[np.tril_indices(mean.size)] = kept["covariance_lower_triangle"]
    return Statistics(mean, covariance + np.tril(covariance, -1).T)


def fitted(pictures: Iterable[Image.Image]) -> tuple[Statistics, int]:
    """Return the statistics of the sharp blocks of pictures, and the number of blocks."""
    chosen = []
    for picture in pictures:
        features, sharpness = block_features(picture)
        if len(features):
            chosen.append(features[sharpness > _SHARP_SHARE * sharpness.max()])
    features = np.concatenate(chosen)
    return Statistics.of(features[np.isfinite(features).all(axis=1)]), len(features)


def block_features(picture: Image.Image) -> tuple[Floats, Floats]:
    """Return the features (blocks, 36) and the sharpness (blocks,) of whole blocks."""
    grey = np.asarray(picture, np.float64)
    if grey.ndim == 3:
        grey = grey @ _LUMA_WEIGHTS
    rows, columns = (edge // BLOCK for edge in grey.shape)
    grey = np.rint(grey[: rows * BLOCK, : columns * BLOCK])
    if not grey.size:
        return np.empty((0, 18 * _SCALES)), np.empty(0)
    features, sharpness = [], np.empty(0)
    for scale in range(_SCALES):
        edge = BLOCK >> scale
        normalised, deviation = _normalised(grey)
        features.append(_features(_blocks(normalised, edge)))
        if scale == 0:
            sharpness = _blocks(deviation, edge).mean(axis=(1, 2))
        half = Image.fromarray(grey.astype(np.float32)).resize(
            (grey.shape[1] // 2, grey.shape[0] // 2), Image.Resampling.BICUBIC
        )
        grey = np.asarray(half, np.float64)
    return np.concatenate(features, axis=1), sharpness


def _normalised(grey: Floats) -> tuple[Floats, Floats]:
    """Return (picture - local mean) / local deviation, and that deviation."""
    mean = _smooth(grey)
    deviation = np.sqrt(np.abs(_smooth(grey * grey) - mean * mean))
    return (grey - mean) / (deviation + 1), deviation


def _smooth(grey: Floats) -> Floats:
    taps = np.exp(-0.5 * (np.arange(-_RADIUS, _RADIUS + 1) / _SIGMA) ** 2)
    taps /= taps.sum()
    smoothed: Floats = correlate1d(correlate1d(grey, taps, axis=0, mode="nearest"), taps, axis=1, mode="nearest")
    return smoothed


def _blocks(plane: Floats, edge: int) -> Floats:
    rows, columns = (size // edge for size in plane.shape)
    grid = plane.reshape(rows, edge, columns, edge).transpose(0, 2, 1, 3)
    return grid.reshape(rows * columns, edge, edge)


def _features(blocks: Floats) -> Floats:
    """Return 18 numbers per block: shapes and widths of the distributions of pixels and of products of neighbours."""
    shape, left, right = _asymmetric_gaussian(blocks)
    features = [shape, (left + right) / 2]
    for shift in _NEIGHBOURS:
        shape, left, right = _asymmetric_gaussian(blocks * np.roll(blocks, shift, axis=(1, 2)))
        middle = (right - left) * np.array([math.gamma(2 / value) / math.gamma(1 / value) for value in shape])
        features += [shape, middle, left, right]
    return np.stack(features, axis=1)


def _asymmetric_gaussian(blocks: Floats) -> tuple[Floats, Floats, Floats]:
    """Return shape, left and right scale of generalised Gaussians by moment matching, each (blocks,)."""
    values = blocks.reshape(len(blocks), -1)
    squares = values**2
    left = _root_mean(squares, values < 0)
    right = _root_mean(squares, values > 0)
    asymmetry = left / right
    peak = np.abs(values).mean(axis=1) ** 2 / np.maximum(squares.mean(axis=1), _NOTHING)
    peak *= (asymmetry**3 + 1) * (asymmetry + 1) / (asymmetry**2 + 1) ** 2
    shapes, peaks, scales = _shapes()
    nearest = np.abs(peaks - peak[:, None]).argmin(axis=1)
    return shapes[nearest], left * scales[nearest], right * scales[nearest]


def _root_mean(squares: Floats, chosen: NDArray[np.bool_]) -> Floats:
    total = np.sum(squares, axis=1, where=chosen)
    mean: Floats = np.maximum(total, _NOTHING) / np.maximum(chosen.sum(axis=1), 1)
    return np.sqrt(mean)


@functools.cache
def _shapes() -> tuple[Floats, Floats, Floats]:
    """Return shapes of generalised Gaussians, their peakedness, and their scales at unit deviation."""
    shapes = np.arange(0.2, 10.001, 0.001)
    first, second, third = (np.array([math.gamma(n / shape) for shape in shapes]) for n in (1, 2, 3))
    return shapes, second**2 / (first * third), np.sqrt(first / third)
