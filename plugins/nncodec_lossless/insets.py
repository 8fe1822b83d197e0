"""A page with photographs in it: each is a rectangle with a coder of its own, and the page is drawn around them.

The rectangles stand first, then their payloads, then that of the whole block, in which each rectangle has one colour.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from nncodec.plugin.lossless import Samples
from nncodec_lossless.repetition import repeated

MOST_INSETS = 16
_INSET = struct.Struct("<4HI")
_MOST_EDGE = (1 << 16) - 1
# Rows and columns of the squares that are drawn or photographed as a whole.
_SQUARE = 16
# A smaller photograph, in pixels, is not worth a payload.
_LEAST_PIXELS = 64 * 64
# Share of a block that must be drawn.
_LEAST_PAGE = 1 / 8
# Lines of text are mostly ground, lines of photographs have many colours.
_GROUND_SHARE = 0.3
_KEY_FACTOR = np.uint64(0x9E3779B97F4A7C15)


class Inset(NamedTuple):
    """A rectangle of a block."""

    top: int
    left: int
    height: int
    width: int

    @property
    def pixels(self) -> int:
        """Return its area."""
        return self.height * self.width

    @property
    def place(self) -> tuple[slice, slice, slice]:
        """Return where it lies in samples (N, H, W, C)."""
        return slice(None), slice(self.top, self.top + self.height), slice(self.left, self.left + self.width)


def find(samples: Samples) -> list[Inset]:
    """Return the rectangles of a block that look like photographs, if most pixels of the rest repeat."""
    if max(samples.shape[1:3]) > _MOST_EDGE:
        return []
    differs = np.asarray(~repeated(samples).all(axis=0))
    if np.count_nonzero(differs) > (1 - _LEAST_PAGE / 2) * differs.size:
        return []
    boxes = sorted(_divided(_smoothed(_busy_squares(differs)), 0, 0), key=lambda box: -box.pixels)[:MOST_INSETS]
    keys = _keys(samples)
    found: list[Inset] = []
    outside = np.ones(differs.shape, bool)
    for box in boxes:
        if not outside[box.top * _SQUARE, box.left * _SQUARE]:
            continue  # a part of a photograph that is found
        inset = _fitted(box, keys)
        if inset.pixels >= _LEAST_PIXELS:
            found.append(inset)
            outside[inset.place[1:]] = False
        if np.count_nonzero(outside) < _LEAST_PAGE * outside.size:
            return []
    is_drawn = 2 * np.count_nonzero(outside & differs) <= np.count_nonzero(outside)
    return found if is_drawn and sum(inset.pixels for inset in found) <= outside.size else []


def without(samples: Samples, insets: list[Inset]) -> Samples:
    """Return a block in which each inset has the colour of the first pixel outside of all."""
    outside = np.ones(samples.shape[1:3], bool)
    for inset in insets:
        outside[inset.place[1:]] = False
    row, column = np.unravel_index(np.argmax(outside), outside.shape)
    page = samples.copy()
    for inset in insets:
        page[inset.place] = samples[:, row, column][:, None, None]
    return page


def pack(insets: list[Inset], payloads: list[bytes], page: bytes) -> bytes:
    """Return the payload of a block.

    Args:
        insets: 1..`MOST_INSETS`.
        payloads: of each.
        page: of the block without them.
    """
    table = b"".join(_INSET.pack(*inset, len(payload)) for inset, payload in zip(insets, payloads, strict=True))
    return bytes([len(insets)]) + table + b"".join(payloads) + page


def decode(
    payload: bytes, shape: tuple[int, int, int, int], decode_part: Callable[[bytes, tuple[int, int, int, int]], Samples]
) -> Samples:
    """Return the samples of a payload.

    Args:
        payload: as `pack` returned it, or damaged.
        shape: (N, H, W, C) of the samples.
        decode_part: returns the samples of the payload of an inset, or of the page.

    Raises:
        ValueError: the payload is damaged.
    """
    frames, height, width, planes = shape
    count = payload[0] if payload else 0
    start = 1 + count * _INSET.size
    if not 1 <= count <= MOST_INSETS or len(payload) <= start:
        raise ValueError("a block with insets ends within their table")
    parts, pixels = [], 0
    for *place, size in _INSET.iter_unpack(payload[1:start]):
        inset = Inset(*place)
        pixels += inset.pixels
        if not inset.pixels or inset.top + inset.height > height or inset.left + inset.width > width:
            raise ValueError("an inset is empty or reaches beyond its block")
        if pixels > height * width:
            raise ValueError("insets are larger than their block")
        parts.append((inset, payload[start : start + size]))
        start += size
    samples = decode_part(payload[start:], shape)
    for inset, content in parts:
        samples[inset.place] = decode_part(content, (frames, inset.height, inset.width, planes))
    return samples


def _busy_squares(differs: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return whether half of the pixels of each square differ from the left and from above."""
    rows, columns = (np.arange(0, size, _SQUARE) for size in differs.shape)
    busy = np.add.reduceat(np.add.reduceat(differs, rows, axis=0, dtype=np.int32), columns, axis=1)
    sizes = np.outer(
        *(np.diff(starts, append=size) for starts, size in zip((rows, columns), differs.shape, strict=True))
    )
    return 2 * busy > sizes


