"""Power that alternates from pixel to pixel: the pattern that badly trained enlargers leave."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

_WINDOW = 64  # edge of the windows whose spectra are averaged, pixels; they overlap by half
_HIGHEST = _WINDOW // 2
_BELOW = slice(26, 30)  # far enough below to escape leakage from the highest frequency
_FLOOR = 1e-6  # added to both powers: a flat picture has none

Luma = NDArray[np.floating]


def alternation_db(luma: Luma) -> float | None:
    """Return the power at the highest frequency of rows and columns relative to slightly lower frequencies, dB.

    Photographs are below 0, since their power falls towards that frequency. A pattern of single pixels has most of its
    power there, even an irregular one, and raises the value.

    Args:
        luma: (H, W), grey levels.

    Returns:
        None for pictures smaller than 64 pixels along an edge.
    """
    if min(luma.shape) < _WINDOW:
        return None
    step = _WINDOW // 2
    windows = np.lib.stride_tricks.sliding_window_view(luma, (_WINDOW, _WINDOW))[::step, ::step].astype(np.float64)
    bell = np.hanning(_WINDOW + 1)[:-1]
    weighted = (windows - windows.mean(axis=(2, 3), keepdims=True)) * bell * bell[:, None]
    power = (np.abs(np.fft.fft2(weighted)) ** 2).mean(axis=(0, 1))
    power = power + power.T
    return 10 * math.log10((power[_HIGHEST].mean() + _FLOOR) / (power[_BELOW].mean() + _FLOOR))
