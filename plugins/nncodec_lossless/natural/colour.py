"""Reversible colour transforms of a block.

References:
    Malvar and Sullivan, "YCoCg-R: a color space with RGB reversibility and low dynamic range", JVT-I014r3, 2003.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

Planes = list[NDArray[np.int32]]
"""The planes of a block, int32 (N, H, W) each."""


class Transform(IntEnum):
    """Numbers of the transforms in a payload."""

    NONE = 0
    YCOCG = 1


def choose(planes: Sequence[NDArray[np.int32]]) -> Transform:
    """Return the transform after which neighbours in rows differ least."""
    if len(planes) != 3:
        return Transform.NONE
    return min(Transform, key=lambda transform: _cost(forward(planes, transform)))


def forward(planes: Sequence[NDArray[np.int32]], transform: Transform) -> Planes:
    """Return the planes to code; differences of colours may be negative."""
    if transform is Transform.NONE:
        return list(planes)
    red, green, blue = planes
    orange = red - blue
    middle = blue + (orange >> 1)
    greenness = green - middle
    return [middle + (greenness >> 1), orange, greenness]


def inverse(planes: Sequence[NDArray[np.int32]], transform: Transform) -> Planes:
    """Undo `forward`."""
    if transform is Transform.NONE:
        return list(planes)
    luma, orange, greenness = planes
    middle = luma - (greenness >> 1)
    blue = middle - (orange >> 1)
    return [orange + blue, greenness + middle, blue]


def limits(planes: int, bits: int, transform: Transform) -> list[tuple[int, int]]:
    """Return the least and the largest sample of each plane after a transform."""
    top = (1 << bits) - 1
    if transform is Transform.NONE:
        return [(0, top)] * planes
    return [(0, top), (-top, top), (-top, top)]


def _cost(planes: Sequence[NDArray[np.int32]]) -> float:
    return float(sum(np.log2(1 + np.abs(np.diff(plane, axis=2))).sum() for plane in planes))
