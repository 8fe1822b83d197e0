"""Escapes: symbols outside the range of a probability table, coded as equally likely digits.

A table covers the symbols from `minimum` to `minimum + columns - 2`; its last column stands for all others. Such a
symbol is coded as the side of the range on which it lies and its distance from that end, 1 or more. The distance is
written in Elias' gamma code: the number of bits below its leading one (the width), then those bits.

References:
    Elias, "Universal codeword sets and representations of the integers", IEEE Trans. Inf. Theory 21(2), 1975.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from nncodec.errors import Corrupt
from nncodec.plugin.latents import IntArray

HEADS = 64
_MAX_SYMBOL = np.iinfo(np.int32).max
_DIGIT_BITS = 16


class Digits(NamedTuple):
    """Equally likely digits, one for each of several symbols.

    Args:
        values: int32, each 0..size - 1.
        sizes: number of values of a digit, a power of two, 2..65536: an int for all digits, or int32 for each.
    """

    values: IntArray
    sizes: IntArray | int


def escape_digits(symbols: NDArray[np.integer[Any]], minimum: int, columns: int) -> list[Digits]:
    """Return the digits of escaped symbols, in the order in which they are read.

    Args:
        symbols: outside the table's range, within 2^31 - 1 of zero.
        minimum, columns: of the table, escape column included.
    """
    symbols = symbols.astype(np.int64)
    below = symbols < minimum
    distances = np.where(below, minimum - symbols, symbols - _last(minimum, columns))
    widths = np.frexp(distances.astype(np.float64))[1] - 1
    bits = distances - (1 << widths.astype(np.int64))
    digits = [Digits((2 * widths + below).astype(np.int32), HEADS)]
    for shift, members, sizes in _bit_groups(widths):
        values = bits[members] >> shift & ((1 << _DIGIT_BITS) - 1)
        digits.append(Digits(values.astype(np.int32), sizes))
    return digits


def escaped_symbols(
    count: int, minimum: int, columns: int, read: Callable[[IntArray | int, int], IntArray]
) -> IntArray:
    """Return escaped symbols: the inverse of `escape_digits`.

    Args:
        count: number of symbols.
        minimum, columns: see there.
        read: returns the next digits, given their sizes and their number.

    Raises:
        Corrupt: a symbol is more than 2^31 - 1 from zero.
    """
    heads = read(HEADS, count)
    widths, below = heads >> 1, heads & 1
    distances = 1 << widths.astype(np.int64)
    for shift, members, sizes in _bit_groups(widths):
        distances[members] += read(sizes, sizes.size).astype(np.int64) << shift
    symbols = np.where(below, minimum - distances, _last(minimum, columns) + distances)
    if np.abs(symbols).max(initial=0) > _MAX_SYMBOL:
        raise Corrupt(detail="a block has an escape out of range")
    return symbols.astype(np.int32)


def escape_bits(symbols: NDArray[np.integer[Any]], minimum: int, columns: int) -> float:
    """Return the total bits of the digits of escaped symbols."""
    digits = escape_digits(symbols, minimum, columns)
    return float(sum(np.log2(np.broadcast_to(part.sizes, part.values.shape)).sum() for part in digits))


def _last(minimum: int, columns: int) -> int:
    return minimum + columns - 2


def _bit_groups(widths: NDArray[np.integer[Any]]) -> Iterator[tuple[int, NDArray[np.intp], IntArray]]:
    """Yield the digits of distances: position of the lowest bit, indices of the symbols, and sizes."""
    for shift in (0, _DIGIT_BITS):
        members = np.flatnonzero(widths > shift)
        if members.size:
            yield shift, members, (1 << np.minimum(widths[members] - shift, _DIGIT_BITS)).astype(np.int32)
