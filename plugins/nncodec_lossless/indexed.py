"""Samples as numbers of a table, which the networks then code as a picture of its own.

One table of colours serves colour maps, whose three planes are functions of one value. A table of levels for each plane
serves samples that leave gaps: contrast that was raised, few levels, 12 bits that were scaled to 16.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from nncodec.plugin.lossless import Samples
from nncodec_lossless.natural import colour
from nncodec_lossless.synthetic.palette import code_palette, find_palette
from nncodec_lossless.synthetic.probabilities import BitReader, BitWriter

# More colours are hardly ever a colour map.
_MOST_COLOURS = 1 << 10
# A table must save this share of the estimate, besides about a byte for each of its samples.
_LEAST_GAIN = 0.03
# Pixels that are enough for the estimate.
_SAMPLED_PIXELS = 1 << 17
_COUNT = struct.Struct("<H")
_SIZE = struct.Struct("<I")

Shape = tuple[int, int, int, int]
Table = NDArray[np.uint16]
"""Colours or levels, all different: uint16 (entries, planes)."""


class Indexed(NamedTuple):
    """A block as numbers.

    Args:
        tables: one of colours, or one of levels for each plane.
        numbers: of entries, uint16 (N, H, W, tables).
    """

    tables: list[Table]
    numbers: Samples

    @property
    def bits(self) -> int:
        """Return the bits that all numbers have."""
        return _bits_of(self.tables)


def find(samples: Samples, bits: int) -> Indexed | None:
    """Return a block, uint16 (N, H, W, C), as numbers, or None if that does not seem to save anything."""
    candidates = [found for found in (_by_levels(samples, bits), *_by_colours(samples, bits)) if found]
    if not candidates:
        return None
    best = min(candidates, key=_cost_bits)
    return best if _cost_bits(best) < (1 - _LEAST_GAIN) * _plane_bits(samples) else None


def encode(indexed: Indexed, bits: int, encode_part: Callable[[Samples, int], bytes]) -> bytes:
    """Return the payload of a block.

    Args:
        indexed: the block.
        bits: of each sample, 1..16.
        encode_part: returns the payload of samples of so many bits.
    """
    coder = BitWriter()
    for table in indexed.tables:
        code_palette(table, bits, coder)
    tables = coder.finish()
    counts = b"".join(_COUNT.pack(len(table) - 1) for table in indexed.tables)
    header = bytes([len(indexed.tables)]) + counts + _SIZE.pack(len(tables))
    return header + tables + encode_part(indexed.numbers, indexed.bits)


def decode(payload: bytes, shape: Shape, bits: int, decode_part: Callable[[bytes, Shape, int], Samples]) -> Samples:
    """Return the samples of a payload.

    Args:
        payload: as `encode` returned it, or damaged.
        shape: (N, H, W, C) of the samples.
        bits: of each sample, 1..16.
        decode_part: returns the samples of the payload of the numbers.

    Raises:
        ValueError: the payload is damaged.
    """
    planes = shape[3]
    count = payload[0] if payload else 0
    start = 1 + count * _COUNT.size + _SIZE.size
    if count not in (1, planes) or len(payload) <= start:
        raise ValueError("an indexed block ends within its header, or has tables for other planes")
    entries = [_COUNT.unpack_from(payload, 1 + number * _COUNT.size)[0] + 1 for number in range(count)]
    if max(entries) > shape[0] * shape[1] * shape[2]:
        raise ValueError("an indexed block has a table of more entries than pixels")
    end = start + _SIZE.unpack_from(payload, start - _SIZE.size)[0]
    coder = BitReader(payload[start:end])
    width = planes // count
    tables = [code_palette(np.zeros((number, width), np.uint16), bits, coder) for number in entries]
    coder.finish()
    numbers = decode_part(payload[end:], (*shape[:3], count), _bits_of(tables))
    if (numbers.max(axis=(0, 1, 2)) >= entries).any():
        raise ValueError("an indexed block has a number outside its table")
    return np.concatenate([table[numbers[..., plane]] for plane, table in enumerate(tables)], axis=3)


def _bits_of(tables: list[Table]) -> int:
    return max(1, *((len(table) - 1).bit_length() for table in tables))


def _by_levels(samples: Samples, bits: int) -> Indexed | None:
    """Return planes as numbers of the levels that occur in each, or None if those leave hardly any gaps."""
    planes = [samples[..., plane] for plane in range(samples.shape[3])]
    occurs = [np.bincount(plane.ravel(), minlength=1 << bits) > 0 for plane in planes]
    tables = [np.flatnonzero(levels).astype(np.uint16) for levels in occurs]
    spans = sum(int(levels[-1]) - int(levels[0]) + 1 for levels in tables)
    if sum(map(len, tables)) > (1 - _LEAST_GAIN) * spans:
        return None
    numbers = np.empty_like(samples)
    for plane, values in enumerate(planes):
        numbers[..., plane] = (np.cumsum(occurs[plane]) - 1).astype(np.uint16)[values]
    return Indexed([levels[:, None] for levels in tables], numbers)


def _by_colours(samples: Samples, bits: int) -> list[Indexed]:
    """Return a block as numbers of its colours, if they are few: by brightness, and each beside its nearest."""
    if samples.shape[3] == 1:
        return []
    found = find_palette(samples, bits, _MOST_COLOURS)
    if found is None:
        return []
    colours = found.colours.astype(np.int32)
    by_brightness = np.argsort(colours.sum(axis=1), kind="stable")
    candidates = []
    for order in (by_brightness, _chain(colours, int(by_brightness[0]))):
        ranks = np.empty(len(order), np.uint16)
        ranks[order] = np.arange(len(order), dtype=np.uint16)
        candidates.append(Indexed([found.colours[order]], ranks[found.indices][..., None]))
    return candidates


def _chain(colours: NDArray[np.int32], first: int) -> NDArray[np.intp]:
    """Return the order in which each colour follows the one that it is nearest to, of those not taken before."""
    order = np.empty(len(colours), np.intp)
    left = np.arange(len(colours))
    current = first
    for place in range(len(colours)):
        order[place] = current
        left = left[left != current]
        if len(left):
            current = int(left[np.abs(colours[left] - colours[current]).sum(axis=1).argmin()])
    return order


def _cost_bits(indexed: Indexed) -> float:
    return _plane_bits(indexed.numbers) + 8 * sum(table.size for table in indexed.tables)


def _plane_bits(samples: Samples) -> float:
    """Return about how many bits the networks spend on samples, by differences in rows; only good for comparison."""
    frames, rows, columns, _ = samples.shape
    step = frames * rows * columns // _SAMPLED_PIXELS + 1
    some = samples[:, ::step]
    planes = [plane.astype(np.int32) for plane in np.moveaxis(some, 3, 0)]
    coded = colour.forward(planes, colour.choose(planes))
    bits = sum(np.log2(1 + 2 * np.abs(np.diff(plane, axis=2))).sum() for plane in coded)
    return float(bits * rows / some.shape[1])
