"""The order of coding, coarse to fine, and what the networks see at each stage.

A grid of samples splits into four phases of a 2 x 2 square. Phase 0, the even rows and columns, is the next coarser
grid and comes first; then each plane's phases 1, 2 and 3 follow. A stage is one phase of one plane. It sees the coded
phases around it, all phases of the two planes before it, and how far earlier means were off nearby.

Everything here is exact: whole numbers below 2^24 in float32, and single operations that IEEE 754 rounds in one way.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from nncodec.nn.fixed_point import ACTIVATION_LIMIT

# Row and column of each phase in its square.
PHASES = ((0, 0), (1, 1), (0, 1), (1, 0))
MEAN_STEPS = 16
# Planes before the coded one that it sees.
EARLIER = 2
# A grid that fits into this square is not divided further.
COARSEST = 8

Place = tuple[int, int, int]
# Neighbours of phases 1, 2 and 3, as (phase, row, column) in the arrays of the phases; the nearest four come first.
_NEIGHBOURS: tuple[tuple[Place, ...], ...] = (
    (
        *((0, y, x) for y in (0, 1) for x in (0, 1)),
        *((0, y, x) for y in (-1, 0, 1, 2) for x in (-1, 0, 1, 2) if not (y in (0, 1) and x in (0, 1))),
    ),
    (
        *((0, 0, 0), (0, 0, 1), (1, -1, 0), (1, 0, 0)),
        *((0, -1, 0), (0, -1, 1), (0, 1, 0), (0, 1, 1)),
        *((1, -1, -1), (1, -1, 1), (1, 0, -1), (1, 0, 1)),
        *((0, 0, -1), (0, 0, 2), (1, -2, 0), (1, 1, 0)),
    ),
    (
        *((0, 0, 0), (0, 1, 0), (1, 0, -1), (1, 0, 0)),
        *((2, 0, -1), (2, 0, 0), (2, 1, -1), (2, 1, 0)),
        *((0, 0, -1), (0, 0, 1), (0, 1, -1), (0, 1, 1)),
        *((1, -1, -1), (1, -1, 0), (1, 1, -1), (1, 1, 0)),
        *((0, -1, 0), (0, 2, 0), (1, 0, -2), (1, 0, 1)),
    ),
)
# Of an earlier plane: the sample at the same place, the first eight neighbours, and those that its own phase lacks.
_SEEN = 8
_LATER: tuple[tuple[Place, ...], ...] = (
    ((2, 0, 0), (2, 1, 0), (3, 0, 0), (3, 0, 1)),
    ((3, -1, 0), (3, -1, 1), (3, 0, 0), (3, 0, 1)),
    (),
)
# Where the errors of earlier means are looked up.
_ERRORS: tuple[tuple[Place, ...], ...] = (
    ((0, 0, 0), (0, 0, 1), (0, 1, 0), (0, 1, 1)),
    ((1, -1, 0), (1, 0, 0), (0, 0, 0), (0, 0, 1)),
    ((1, 0, -1), (1, 0, 0), (2, 0, 0), (2, 1, 0)),
)
_PAD = 2
# Mean absolute difference of the neighbours after scaling.
_UNIT = 64
_MANTISSA = 21  # bits of a float32 below the two that a level keeps
_FIRST_LEVEL = 127 << 2
_LEVEL_STEPS, _LEVEL_CENTRE = 7, 12
_START_ERROR = 8 * MEAN_STEPS


def feature_count(plane: int, phase: int) -> int:
    """Return the number of inputs of a network; planes beyond the third are like the third."""
    own = len(_NEIGHBOURS[phase - 1]) + len(_ERRORS[phase - 1]) + 1
    earlier = min(plane, EARLIER)
    return own + earlier * (2 + _SEEN + len(_LATER[phase - 1])) + (1 if earlier else 0)


class View(NamedTuple):
    """What is known at each place of a stage, everything (N, h, w), flattened.

    Args:
        features: inputs of the network, (features, places), whole numbers.
        sums: of the four nearest neighbours: four times the first mean.
        unit: local activity in quarters of a level, at least 1.
        level: its logarithm, in quarters of an octave.
    """

    features: Tensor
    sums: Tensor
    unit: Tensor
    level: Tensor


class Grid:
    """One grid, partly coded.

    Args:
        coarse: samples of phase 0, one tensor (N, h, w) for each plane.
        errors: of their means, likewise, in sixteenths; None for the coarsest grid.
        size: rows and columns of the grid.
    """

    def __init__(self, coarse: Sequence[Tensor], errors: Sequence[Tensor] | None, size: tuple[int, int]) -> None:
        self._size = size
        self._around = [[_padded(plane, *plane.shape[1:])] for plane in coarse]
        if errors is None:
            errors = [torch.full_like(plane, _START_ERROR) for plane in coarse]
        self._errors = [[_padded(plane, *plane.shape[1:])] for plane in errors]

    def extent(self, phase: int) -> tuple[int, int]:
        """Return the rows and columns of a phase, which may be 0."""
        (top, left), (height, width) = PHASES[phase], self._size
        return (height - top + 1) // 2, (width - left + 1) // 2

    def view(self, plane: int, phase: int, rows: slice) -> View:
        """Return what some rows of a stage see."""
        width = self.extent(phase)[1]
        near = self._stack(self._around[plane], _NEIGHBOURS[phase - 1], rows, width)
        sums = near[0] + near[1] + near[2] + near[3]
        near.mul_(4).sub_(sums)
        activity = near.abs().sum(0).mul_(1 / len(near))
        own_level = None
        parts = [near]
        for earlier in range(max(0, plane - EARLIER), plane):
            places = (phase, 0, 0), *_NEIGHBOURS[phase - 1][:_SEEN], *_LATER[phase - 1]
            other = self._stack(self._around[earlier], places, rows, width)
            middle = other[1] + other[2] + other[3] + other[4]
            other.mul_(4).sub_(middle)
            parts.append(other)
        if plane:
            own_level = _level(activity)
            share = 1 / (4 * sum(len(other) for other in parts[1:]))
            others = [other.abs().sum(0) for other in parts[1:]]
            activity = activity + (others[0] if len(others) == 1 else others[0] + others[1]) * share
        level = _level(activity)
        unit = ((level + _FIRST_LEVEL) << _MANTISSA).view(torch.float32)
        scale = _UNIT / unit
        errors = self._stack(self._errors[plane], _ERRORS[phase - 1], rows, width)
        parts.append(errors.mul_(4 / MEAN_STEPS))
        for earlier in range(max(0, plane - EARLIER), plane):
            here = self._stack(self._errors[earlier], ((phase, 0, 0),), rows, width)
            parts.append(here.mul_(4 / MEAN_STEPS))
        features = torch.cat(parts)
        features.mul_(scale).round_().clamp_(-ACTIVATION_LIMIT, ACTIVATION_LIMIT)
        levels = [level] if own_level is None else [level, own_level]
        told = [((one - _LEVEL_CENTRE) * _LEVEL_STEPS).float()[None] for one in levels]
        features = torch.cat([features, *told]).flatten(1)
        return View(features, sums.flatten(), unit.flatten(), level.flatten())

    def add(self, plane: int, phase: int, values: Tensor, errors: Tensor) -> None:
        """Add a coded phase (N, h, w) of a plane and the errors of its means."""
        if not values.numel():
            self._around[plane].append(self._around[plane][0])
            self._errors[plane].append(self._errors[plane][0])
            return
        height, width = self.extent(0)
        self._around[plane].append(_padded(values, height, width))
        self._errors[plane].append(_padded(errors, height, width))

    def joined(self, plane: int) -> tuple[Tensor, Tensor]:
        """Return a plane whose phases were all added, and the errors of its means, (N, H, W) each."""
        return self._joined(self._around[plane]), self._joined(self._errors[plane])

    def _joined(self, phases: Sequence[Tensor]) -> Tensor:
        whole = phases[0].new_empty(len(phases[0]), *self._size)
        for phase, (top, left) in enumerate(PHASES):
            height, width = self.extent(phase)
            whole[:, top::2, left::2] = phases[phase][:, _PAD : _PAD + height, _PAD : _PAD + width]
        return whole

    @staticmethod
    def _stack(phases: Sequence[Tensor], places: Sequence[Place], rows: slice, width: int) -> Tensor:
        return torch.stack(
            [
                phases[phase][:, _PAD + rows.start + y : _PAD + rows.stop + y, _PAD + x : _PAD + x + width]
                for phase, y, x in places
            ]
        )


def sizes(height: int, width: int) -> list[tuple[int, int]]:
    """Return the sizes of the grids, coarsest first; the first is coded without contexts."""
    found = [(height, width)]
    while max(found[0]) > COARSEST:
        found.insert(0, ((found[0][0] + 1) // 2, (found[0][1] + 1) // 2))
    return found


def _level(activity: Tensor) -> Tensor:
    """Return the logarithm of an activity of at least 1, in quarters of an octave, linear between octaves."""
    return (activity.clamp(min=1).view(torch.int32) >> _MANTISSA) - _FIRST_LEVEL


def _padded(values: Tensor, height: int, width: int) -> Tensor:
    """Return (N, h, w) with its edges repeated: two more on each side of height x width."""
    below, right = height - values.shape[1] + _PAD, width - values.shape[2] + _PAD
    return F.pad(values[:, None], (_PAD, right, _PAD, below), mode="replicate")[:, 0]
