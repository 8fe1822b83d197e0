"""Which pixels repeat another one: drawings are full of them, photographs are not."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from nncodec.plugin.lossless import Samples


def repeated(samples: Samples) -> NDArray[np.bool_]:
    """Return whether each pixel equals the one to the left or the one above, (N, H, W)."""
    same_left, same_above = np.ones(samples.shape[:3], bool), np.ones(samples.shape[:3], bool)
    same_left[:, :, 0] = same_above[:, 0] = False
    for plane in np.moveaxis(samples, 3, 0):
        same_left[:, :, 1:] &= plane[:, :, 1:] == plane[:, :, :-1]
        same_above[:, 1:] &= plane[:, 1:] == plane[:, :-1]
    same_left |= same_above
    return same_left


def is_drawn(samples: Samples) -> bool:
    """Return whether half of the pixels, first row and column aside, equal the one to the left or the one above."""
    same = repeated(samples)[:, 1:, 1:]
    return bool(2 * np.count_nonzero(same) >= same.size)
