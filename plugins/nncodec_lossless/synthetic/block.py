"""Codes a block of samples with few colours: a header of three bytes, then palette and indices, range coded."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from nncodec.plugin.lossless import Samples
from nncodec_lossless.repetition import is_drawn
from nncodec_lossless.synthetic.indices import code_indices
from nncodec_lossless.synthetic.palette import MOST_COLOURS, code_palette, find_palette
from nncodec_lossless.synthetic.probabilities import BitReader, BitWriter
from nncodec_lossless.synthetic.wavefront import step_count

_HEADER_BYTES = 3
_TRANSPOSED = 0x80
_MOST_STRIPS = 4
# Lower strips lose more bytes than they save time.
_STRIP_HEIGHT = 192
# A picture of more colours than this is coded only if half of its pixels equal one beside them. Dithers in four levels
# of each colour have as many, and no coder but this one finds their pattern.
_FEW_COLOURS = 64
# A step takes time however few pixels it has, so pictures that are too narrow are not coded this way.
_FREE_STEPS = 1 << 12
_PIXELS_PER_STEP = 64


def encode(samples: Samples, bits: int) -> bytes | None:
    """Return the payload of a block, or None if it has too many colours, hardly any repetition, or is too narrow.

    Args:
        samples: uint16 (N, H, W, C), no axis empty, all below 2^bits.
        bits: of each sample, 1..16.
    """
    frames, height, width, _ = samples.shape
    transposed = height > width
    if not _wide_enough(frames, *_oriented(height, width, transposed)):
        return None
    found = find_palette(samples, bits, MOST_COLOURS if is_drawn(samples) else _FEW_COLOURS)
    if found is None:
        return None
    count = len(found.colours)
    rows, _ = _oriented(height, width, transposed)
    strips = _strip_count(rows) if count > 2 else 1
    coder = BitWriter()
    code_palette(found.colours, bits, coder)
    if count > 1:
        turned = found.indices.swapaxes(1, 2) if transposed else found.indices
        code_indices(_in_strips(np.ascontiguousarray(turned), strips), count, coder)
    return bytes([strips | _TRANSPOSED * transposed]) + (count - 1).to_bytes(2, "little") + coder.finish()


def decode(payload: bytes, shape: tuple[int, int, int, int], bits: int) -> Samples:
    """Return the samples of a payload.

    Args:
        payload: as `encode` returned it, or damaged.
        shape: (N, H, W, C) of the samples.
        bits: of each sample, 1..16.

    Raises:
        ValueError: the payload is damaged.
    """
    frames, height, width, planes = shape
    if len(payload) <= _HEADER_BYTES:
        raise ValueError("a synthetic block ends within its header")
    transposed, strips = bool(payload[0] & _TRANSPOSED), payload[0] & ~_TRANSPOSED
    rows, columns = _oriented(height, width, transposed)
    count = int.from_bytes(payload[1:_HEADER_BYTES], "little") + 1
    if not strips or rows % strips or not _wide_enough(frames, rows, columns):
        raise ValueError("a synthetic block is divided into strips that do not fit its shape")
    if count > frames * height * width:
        raise ValueError("a synthetic block has more colours than pixels")
    coder = BitReader(payload[_HEADER_BYTES:])
    colours = code_palette(np.zeros((count, planes), np.uint16), bits, coder)
    indices = np.zeros((frames, rows, columns), np.uint16)
    if count > 1:
        code_indices(_in_strips(indices, strips), count, coder)
    coder.finish()
    if indices.max() >= count:
        raise ValueError("a synthetic block has an index outside its palette")
    return colours[indices.swapaxes(1, 2) if transposed else indices]


def _oriented(height: int, width: int, transposed: bool) -> tuple[int, int]:
    return (width, height) if transposed else (height, width)


def _wide_enough(frames: int, rows: int, columns: int) -> bool:
    return step_count(rows, columns) <= _FREE_STEPS + frames * rows * columns // _PIXELS_PER_STEP


def _strip_count(rows: int) -> int:
    """Return into how many strips of rows, coded side by side, a picture is divided to need fewer steps."""
    fitting = (n for n in range(2, _MOST_STRIPS + 1) if rows % n == 0 and rows // n >= _STRIP_HEIGHT)
    return max(fitting, default=1)


def _in_strips(indices: NDArray[np.uint16], strips: int) -> NDArray[np.uint16]:
    """Return a view of contiguous frames with each strip as a frame."""
    frames, rows, columns = indices.shape
    return indices.reshape(frames * strips, rows // strips, columns)
