"""Rows and columns that equal the one before are left out: enlarged sprites, doubled lines, stripes.

A bit for each row and column but the first says whether it repeats; then follows the payload of the others.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from nncodec.errors import Corrupt
from nncodec.format.entropy.zstd import compress, decompress
from nncodec.plugin.lossless import Samples

# Pages have some equal rows too, which cost their coder next to nothing.
_MOST_LEFT = 1 / 2
# Every so many rows or columns show that a photograph has none.
_STEP = 16
_SIZE = struct.Struct("<H")

Shape = tuple[int, int, int, int]


class Repeats(NamedTuple):
    """Which rows and columns of a block differ from the one before, bool (H,) and (W,); the first ones do."""

    rows: NDArray[np.bool_]
    columns: NDArray[np.bool_]

    @property
    def left_share(self) -> float:
        """Return the share of pixels that are left."""
        return float(self.rows.mean() * self.columns.mean())

    def without(self, samples: Samples) -> Samples:
        """Return the rows and columns of a block that are left, contiguous."""
        return np.ascontiguousarray(samples[:, self.rows][:, :, self.columns])


def find(samples: Samples) -> Repeats | None:
    """Return what repeats in a block, uint16 (N, H, W, C), or None if more than half of its pixels would be left."""
    # Rows that differ in some columns differ, so this finds no fewer repeats than there are.
    if _repeats(samples[:, :, ::_STEP], samples[:, ::_STEP]).left_share > _MOST_LEFT:
        return None
    found = _repeats(samples, samples)
    return None if found.left_share > _MOST_LEFT else found


def pack(repeats: Repeats, payload: bytes) -> bytes:
    """Return the payload of a block.

    Args:
        repeats: of its rows and columns.
        payload: of those that are left.
    """
    flags = compress(np.packbits(~np.concatenate([repeats.rows[1:], repeats.columns[1:]])).tobytes())
    return _SIZE.pack(len(flags)) + flags + payload


def decode(payload: bytes, shape: Shape, decode_part: Callable[[bytes, Shape], Samples]) -> Samples:
    """Return the samples of a payload.

    Args:
        payload: as `pack` returned it, or damaged.
        shape: (N, H, W, C) of the samples.
        decode_part: returns the samples of the payload of those that are left.

    Raises:
        ValueError: the payload is damaged.
    """
    frames, height, width, planes = shape
    if len(payload) < _SIZE.size:
        raise ValueError("a block with repeats ends within its header")
    end = _SIZE.size + _SIZE.unpack_from(payload)[0]
    count = height - 1 + width - 1
    try:
        flags = np.frombuffer(decompress(payload[_SIZE.size : end], (count + 7) // 8, exact=True), np.uint8)
    except Corrupt as error:
        raise ValueError(str(error)) from error
    differs = np.unpackbits(flags, count=count) == 0
    # Numbers of the rows and columns that are left, for each of the block's.
    rows, columns = (np.concatenate([[0], np.cumsum(part)]) for part in np.split(differs, [height - 1]))
    left = decode_part(payload[end:], (frames, int(rows[-1]) + 1, int(columns[-1]) + 1, planes))
    return left[:, rows][:, :, columns]


def _repeats(of_rows: Samples, of_columns: Samples) -> Repeats:
    """Return which rows and columns repeat, each from samples that hold all of them."""
    rows, columns = (
        np.concatenate([[True], (lines[1:] != lines[:-1]).any(axis=(1, 2, 3))])
        for lines in (of_rows.swapaxes(0, 1), of_columns.transpose(2, 0, 1, 3))
    )
    return Repeats(rows, columns)
