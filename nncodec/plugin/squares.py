"""Squares of a picture that equal an earlier place of it: what a coder that copies can leave out."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nncodec.plugin.lossless import Samples

_FACTORS = (np.uint64(0x9E3779B97F4A7C15), np.uint64(0xC2B2AE3D27D4EB4F), np.uint64(0xD6E8FEB86659FD93))
# Bits of the table that shows which squares cannot have been seen before.
_SIEVE_BITS = 18

Keys = NDArray[np.uint64]


@dataclass(frozen=True)
class SeenSquares:
    """Squares on a grid that equal an earlier place, which need not lie on it.

    Args:
        busy: number of squares whose rows differ, and whose columns differ, seen before or not. Coders that see their
            neighbours hardly need more for others.
        places: (count, 6) of those that were: row and column, then those of the first and of the last earlier place.
    """

    busy: int
    places: NDArray[np.intp]

    @property
    def share(self) -> float:
        """The share of busy squares that were seen before, 0..1."""
        return len(self.places) / self.busy if self.busy else 0.0


def pixel_keys(samples: Samples) -> Keys:
    """Return a number for each pixel of samples (N, H, W, C) in all frames, (H, W); hardly any two share one."""
    keys = np.zeros(samples.shape[1:3], np.uint64)
    for frame in samples:
        for plane in np.moveaxis(frame, 2, 0):
            keys += plane
            keys *= _FACTORS[0]
    keys ^= keys >> np.uint64(29)
    keys *= _FACTORS[1]
    keys ^= keys >> np.uint64(32)
    return keys


def seen_squares(keys: Keys, height: int, width: int) -> SeenSquares:
    """Return the squares, or rectangles, that were seen before.

    Args:
        keys: of pixels, at least as large as a square.
        height, width: of a square, powers of 2.
    """
    windows = _window_keys(keys, height, width)
    squares = windows[::height, ::width]
    rows, columns = squares.shape
    parts = keys[: rows * height, : columns * width].reshape(rows, height, columns, width)
    is_busy = (parts[..., 1:] != parts[..., :-1]).any(axis=(1, 3))
    if height > 1:
        is_busy &= (parts[:, 1:] != parts[:, :-1]).any(axis=(1, 3))
    shift = np.uint64(64 - _SIEVE_BITS)
    sieve = np.zeros(1 << _SIEVE_BITS, bool)
    sieve[squares[is_busy] >> shift] = True
    places = np.flatnonzero(sieve[windows >> shift])
    # Equal squares side by side, in the order of their places.
    places = places[np.argsort(windows.ravel()[places], kind="stable")]
    ranks = np.zeros(windows.size, np.intp)
    ranks[places] = np.arange(len(places))
    tops, lefts = np.nonzero(is_busy)
    tops, lefts = height * tops, width * lefts
    own = ranks[tops * windows.shape[1] + lefts]
    first = np.searchsorted(windows.ravel()[places], squares[is_busy])
    earlier = [np.divmod(places[rank], windows.shape[1]) for rank in (first, own - 1)]
    fields = np.stack([tops, lefts, *earlier[0], *earlier[1]], axis=1)
    return SeenSquares(len(tops), fields[own > first])


def _window_keys(keys: Keys, height: int, width: int) -> Keys:
    """Return a number for each square, (H - height + 1, W - width + 1)."""
    for edge in (width, height):
        size = 1
        while size < edge:  # two windows side by side are one of twice the size
            first, second = keys[:, :-size], keys[:, size:]
            keys = (first * _FACTORS[0] ^ (second >> np.uint64(31) | second << np.uint64(33))) * _FACTORS[2]
            size *= 2
        keys = keys.T
    return np.ascontiguousarray(keys)
