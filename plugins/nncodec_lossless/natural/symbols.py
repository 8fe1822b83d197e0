"""Coding numbers around means, and numbers that are all equally likely."""

from __future__ import annotations

from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from nncodec.format.entropy.base import Alphabet, StageSymbols
from nncodec.format.entropy.rans import RansCoder
from nncodec.plugin.latents import IntArray
from nncodec_lossless.natural import density
from nncodec_lossless.natural.grids import MEAN_STEPS

# Symbols beyond this decode to samples out of range anyway.
_FARTHEST = 1 << 18


class Direction(Protocol):
    """Writing or reading, for which the same code decides what comes next."""

    fits: bool
    """Whether changes are fitted to the samples, which a reader does not know."""

    def code(self, symbols: IntArray, tables: NDArray[np.int16]) -> IntArray:
        """Write symbols and return them; a reader ignores them and returns what it reads."""


class Writer:
    """Takes symbols; see `Direction`."""

    fits = True

    def __init__(self) -> None:
        self._stages: list[StageSymbols] = []

    def code(self, symbols: IntArray, tables: NDArray[np.int16]) -> IntArray:
        self._stages.append(StageSymbols(symbols, tables))
        return symbols

    def finish(self) -> bytes:
        """Return the coded symbols."""
        return RansCoder().encode(self._stages, _alphabet())


class Reader:
    """Returns symbols; see `Direction`.

    Raises:
        Corrupt: the payload is damaged.
    """

    fits = False

    def __init__(self, payload: bytes) -> None:
        self._reader = RansCoder().reader(payload, _alphabet())

    def code(self, symbols: IntArray, tables: NDArray[np.int16]) -> IntArray:
        return self._reader.take(tables)

    def finish(self) -> None:
        """Raise Corrupt unless everything was read."""
        self._reader.finish()


def _alphabet() -> Alphabet:
    return Alphabet(density.tables(), 0, 0, 0)


class Plan(NamedTuple):
    """How each of some numbers is coded, arrays of one shape.

    Args:
        mean: in sixteenths, int32.
        shift: low bits that are coded uniformly.
        table: of the rest.
    """

    mean: IntArray
    shift: NDArray[np.int16]
    table: NDArray[np.int16]


def fraction_of(mean: IntArray) -> IntArray:
    """Return what a mean in sixteenths lies beyond the nearest level, -8..7."""
    return ((mean + MEAN_STEPS // 2) & (MEAN_STEPS - 1)) - MEAN_STEPS // 2


def code_values(part: NDArray[np.int32], plan: Plan, direction: Direction) -> IntArray:
    """Code numbers, as in the plan, and return them."""
    base = (plan.mean + MEAN_STEPS // 2) // MEAN_STEPS
    # All bits of a negative fraction's sign: with them `x ^ flip - flip` is -x, without them x.
    flip = fraction_of(plan.mean) >> 31
    distance = ((part - base) ^ flip) - flip
    if not plan.shift.any():
        symbols = direction.code(distance.ravel(), plan.table.ravel()).reshape(part.shape)
        return (symbols ^ flip) - flip + base
    shift, distance = plan.shift.ravel().astype(np.int32), distance.ravel()
    half = (1 << shift) >> 1
    distance += half
    symbols = np.clip(direction.code(distance >> shift, plan.table.ravel()), -_FARTHEST, _FARTHEST)
    coded = symbols.astype(np.int64) << shift
    lows = distance & ((1 << shift) - 1)
    for bits in np.unique(shift[shift > 0]).tolist():
        members = np.flatnonzero(shift == bits)
        coded[members] += code_uniform(lows[members], bits, direction)
    whole = np.clip(coded - half, -_FARTHEST, _FARTHEST).astype(np.int32).reshape(part.shape)
    return (whole ^ flip) - flip + base


def code_uniform(values: IntArray, bits: int, direction: Direction) -> IntArray:
    """Code numbers of so many bits, all equally likely, and return them."""
    result = np.zeros(values.size, np.int32)
    for start in range(0, bits, density.UNIFORM_BITS):
        count = min(density.UNIFORM_BITS, bits - start)
        digits = (values >> start) & ((1 << count) - 1)
        table = np.full(values.size, density.UNIFORM_FIRST + count, np.int16)
        result += np.clip(direction.code(digits, table), 0, (1 << count) - 1) << start
    return result
