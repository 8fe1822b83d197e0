"""The resolution chunk: dots per inch along both axes.

Two numbers as in the header (LEB128), horizontal and vertical, in thousandths of a dot per inch, each at least 1. That
is fine enough to give back the whole dots per metre that PNG stores.
"""

from __future__ import annotations

from nncodec.format.header import read_varints, varint

_PER_DPI = 1000
_LARGEST = (1 << 35) - 1

Dpi = tuple[float, float]


def pack_resolution(dpi: Dpi) -> bytes | None:
    """Return the chunk for a resolution, or None if it is not above 0 or too large to be stored."""
    numbers = [round(_PER_DPI * value) if 0 < value <= _LARGEST / _PER_DPI else 0 for value in dpi]
    return b"".join(map(varint, numbers)) if all(numbers) else None


def unpack_resolution(chunk: bytes) -> Dpi | None:
    """Return the resolution of a chunk, or None if the chunk is malformed: pictures do not depend on it."""
    numbers = read_varints(chunk, 2)
    if numbers is None or len(numbers) != 2 or not all(numbers):
        return None
    return numbers[0] / _PER_DPI, numbers[1] / _PER_DPI
