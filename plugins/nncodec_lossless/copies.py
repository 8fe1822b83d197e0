"""Rectangles that equal an earlier place of their block are copied from there: tiles, patterns, pictures shown twice.

Frames stand one below the other as one picture, so what stays the same from frame to frame is copied too. The
rectangles come first. Rows and columns that consist of copies are left out, and the payload of the others follows, in
which copies have one colour.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from nncodec.errors import Corrupt
from nncodec.format.entropy.zstd import compress, decompress
from nncodec.plugin.lossless import Samples

MOST_COPIES = 1 << 14
# Times that all copies together may cover a block: once by rows, once by columns.
MOST_COVER = 2
_HEADER = struct.Struct("<HI")
_FIELD = np.dtype("<u2")

Shape = tuple[int, int, int, int]


class Copy(NamedTuple):
    """A rectangle of a picture, and the earlier place that it equals; the two may overlap."""

    top: int
    left: int
    height: int
    width: int
    from_top: int
    from_left: int

    @property
    def pixels(self) -> int:
        """Return its area."""
        return self.height * self.width

    @property
    def place(self) -> tuple[slice, slice]:
        """Return where it lies in pixels (H, W)."""
        return slice(self.top, self.top + self.height), slice(self.left, self.left + self.width)


class Copies:
    """Copies in a picture, in any order: what they copy may itself be copied.

    Args:
        copies: each within the picture and from earlier there; later ones replace earlier ones.
        height, width: of the picture.
    """

    def __init__(self, copies: list[Copy], height: int, width: int) -> None:
        self.copies = copies
        pixels = np.arange(height * width, dtype=np.int32).reshape(height, width)
        sources = pixels.copy()
        for copy in copies:
            distance = pixels[copy.top, copy.left] - pixels[copy.from_top, copy.from_left]
            sources[copy.place] = pixels[copy.place] - distance
        self._is_copied = sources != pixels
        self._sources = sources
        self._rows, self._columns = (~self._is_copied.all(axis=axis) for axis in (1, 0))

    @property
    def shape_left(self) -> tuple[int, int]:
        """Return how many rows and columns do not consist of copies."""
        return int(self._rows.sum()), int(self._columns.sum())

    def without(self, samples: Samples) -> Samples:
        """Return the rows and columns of a block that are left, (1, rows, columns, C).

        Copies have the colour of the first pixel there.
        """
        left = stacked(samples).copy()
        left[:, self._is_copied] = left[:, :1, 0]
        return np.ascontiguousarray(left[:, self._rows][:, :, self._columns])

    def filled(self, left: Samples) -> Samples:
        """Return the block, its frames one below the other, from what `without` returned."""
        rows, columns = (np.maximum(np.cumsum(flags) - 1, 0) for flags in (self._rows, self._columns))
        sources = self._sources
        while not np.array_equal(further := sources.ravel()[sources], sources):  # each round doubles the distance
            sources = further
        from_rows, from_columns = np.divmod(sources, sources.shape[1])
        return left[:, rows[from_rows], columns[from_columns]]


def stacked(samples: Samples) -> Samples:
    """Return samples (N, H, W, C) with frames one below the other, (1, N H, W, C)."""
    return samples.reshape(1, -1, *samples.shape[2:])


def pack(copies: Copies, payload: bytes) -> bytes:
    """Return the payload of a block.

    Args:
        copies: of the block, at least one.
        payload: of what they leave.
    """
    table = compress(np.array(copies.copies).T.astype(_FIELD).tobytes())
    return _HEADER.pack(len(copies.copies) - 1, len(table)) + table + payload


def decode(payload: bytes, shape: Shape, decode_part: Callable[[bytes, Shape], Samples]) -> Samples:
    """Return the samples of a payload.

    Args:
        payload: as `pack` returned it, or damaged.
        shape: (N, H, W, C) of the samples.
        decode_part: returns the samples of the payload of what copies leave.

    Raises:
        ValueError: the payload is damaged.
    """
    frames, rows, width, planes = shape
    height = frames * rows
    if len(payload) < _HEADER.size:
        raise ValueError("a block with copies ends within its header")
    count, size = _HEADER.unpack_from(payload)
    count, end = count + 1, _HEADER.size + size
    if count > MOST_COPIES:
        raise ValueError(f"a block has {count} copies, and may have {MOST_COPIES}")
    try:
        table = decompress(payload[_HEADER.size : end], len(Copy._fields) * count * _FIELD.itemsize, exact=True)
    except Corrupt as error:
        raise ValueError(str(error)) from error
    found = [Copy(*fields) for fields in np.frombuffer(table, _FIELD).reshape(-1, count).T.tolist()]
    if not all(_lies_within(copy, height, width) for copy in found):
        raise ValueError("a copy is empty, reaches beyond its block or comes from later in it")
    if sum(copy.pixels for copy in found) > MOST_COVER * height * width:
        raise ValueError("copies are larger than their block")
    copies = Copies(found, height, width)
    return copies.filled(decode_part(payload[end:], (1, *copies.shape_left, planes))).reshape(shape)


def _lies_within(copy: Copy, height: int, width: int) -> bool:
    return (
        min(copy.height, copy.width) > 0
        and (copy.from_top, copy.from_left) < (copy.top, copy.left)
        and copy.top + copy.height <= height
        and max(copy.left, copy.from_left) + copy.width <= width
    )
