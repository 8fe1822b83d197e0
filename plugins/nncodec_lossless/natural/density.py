"""The probability tables of a sample's distance from its mean.

A density is a logistic one, and a share of it has three times the scale. Tables exist for scales a quarter of an octave
apart, for three shares, and for fractions of the mean where the scale is so small that they matter. They are computed
from a formula when the plugin is first used, with single operations that IEEE 754 rounds in one way, so that every
machine has the same.
"""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray

from nncodec.plugin.entropy import Tables

TAILS = (-3.0, -2.0, -1.0)
"""Shapes: the logit of the share of the wider density."""
SHAPES = len(TAILS)
TAIL_SCALE = 3.0
SCALES = 36
"""Scales in tables: `2^(index / 4 - 5)`, up to 2^4; wider densities have their low bits coded uniformly."""
LAST_INDEX = 84
"""The widest scale; each octave beyond the tables is one more low bit."""
STEPS_PER_INDEX = 4
"""Sixteenths of an octave between two scales."""
FIRST_SCALE = -80
"""Sixteenths of an octave of scale index 0: 2^-5."""
UNIFORM_BITS = 7
"""Most low bits that one table codes."""
MEAN_FRACTIONS = 16
_RANGE = 127
_PRECISION = 24
# Scale indices below these have so many classes of fractions, of these many sixteenths.
_FINE, _MIDDLE = 20, 28
_FINE_CLASSES = (0, 2, 4, 6, 8)
_MIDDLE_CLASSES = (1, 4, 7)
_FINE_COUNT = _FINE * len(_FINE_CLASSES)
_MIDDLE_COUNT = (_MIDDLE - _FINE) * len(_MIDDLE_CLASSES)
_PER_SHAPE = _FINE_COUNT + _MIDDLE_COUNT + SCALES - _MIDDLE
UNIFORM_FIRST = SHAPES * _PER_SHAPE - 1
"""The table of k low bits is `UNIFORM_FIRST + k`."""


@cache
def tables() -> Tables:
    """Return the tables of all densities and of uniform bits."""
    rows = []
    for logit in TAILS:
        share = 1 / (1 + _exp(np.array([-logit]))[0])
        for index in range(SCALES):
            scale = _power(index)
            classes = _FINE_CLASSES if index < _FINE else _MIDDLE_CLASSES if index < _MIDDLE else (0,)
            rows += [_chances(scale, share, fraction / MEAN_FRACTIONS) for fraction in classes]
    for bits in range(1, UNIFORM_BITS + 1):
        row = np.zeros(2 * _RANGE + 2)
        row[_RANGE : _RANGE + (1 << bits)] = 1 / (1 << bits)
        rows.append(row)
    return Tables(np.stack([_frequencies(row) for row in rows]), -_RANGE, _PRECISION)


def table_of(kind: NDArray[np.int32], fraction: NDArray[np.int32]) -> NDArray[np.int16]:
    """Return the table of each symbol.

    Args:
        kind: index of the scale times `SHAPES`, plus the shape.
        fraction: of the mean, 0..8 sixteenths.
    """
    return _lookup().take(kind * (MEAN_FRACTIONS // 2 + 1) + fraction)


def shift_of(kind: NDArray[np.int32]) -> NDArray[np.int16]:
    """Return how many low bits of each sample are coded uniformly."""
    return _shifts().take(kind)


@cache
def _shifts() -> NDArray[np.int16]:
    index = np.arange((LAST_INDEX + 1) * SHAPES, dtype=np.int16) // SHAPES
    return np.maximum((index - SCALES + STEPS_PER_INDEX) // STEPS_PER_INDEX, 0)


@cache
def _lookup() -> NDArray[np.int16]:
    """Return the table of (kind, fraction), flat."""
    found = np.empty((LAST_INDEX + 1, SHAPES, MEAN_FRACTIONS // 2 + 1), np.int16)
    for index in range(SCALES):
        for fraction in range(MEAN_FRACTIONS // 2 + 1):
            if index < _FINE:
                place = index * len(_FINE_CLASSES) + (fraction + 1) // 2
            elif index < _MIDDLE:
                place = _FINE_COUNT + (index - _FINE) * len(_MIDDLE_CLASSES) + fraction // 3
            else:
                place = _FINE_COUNT + _MIDDLE_COUNT + index - _MIDDLE
            found[index, :, fraction] = place + _PER_SHAPE * np.arange(SHAPES)
    for index in range(SCALES, LAST_INDEX + 1):
        found[index] = found[index - STEPS_PER_INDEX]
    return found.ravel()


def _chances(scale: float, share: float, fraction: float) -> NDArray[np.float64]:
    """Return the chances of -127..127 for a mean of `fraction`, and of everything outside."""
    edges = np.arange(-_RANGE, _RANGE + 2).astype(np.float64) - (0.5 + fraction)
    below = (1 - share) * _logistic(edges / scale) + share * _logistic(edges / (TAIL_SCALE * scale))
    inside = below[1:] - below[:-1]
    return np.append(inside, 1 - (below[-1] - below[0]))


def _frequencies(chances: NDArray[np.float64]) -> NDArray[np.uint32]:
    """Return whole numbers of at least 1 that add up to 2^24."""
    spare = (1 << _PRECISION) - len(chances)
    counts = np.floor(np.maximum(chances, 0) * spare).astype(np.int64) + 1
    counts[np.argmax(counts)] += (1 << _PRECISION) - counts.sum()
    return np.asarray(counts, np.uint32)


def _logistic(values: NDArray[np.float64]) -> NDArray[np.float64]:
    small = _exp(-np.abs(values))
    return np.asarray(np.where(values < 0, small, 1.0) / (1 + small))


def _exp(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the exponential, of plain arithmetic: library functions differ between machines in the last bit."""
    reduced = np.clip(values, -700, 700) / 1024
    result = np.ones_like(reduced)
    for order in range(8, 0, -1):
        result = 1 + reduced * result / order
    for _ in range(10):
        result = result * result
    return result


def _power(index: int) -> float:
    """Return 2^(index / 4 - 5); square roots are exact in the same way."""
    root = float(np.sqrt(np.float64(2)))
    quarter = float(np.sqrt(np.float64(root)))
    return 2.0 ** (index // 4 - 5) * (1.0, quarter, root, root * quarter)[index % 4]
