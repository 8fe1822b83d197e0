"""The deblocking filter of `nncodec.nn.deblocking` without torch."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from nncodec.engine.operations import FloatArray
from nncodec.engine.transform_config import STRIDE

# Pixels on each side of a line that the filter looks at.
_SEEN = 3


class Deblocking(NamedTuple):
    """The filter at one quality.

    Args:
        strength: the share of an unexplained step by which each of its two pixels moves, at most.
        tolerance: the differences beside a step, in 0..1, at which the strength is halved.
    """

    strength: float
    tolerance: float

    def apply(self, pixels: FloatArray) -> None:
        """Filter pixels (N, H, W, C), H and W multiples of 16, in place."""
        with np.errstate(all="ignore"):  # absurd weights overflow, as they do elsewhere
            self._filter_rows(pixels)
            self._filter_rows(pixels.swapaxes(1, 2))

    def _filter_rows(self, pixels: FloatArray) -> None:
        """Filter across horizontal lines, in place."""
        lines = pixels.shape[1] // STRIDE - 1
        p2, p1, p0, q0, q1, q2 = (pixels[:, STRIDE + offset :: STRIDE][:, :lines] for offset in range(-_SEEN, _SEEN))
        before, after = p0 - p1, q1 - q0
        activity = (np.abs(before) + np.abs(after) + np.abs(p1 - p2) + np.abs(q2 - q1)) / np.float32(4)
        unexplained = q0 - p0 - (before + after) / np.float32(2)
        squared = np.float32(self.tolerance * self.tolerance)
        moved = unexplained * (
            np.float32(self.strength) * squared / (squared + activity * activity + np.float32(1e-12))
        )
        p0 += moved
        q0 -= moved
