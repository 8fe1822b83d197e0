"""The entropy model of `conv/photo`: it computes contexts from decoded integers, without a network.

Latent channels come in coding order: first `smooth` channels (the block means of luma and chroma), then groups of
falling energy.

- Smooth channels are coded from coarse to fine: every 16th latent, then the points half way between, down to every
  latent. The mean of its known neighbours predicts each point; their spread chooses the table.
- A group is coded at once. The magnitudes of the decoded symbols around a position (all earlier channels, 3 x 3
  latents) give its activity level, and (channel, level) chooses the table.

Everything is integer arithmetic on decoded symbols, so every machine computes the same tables.

References:
    "Competing static priors" for learned image compression without a probability network, arXiv 2111.09172.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nncodec.plugin.entropy import EntropyModel, Shapes, Stage, StageContext, Tables
from nncodec.plugin.latents import IntArray

LEVELS = 10
COARSEST = 16
QUALITY_STEP = 5
QUALITIES = tuple(range(0, 101, QUALITY_STEP))

_MAGNITUDE_CAP = 15
_ALL = slice(None)


@dataclass(frozen=True)
class ContextTables:
    """The context tables that a model file holds.

    Args:
        groups: channels in each group, the smooth ones first; their sum is the number of latent channels.
        thresholds: (21, groups, LEVELS - 1) int32, ascending along the last axis: the activity at which each level
            begins, at qualities 0, 5, ... 100.
        choice: (21, channels, LEVELS + 1) uint8: the table of a channel at a level; the last entry serves the
            coarsest grid of smooth channels.
        tables: the probability tables, ordered from peaked to flat.
    """

    groups: tuple[int, ...]
    thresholds: NDArray[np.int32]
    choice: NDArray[np.uint8]
    tables: Tables

    def __post_init__(self) -> None:
        if not self.groups or any(type(size) is not int or size < 1 for size in self.groups):
            raise ValueError("context groups are not whole numbers from 1 on")
        channels = sum(self.groups)
        if self.thresholds.shape != (len(QUALITIES), len(self.groups), LEVELS - 1):
            raise ValueError(f"context thresholds have shape {self.thresholds.shape}")
        if self.choice.shape != (len(QUALITIES), channels, LEVELS + 1):
            raise ValueError(f"context choices have shape {self.choice.shape}")
        if self.thresholds.dtype != np.int32 or self.choice.dtype != np.uint8:
            raise ValueError(f"context thresholds and choices are {self.thresholds.dtype} and {self.choice.dtype}")
        if self.choice.max() >= len(self.tables.frequencies):
            raise ValueError("a context chooses a table that does not exist")


class ContextEntropy(EntropyModel):
    """Stages and contexts of one quality."""

    def __init__(self, contexts: ContextTables, quality: int, latent: str) -> None:
        anchor = (quality + QUALITY_STEP // 2) // QUALITY_STEP
        self._tables = contexts.tables
        self._thresholds = contexts.thresholds[anchor]
        self._choice = contexts.choice[anchor]
        self._latent = latent
        self._bounds = np.cumsum([0, *contexts.groups]).tolist()
        self._smooth = smooth_stages()

    @property
    def tables(self) -> Tables:
        return self._tables

    def stages(self, shapes: Shapes) -> Sequence[Stage]:
        smooth = slice(0, self._bounds[1])
        coarse_to_fine = [Stage(self._latent, (_ALL, smooth, rows, columns)) for rows, columns, _ in self._smooth]
        groups = [Stage(self._latent, (_ALL, slice(a, b), _ALL, _ALL)) for a, b in pairwise(self._bounds[1:])]
        return coarse_to_fine + groups

    def context(self, stage: int, known: Mapping[str, IntArray]) -> StageContext:
        latents = known[self._latent]
        if stage < len(self._smooth):
            prediction, level = self.smooth_context(stage, latents)
            choice = self._choice[: self._bounds[1]]
            return StageContext(choose(choice, level), prediction)
        group = stage - len(self._smooth) + 1
        choice = self._choice[self._bounds[group] : self._bounds[group + 1]]
        return StageContext(choose(choice, self.level(group, latents)[:, None]))

    def smooth_context(self, stage: int, latents: IntArray) -> tuple[IntArray, NDArray[np.intp]]:
        """Return prediction and level of the smooth symbols of a stage, both of the stage's shape."""
        rows, columns, offsets = self._smooth[stage]
        plane = latents[:, : self._bounds[1]]
        if not offsets:
            shape = plane[:, :, rows, columns].shape
            return np.zeros(shape, np.int32), np.full(shape, LEVELS)
        prediction, spread = neighbours(plane, rows, columns, offsets)
        return prediction, np.searchsorted(self._thresholds[0], spread, side="right")

    def level(self, group: int, latents: IntArray) -> NDArray[np.intp]:
        """Return the activity level at each position for a group, (N, h, w), 0..LEVELS - 1."""
        return np.searchsorted(self._thresholds[group], self.activity(group, latents), side="right")

    def activity(self, group: int, latents: IntArray) -> IntArray:
        """Return the activity of the decoded channels around each position, (N, h, w), 0 or more."""
        start = self._bounds[group]
        smooth = _spread_3x3(latents[:, : self._bounds[1]]) >> 1
        total = np.minimum(smooth, _MAGNITUDE_CAP).sum(axis=1, dtype=np.int32)
        decoded = np.minimum(np.abs(latents[:, self._bounds[1] : start]), _MAGNITUDE_CAP)
        total += decoded.sum(axis=1, dtype=np.int32)
        # The two groups before this one are nearest in frequency and predict best: they count twice.
        recent = self._bounds[max(1, group - 2)] - self._bounds[1]
        total += decoded[:, recent:].sum(axis=1, dtype=np.int32)
        padded = np.pad(total, ((0, 0), (1, 1), (1, 1)), mode="edge")
        height, width = total.shape[1:]
        around = sum(padded[:, y : y + height, x : x + width] for y in range(3) for x in range(3))
        return np.asarray(6 * total + around, np.int32)


