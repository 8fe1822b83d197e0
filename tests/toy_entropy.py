"""Entropy models for tests of coders, with random tables and latents to code under them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pytest
from hypothesis import settings
from hypothesis import strategies as st

from nncodec.format.entropy.rans import RansCoder
from nncodec.format.entropy.zstd import ZstdCoder
from nncodec.plugin.entropy import EntropyModel, Shapes, Stage, StageContext, Tables
from nncodec.plugin.latents import IntArray, Latents, LatentSpec

PROPERTY = settings(deadline=None, max_examples=100)
WHOLE = (slice(None),) * 4
with_tables = pytest.mark.parametrize("coder", [ZstdCoder(), RansCoder()], ids=lambda c: c.id.name)
SIZES = st.tuples(st.integers(1, 3), st.integers(1, 9), st.integers(1, 9))
RANGES = st.sampled_from(
    [(0, 1), (-1, 1), (5, 5), (-128, 127), (0, 256), (-300, 900), (-32768, 32767), (0, 65536), (-(2**30), 2**30)]
)
SEEDS = st.integers(0, 2**32 - 1)


class ContextEntropy(EntropyModel):
    """Side latents first, then the others in two checkerboard halves, each under tables that the former decide."""

    def __init__(self, tables: Tables, shift: int) -> None:
        self._tables = tables
        self._shift = shift
        self.seen: list[dict[str, IntArray]] = []

    @property
    def tables(self) -> Tables:
        return self._tables

    def stages(self, shapes: Shapes) -> Sequence[Stage]:
        even = (slice(None), slice(None), slice(None), slice(0, None, 2))
        odd = (slice(None), slice(None), slice(None), slice(1, None, 2))
        return [Stage("side", WHOLE), Stage("main", even), Stage("main", odd)]

    def context(self, stage: int, known: Mapping[str, IntArray]) -> StageContext:
        self.seen.append({name: array.copy() for name, array in known.items()})
        count = len(self._tables.frequencies)
        if stage == 0:
            return StageContext(np.arange(known["side"].shape[1])[None, :, None, None] % count)
        main = known["main"]
        side = np.abs(known["side"]).sum(axis=1, keepdims=True)  # (N, 1, h / 2, w / 2)
        side = side.repeat(2, axis=2).repeat(2, axis=3)[:, :, : main.shape[2], : main.shape[3]]  # (N, 1, h, w)
        reach = side + np.abs(np.roll(main, 1, axis=3))  # (N, C, h, w)
        half = self.stages({})[stage].where
        offsets = np.clip(np.roll(main, 1, axis=3), -self._shift, self._shift)
        return StageContext((reach % count)[half], offsets[half] if stage == 2 else self._shift)


class SomeNotCoded(ContextEntropy):
    """No latent is coded where the side latents are odd; their offsets are what is left of them."""

    def context(self, stage: int, known: Mapping[str, IntArray]) -> StageContext:
        context = super().context(stage, known)
        if stage == 0:
            return context
        return context._replace(tables=np.where(context.tables % 2, -1, context.tables))


def random_tables(rng: np.random.Generator, rows: int, precision: int, columns: int = 6) -> Tables:
    """From nearly certain to flat; every frequency at least 1, every row summing to the total."""
    frequencies = np.ones((rows, columns), np.uint32)
    for row in frequencies:
        rest = (1 << precision) - columns
        peak = int(rest * rng.uniform())
        row[rng.integers(columns)] += peak
        row[rng.integers(columns)] += rest - peak
    return Tables(frequencies, -2, precision)


def random_latents(rng: np.random.Generator, specs: Sequence[LatentSpec], frames: int, h: int, w: int) -> Latents:
    """Mostly small, some anywhere in the range, its ends among them."""
    latents = {}
    for spec in specs:
        shape = spec.shape(frames, h, w)
        values = np.clip(rng.integers(-2, 3, shape), spec.minimum, spec.maximum)
        wild = rng.integers(spec.minimum, spec.maximum, shape, endpoint=True)
        ends = rng.choice([spec.minimum, spec.maximum], shape)
        choice = rng.uniform(size=shape)
        latents[spec.name] = np.where(choice < 0.9, values, np.where(choice < 0.95, wild, ends)).astype(np.int32)
    return latents


def assert_same(found: Latents, expected: Latents) -> None:
    assert found.keys() == expected.keys()
    for name, array in expected.items():
        assert found[name].dtype == np.int32
        np.testing.assert_array_equal(found[name], array)


def specs_for(minimum: int, maximum: int) -> tuple[LatentSpec, ...]:
    return LatentSpec("main", 3, 1, minimum, maximum), LatentSpec("side", 2, 2, minimum, maximum)