def _smoothed(busy: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return squares that are busy with their neighbours: single ones vanish, holes close, corners stay."""
    height, width = busy.shape
    padded = np.pad(busy, 1, mode="edge").astype(np.int8)
    around = sum(padded[y : y + height, x : x + width] for y in range(3) for x in range(3))
    return np.asarray(around >= 4)


def _divided(busy: NDArray[np.bool_], top: int, left: int) -> Iterator[Inset]:
    """Yield boxes around busy squares that quiet rows or columns separate, in squares."""
    rows, columns = (_runs(np.asarray(busy.any(axis=axis))) for axis in (1, 0))
    if len(rows) == len(columns) == 1:
        (first, last), (start, stop) = rows[0], columns[0]
        if (last - first, stop - start) == busy.shape:
            yield Inset(top, left, *busy.shape)
            return
    for first, last in rows:
        for start, stop in columns:
            yield from _divided(busy[first:last, start:stop], top + first, left + start)


def _runs(flags: NDArray[np.bool_]) -> list[tuple[int, int]]:
    """Return start and stop of each run of true flags."""
    edges = np.flatnonzero(np.diff(flags.astype(np.int8), prepend=0, append=0))
    return [(int(start), int(stop)) for start, stop in edges.reshape(-1, 2)]


def _fitted(box: Inset, keys: NDArray[np.uint64]) -> Inset:
    """Return the pixels of a box of squares, without outer lines that are drawn, and with those around that are not."""
    spans = [
        [start * _SQUARE, min(limit, (start + size) * _SQUARE)]
        for start, size, limit in zip(box[:2], box[2:], keys.shape, strict=True)
    ]
    for axis in (0, 1, 0, 1):
        across = slice(*spans[1 - axis])
        lines = keys[:, across] if axis == 0 else keys[across].T
        first, last = spans[axis]
        while first > 0 and not _is_drawn(lines[first - 1]):
            first -= 1
        while last < len(lines) and not _is_drawn(lines[last]):
            last += 1
        while first < last and _is_drawn(lines[first]):
            first += 1
        while first < last and _is_drawn(lines[last - 1]):
            last -= 1
        if first == last:
            return Inset(0, 0, 0, 0)
        spans[axis] = [first, last]
    (top, bottom), (left, right) = spans
    return Inset(top, left, bottom - top, right - left)


def _is_drawn(line: NDArray[np.uint64]) -> bool:
    """Return whether a colour fills much of a line, as the ground does between letters."""
    return bool(np.unique(line, return_counts=True)[1].max() > _GROUND_SHARE * len(line))


def _keys(samples: Samples) -> NDArray[np.uint64]:
    """Return a number for the colour of each pixel in the first frame, (H, W); hardly any two colours share one."""
    keys = np.zeros(samples.shape[1:3], np.uint64)
    for plane in range(samples.shape[3]):
        keys = keys * _KEY_FACTOR + samples[0, :, :, plane]
    return keys