def choose(choice: NDArray[np.uint8], level: NDArray[np.integer[Any]]) -> NDArray[np.uint8]:
    """Return choice[channel, level] for levels broadcastable to (N, channels, h, w)."""
    channels = np.arange(len(choice))[None, :, None, None]
    return np.asarray(choice[channels, level])


def smooth_stages() -> list[tuple[slice, slice, tuple[tuple[int, int], ...]]]:
    """Return rows, columns and neighbour offsets of each stage of the smooth channels, coarse to fine."""
    grid = slice(0, None, COARSEST)
    stages: list[tuple[slice, slice, tuple[tuple[int, int], ...]]] = [(grid, grid, ())]
    step = COARSEST
    while step > 1:
        half = step // 2
        old, new = slice(0, None, step), slice(half, None, step)
        diagonal = tuple((y, x) for y in (-half, half) for x in (-half, half))
        straight = ((-half, 0), (half, 0), (0, -half), (0, half))
        stages += [(new, new, diagonal), (old, new, straight), (new, old, straight)]
        step = half
    return stages


def neighbours(
    plane: IntArray, rows: slice, columns: slice, offsets: tuple[tuple[int, int], ...]
) -> tuple[IntArray, IntArray]:
    """Return the rounded mean and the spread of the neighbours inside the picture."""
    height, width = plane.shape[2:]
    y, x = np.arange(height)[rows], np.arange(width)[columns]
    shape = (*plane.shape[:2], len(y), len(x))
    total, count = np.zeros(shape, np.int32), np.zeros((len(y), len(x)), np.int32)
    high, low = np.full(shape, np.iinfo(np.int32).min, np.int32), np.full(shape, np.iinfo(np.int32).max, np.int32)
    for dy, dx in offsets:
        inside = ((y + dy >= 0) & (y + dy < height))[:, None] & ((x + dx >= 0) & (x + dx < width))
        value = plane[:, :, np.clip(y + dy, 0, height - 1)[:, None], np.clip(x + dx, 0, width - 1)]
        total += np.where(inside, value, 0)
        count += inside
        high = np.where(inside, np.maximum(high, value), high)
        low = np.where(inside, np.minimum(low, value), low)
    # Offsets are symmetric, so at least one neighbour of every point is inside.
    return ((total + (count >> 1)) // count).astype(np.int32), high - low


def _spread_3x3(planes: IntArray) -> IntArray:
    """Return the difference between largest and smallest value in each 3 x 3 neighbourhood."""
    padded = np.pad(planes, ((0, 0), (0, 0), (1, 1), (1, 1)), mode="edge")
    height, width = planes.shape[2:]
    windows = [padded[:, :, y : y + height, x : x + width] for y in range(3) for x in range(3)]
    return np.asarray(np.maximum.reduce(windows) - np.minimum.reduce(windows), np.int32)
