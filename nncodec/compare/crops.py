"""Parts of a picture that are worth a closer look."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image


@dataclass(frozen=True)
class Crop:
    """Part of a picture in pixels: left and top inside, right and bottom outside."""

    left: int
    top: int
    right: int
    bottom: int

    @property
    def width(self) -> int:
        """Pixels across."""
        return self.right - self.left

    @property
    def height(self) -> int:
        """Pixels down."""
        return self.bottom - self.top

    @property
    def box(self) -> tuple[int, int, int, int]:
        """The edges as Pillow takes them."""
        return self.left, self.top, self.right, self.bottom


def window_sums(values: NDArray[np.floating], height: int, width: int) -> NDArray[np.float64]:
    """Return the sum of every window of this size.

    Args:
        values: shape (H, W).

    Returns:
        Sums by the window's top and left, shape (H - height + 1, W - width + 1).
    """
    sums = np.zeros((values.shape[0] + 1, values.shape[1] + 1))
    sums[1:, 1:] = values.cumsum(0, np.float64).cumsum(1)
    windows: NDArray[np.float64] = (
        sums[height:, width:] - sums[:-height, width:] - sums[height:, :-width] + sums[:-height, :-width]
    )
    return windows


def most_different_square(original: Image.Image, decoded: Sequence[Image.Image], side: int) -> Crop:
    """Return the square where the squared errors of the worst and the best codec are furthest apart.

    Args:
        decoded: the picture after each codec, one or more, in the original's mode.
        side: of the square in pixels, at most the shorter edge.
    """
    before = np.asarray(original, np.float32)
    errors = []
    for picture in decoded:
        error = np.square(np.asarray(picture, np.float32) - before)
        errors.append(window_sums(error.sum(axis=2) if error.ndim == 3 else error, side, side))
    apart = np.ptp(errors, axis=0) if len(errors) > 1 else errors[0]
    top, left = (int(place) for place in np.unravel_index(int(apart.argmax()), apart.shape))
    return Crop(left, top, left + side, top + side)
