"""Find the rectangles of a block that equal an earlier place of it, by keys of squares."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from nncodec.plugin.lossless import Samples
from nncodec_lossless.copies import MOST_COPIES, Copies, Copy
from nncodec_lossless.repetition import is_drawn

# Edge of the squares that are looked for, in photographs and in drawings. Letters and thin lines repeat too, but the
# coder of drawings knows that.
_SQUARE, _DRAWN_SQUARE = 8, 32
# Share of the squares of more than one colour that must have been seen before.
_LEAST_SHARE = 1 / 4
_MOST_EDGE = (1 << 16) - 1
_FACTORS = (np.uint64(0x9E3779B97F4A7C15), np.uint64(0xC2B2AE3D27D4EB4F), np.uint64(0xD6E8FEB86659FD93))
# Bits of the table that shows which squares cannot have been seen before.
_SIEVE_BITS = 18

Keys = NDArray[np.uint64]


def find(samples: Samples) -> Copies | None:
    """Return the copies in a block, uint16 (N, H, W, C), or None if there are few."""
    _, height, width, _ = samples.shape
    edge = _DRAWN_SQUARE if is_drawn(samples) else _SQUARE
    if min(height, width) < edge or max(height, width) > _MOST_EDGE:
        return None
    keys = _keys(samples)
    found = _grown(keys, _seen_before(keys, edge))
    if not found:
        return None
    copies = Copies(found, height, width)
    # Two squares may have one key by chance.
    return copies if np.array_equal(copies.filled(copies.without(samples)), samples) else None


def _seen_before(keys: Keys, edge: int) -> list[tuple[Copy, Copy]]:
    """Return squares as copies of the first and of the last earlier place that they equal; none if those are few."""
    windows = _window_keys(keys, edge)
    squares = windows[::edge, ::edge]
    rows, columns = squares.shape
    parts = keys[: rows * edge, : columns * edge].reshape(rows, edge, columns, edge)
    is_busy = (parts != parts[:, :1, :, :1]).any(axis=(1, 3))
    shift = np.uint64(64 - _SIEVE_BITS)
    sieve = np.zeros(1 << _SIEVE_BITS, bool)
    sieve[squares[is_busy] >> shift] = True
    places = np.flatnonzero(sieve[windows >> shift])
    # Equal squares side by side, in the order of their places.
    places = places[np.argsort(windows.ravel()[places], kind="stable")]
    ranks = np.zeros(windows.size, np.intp)
    ranks[places] = np.arange(len(places))
    tops, lefts = (edge * numbers for numbers in np.nonzero(is_busy))
    own = ranks[tops * windows.shape[1] + lefts]
    first = np.searchsorted(windows.ravel()[places], squares[is_busy])
    is_later = own > first
    if np.count_nonzero(is_later) <= _LEAST_SHARE * is_later.size:
        return []
    fields = np.stack(
        [tops, lefts, *np.divmod(places[first], windows.shape[1]), *np.divmod(places[own - 1], windows.shape[1])]
    )
    return [
        (Copy(top, left, edge, edge, *first), Copy(top, left, edge, edge, *last))
        for top, left, *first_and_last in fields.T[is_later].tolist()
        for first, last in [(first_and_last[:2], first_and_last[2:])]
    ]


def _grown(keys: Keys, squares: list[tuple[Copy, Copy]]) -> list[Copy]:
    """Return a copy for each square that none before it holds, as large as it can be, up to `MOST_COPIES`."""
    found: list[Copy] = []
    is_free = np.ones(keys.shape, bool)
    for choices in squares:
        if len(found) < MOST_COPIES and is_free[choices[0].place].all():
            # An early place may lie at the edge of the block, which cuts off what else is equal.
            largest = (_largest(keys, is_free, choice) for choice in sorted(set(choices)))
            found.append(max(largest, key=lambda copy: copy.height * copy.width))
            is_free[found[-1].place] = False
    return found


def _largest(keys: Keys, is_free: NDArray[np.bool_], square: Copy) -> Copy:
    """Return the copy that a square is part of: it grows to the right, then down, to the left and up."""
    top, left, height, width, from_top, from_left = square
    bottom, right = top + height, left + width
    up, back = top - from_top, left - from_left

    def same(rows: slice, columns: slice) -> NDArray[np.bool_]:
        above, before = (slice(at.start - by, at.stop - by) for at, by in ((rows, up), (columns, back)))
        return np.asarray((keys[rows, columns] == keys[above, before]) & is_free[rows, columns])

    right += _run(same(slice(top, bottom), slice(right, keys.shape[1] + min(0, back))))
    bottom += _run(same(slice(bottom, keys.shape[0]), slice(left, right)).T)
    left -= _run(same(slice(top, bottom), slice(max(0, back), left))[:, ::-1])
    top -= _run(same(slice(up, top), slice(left, right))[::-1].T)
    return Copy(top, left, bottom - top, right - left, top - up, left - back)


def _run(flags: NDArray[np.bool_]) -> int:
    """Return how many columns are all true before the first that is not."""
    columns = np.asarray(flags.all(axis=0))
    return len(columns) if columns.all() else int(np.argmin(columns))


def _keys(samples: Samples) -> Keys:
    """Return a number for each pixel in all frames, (H, W); hardly any two share one."""
    keys = np.zeros(samples.shape[1:3], np.uint64)
    for frame in samples:
        for plane in np.moveaxis(frame, 2, 0):
            keys += plane
            keys *= _FACTORS[0]
    keys ^= keys >> np.uint64(29)
    keys *= _FACTORS[1]
    keys ^= keys >> np.uint64(32)
    return keys


def _window_keys(keys: Keys, edge: int) -> Keys:
    """Return a number for each square, (H - edge + 1, W - edge + 1); the edge is a power of 2."""
    for _ in range(2):
        size = 1
        while size < edge:  # two windows side by side are one of twice the size
            first, second = keys[:, :-size], keys[:, size:]
            keys = (first * _FACTORS[0] ^ (second >> np.uint64(31) | second << np.uint64(33))) * _FACTORS[2]
            size *= 2
        keys = keys.T
    return np.ascontiguousarray(keys)
