"""How far the pictures of a file are from what was encoded."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from nncodec.coding.decoder import decode_frames
from nncodec.format.container import Container
from nncodec.picture.area import Area, Span
from nncodec.picture.pixels import Frames

# Arrays of a whole large picture would take many times its size.
_ROWS_AT_ONCE = 256


class Difference(NamedTuple):
    """The differences of all colour samples, without those under alpha 0.

    Args:
        samples: how many there are.
        squares: the sum of their squares.
        largest: the largest of their magnitudes.
    """

    samples: int
    squares: int
    largest: int

    @property
    def psnr_db(self) -> float:
        """The peak signal-to-noise ratio, infinite if nothing differs."""
        return 10 * math.log10(255**2 * self.samples / self.squares) if self.squares else math.inf


def difference(data: bytes, frames: Frames) -> Difference:
    """Decode a file and compare it with the frames that were encoded."""
    squares = largest = 0
    count, height, width, planes = frames.shape
    alpha = frames.alpha
    samples = planes * (count * height * width if alpha is None else np.count_nonzero(alpha))
    for number, image in enumerate(decode_frames(Container(data), range(count))):
        for top in range(0, image.height, _ROWS_AT_ONCE):
            rows = Span(top, min(top + _ROWS_AT_ONCE, image.height))
            original = frames.window(Span(number, number + 1), Area(rows, Span(0, width)))[0]
            restored = np.asarray(image.crop((0, rows.start, width, rows.stop)))
            error = original.astype(np.int32) - restored.reshape(*original.shape[:2], -1)[:, :, :planes]
            if alpha is not None:
                error[alpha[number, rows.start : rows.stop] == 0] = 0
            squares += int(np.sum(error * error, dtype=np.int64))
            largest = max(largest, int(np.abs(error).max()))
    return Difference(int(samples), squares, largest)
