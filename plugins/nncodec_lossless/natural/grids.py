"""The order of coding, coarse to fine, and what the networks see at each stage.

A grid of samples splits into four phases of a 2 x 2 square. Phase 0, the even rows and columns, is the next coarser
grid and comes first; then each plane's phases 1, 2 and 3 follow. A stage is one phase of one plane. It sees the coded
phases around it, all phases of the two planes before it, and how far earlier means were off nearby.

Everything here is exact: whole numbers below 2^24 in float32, and single operations that IEEE 754 rounds in one way.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from nncodec.nn.fixed_point import ACTIVATION_LIMIT
from nncodec_lossless.natural.neighbours import EARLIER, PAD, PHASES, Part, feature_count, gather, seen_by

MEAN_STEPS = 16
# A grid that fits into this square is not divided further.
COARSEST = 8

# Mean absolute difference of the neighbours after scaling.
_UNIT = 64
_MANTISSA = 21  # bits of a float32 below the two that a level keeps
_FIRST_LEVEL = 127 << 2
_LEVEL_STEPS, _LEVEL_CENTRE = 7, 12
_START_ERROR = 8.0


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
        coarse: samples of phase 0, (planes, N, h, w).
        errors: of their means, likewise, in levels; None for the coarsest grid.
        size: rows and columns of the grid.
    """

    def __init__(self, coarse: Tensor, errors: Tensor | None, size: tuple[int, int]) -> None:
        self._size = size
        planes, frames, height, width = coarse.shape
        shape = (planes, len(PHASES), frames, height + 2 * PAD, width + 2 * PAD)
        self._samples, self._errors = coarse.new_empty(shape), coarse.new_empty(shape)
        if errors is None:
            errors = torch.full_like(coarse, _START_ERROR)
        for plane in range(planes):
            _fill(self._samples[plane, 0], coarse[plane])
            _fill(self._errors[plane, 0], errors[plane])

    def extent(self, phase: int) -> tuple[int, int]:
        """Return the rows and columns of a phase, which may be 0."""
        (top, left), (height, width) = PHASES[phase], self._size
        return (height - top + 1) // 2, (width - left + 1) // 2

    def view(self, plane: int, phase: int, part: Part) -> View:
        """Return what a part of a stage sees."""
        own, seen, errors = seen_by(phase)
        before = slice(max(0, plane - EARLIER), plane)
        planes = plane - before.start
        features = self._samples.new_empty(feature_count(plane, phase), *(span.stop - span.start for span in part))
        here, told = len(own) + planes * len(seen), 2 if planes else 1
        near, known = features[: len(own)], features[: len(features) - told]
        gather(self._samples[plane, None], own, part, near[None])
        sums = near[:4].sum(0)
        near.sub_(sums / 4)
        activity = near.abs().sum(0).mul_(4 / len(own))
        levels = [_level(activity)]
        if planes:
            others = features[len(own) : here].view(planes, len(seen), *near.shape[1:])
            gather(self._samples[before], seen, part, others)
            others.sub_(others[:, 1:5].sum(1, keepdim=True).div_(4))
            activity = activity + others.abs().sum((0, 1)).mul_(1 / (planes * len(seen)))
            levels.insert(0, _level(activity))
            gather(self._errors[before], ((phase, 0, 0),), part, known[here + len(errors) :, None])
        gather(self._errors[plane, None], errors, part, known[None, here:])
        unit = (activity.clamp(min=1).view(torch.int32) & -(1 << _MANTISSA)).view(torch.float32)
        known.mul_(4 * _UNIT / unit).round_().clamp_(-ACTIVATION_LIMIT, ACTIVATION_LIMIT)
        for row, level in enumerate(levels, len(known)):
            features[row] = (level - _LEVEL_CENTRE) * _LEVEL_STEPS
        return View(features.flatten(1), sums.flatten(), unit.flatten(), levels[0].flatten())

    def add(self, plane: int, phase: int, values: Tensor, errors: Tensor) -> None:
        """Add a coded phase (N, h, w) of a plane and the errors of its means."""
        for phases, added in ((self._samples[plane], values), (self._errors[plane], errors)):
            if added.numel():
                _fill(phases[phase], added)
            else:
                phases[phase] = phases[0]

    def joined(self) -> tuple[Tensor, Tensor]:
        """Return all planes, whose phases were all added, and the errors of their means, (planes, N, H, W) each."""
        return self._joined(self._samples), self._joined(self._errors)

    def _joined(self, phases: Tensor) -> Tensor:
        whole = phases.new_empty(phases.shape[0], phases.shape[2], *self._size)
        for phase, (top, left) in enumerate(PHASES):
            height, width = self.extent(phase)
            whole[..., top::2, left::2] = phases[:, phase, :, PAD : PAD + height, PAD : PAD + width]
        return whole


def sizes(height: int, width: int) -> list[tuple[int, int]]:
    """Return the sizes of the grids, coarsest first; the first is coded without contexts."""
    found = [(height, width)]
    while max(found[0]) > COARSEST:
        found.insert(0, ((found[0][0] + 1) // 2, (found[0][1] + 1) // 2))
    return found


def _level(activity: Tensor) -> Tensor:
    """Return the logarithm of an activity of at least 1, in quarters of an octave, linear between octaves."""
    return (activity.clamp(min=1).view(torch.int32) >> _MANTISSA) - _FIRST_LEVEL


def _fill(padded: Tensor, values: Tensor) -> None:
    """Copy (N, h, w) into (N, H + 2 PAD, W + 2 PAD), and repeat its edges all around."""
    bottom, right = PAD + values.shape[1], PAD + values.shape[2]
    padded[:, PAD:bottom, PAD:right] = values
    padded[:, PAD:bottom, :PAD] = values[:, :, :1]
    padded[:, PAD:bottom, right:] = values[:, :, -1:]
    padded[:, :PAD] = padded[:, PAD : PAD + 1]
    padded[:, bottom:] = padded[:, bottom - 1 : bottom]
