"""The order in which pixels are coded, and what is known around each of them.

Step t takes the pixels (x, y) with x + 2 y = t of all frames at once: one for each row, two columns to the left of that
in the row above. So the pixels to the left, above, above left and above right of each of them are known, and a picture
takes only width + 2 height - 2 steps, each a few operations on vectors.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from nncodec_lossless.synthetic.probabilities import Ints, Keys

# Rows above a pixel that its contexts see, and steps after which a pixel is none of the direct neighbours.
_ROWS = 4
_STEPS = 4
_HISTORY_BITS = 64
_MIX = np.array([0x9E3779B97F4A7C15, 0xC2B2AE3D27D4EB4F, 0x165667B19E3779F9, 0xD6E8FEB86659FD93], np.uint64)
_HALF_KEY = np.uint64(32)
_T = TypeVar("_T", np.int64, np.uint64)

Template = tuple[tuple[int, int], ...]
"""Pixels that a context sees: for the row itself and each of the three above it, the places of the first pixel and of
the one after the last. Place 0 is the last one that is known: for the row itself and those above it the columns x - 1,
x + 1, x + 3 and x + 5. Higher places lie further to the left."""


class Neighbours(NamedTuple):
    """Indices beside the pixels of a step, int64 (pixels,); 0 outside the picture."""

    west: Ints
    north_west: Ints
    north: Ints
    north_east: Ints


def step_count(height: int, width: int) -> int:
    """Return the number of steps of a picture."""
    return width + 2 * (height - 1)


class Wavefront:
    """Walks over frames of indices.

    Args:
        shape: frames, height and width.
        pixel_bits: how many bits of each index contexts see, 1, 2, 4 or 8: a row's history of 64 bits holds the more
            pixels, the fewer bits each has.
        templates: the pixels of each level of contexts.
    """

    def __init__(self, shape: tuple[int, int, int], pixel_bits: int, templates: tuple[Template, ...]) -> None:
        self._frames, self._height, self._width = shape
        self._pixel_bits = np.uint64(pixel_bits)
        self._pixel_mask = (1 << pixel_bits) - 1
        # Lanes are rows, with all frames of a row side by side, below rows of zeros.
        self._above = _ROWS * self._frames
        lanes = self._above + self._height * self._frames
        self._histories = np.zeros(lanes, np.uint64)
        self._past = [np.zeros(lanes, np.int64) for _ in range(_STEPS)]
        masks = [[_mask(places, pixel_bits) for places in template] for template in templates]
        self._masks = np.array(masks, np.uint64)[:, :, None]  # (levels, rows, 1)
        self._rows = [row for row in range(_ROWS) if self._masks[:, row].any()]
        self._first = self._last = self._step = 0

    def steps(self) -> Iterator[NDArray[np.intp]]:
        """Yield the places of each step's pixels in the flattened frames; `advance` must follow each of them."""
        row = np.repeat(np.arange(self._height), self._frames)
        frame = np.tile(np.arange(self._frames), self._height)
        starts = (frame * self._height + row) * self._width - 2 * row
        for step in range(step_count(self._height, self._width)):
            first = max(0, (step - self._width + 2) // 2) * self._frames
            last = (min(self._height - 1, step // 2) + 1) * self._frames
            self._step, self._first, self._last = step, first + self._above, last + self._above
            yield starts[first:last] + step

    def keys(self) -> Keys:
        """Return the hash of each pixel's context on each level, uint64 (levels, pixels)."""
        keys = np.zeros((len(self._masks), self._last - self._first), np.uint64)
        for row in self._rows:
            keys += (self._row(self._histories, row) & self._masks[:, row]) * _MIX[row]
        keys ^= keys >> _HALF_KEY
        keys *= _MIX[0]
        return keys

    def neighbours(self) -> Neighbours:
        """Return the indices beside each pixel."""
        one, two, three = (self._past[(self._step - back) % _STEPS] for back in (1, 2, 3))
        return Neighbours(self._row(one, 0), self._row(three, 1), self._row(two, 1), self._row(one, 1))

    def advance(self, indices: Ints) -> None:
        """Take the indices of the step's pixels."""
        now = self._past[self._step % _STEPS]
        now[self._first : self._last] = indices
        # Rows that have ended go on with zeros for as long as the rows below see them.
        start = max(self._above, self._first - self._above)
        now[start : self._first] = 0
        histories = self._histories[start : self._last]
        histories <<= self._pixel_bits
        histories |= (now[start : self._last] & self._pixel_mask).view(np.uint64)

    def _row(self, lanes: NDArray[_T], above: int) -> NDArray[_T]:
        shift = above * self._frames
        return lanes[self._first - shift : self._last - shift]


def _mask(places: tuple[int, int], pixel_bits: int) -> int:
    first, last = places
    return (1 << last * pixel_bits) - (1 << first * pixel_bits) & (1 << _HISTORY_BITS) - 1
