"""Symbols beyond the range of a probability table, as digits that need no model.

A table covers the symbols from `minimum` to `minimum + columns - 2`; its last column stands for all others. One of
these is told apart by the side on which it lies and by its distance from that end of the range, 1 or more. The distance
is written as in Elias' gamma code: how many bits it has below its leading one (the width), then those bits.

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
    """Equally likely digits, one for each of some symbols.

    Args:
        values: 0..size - 1 each, int32.
        sizes: powers of two, 2..65536: one for all digits, or int32, one for each.
    """

    values: IntArray
    sizes: IntArray | int


def escape_digits(symbols: NDArray[np.integer[Any]], minimum: int, columns: int) -> list[Digits]:
    """Return what is written of escaped symbols, in the order in which it is read.

    Args:
        symbols: any beyond the table's range, within 2^31 - 1 of zero.
        minimum, columns: of the table, the escape column among them.
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
        count: how many.
        minimum, columns: as there.
        read: given the sizes of some digits and their number, returns the next digits.

    Raises:
        Corrupt: a symbol is further than 2^31 - 1 from zero.
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
    """Return how many bits the digits of escaped symbols take together."""
    digits = escape_digits(symbols, minimum, columns)
    return float(sum(np.log2(np.broadcast_to(part.sizes, part.values.shape)).sum() for part in digits))


def _last(minimum: int, columns: int) -> int:
    return minimum + columns - 2


def _bit_groups(widths: NDArray[np.integer[Any]]) -> Iterator[tuple[int, NDArray[np.intp], IntArray]]:
    """Yield the digits that distances have: place of their lowest bit, whose they are, and their sizes."""
    for shift in (0, _DIGIT_BITS):
        members = np.flatnonzero(widths > shift)
        if members.size:
            yield shift, members, (1 << np.minimum(widths[members] - shift, _DIGIT_BITS)).astype(np.int32)
