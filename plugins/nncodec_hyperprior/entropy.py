"""The entropy model: which table each symbol is coded under, and around which mean, in exact arithmetic.

Latents "z" are the hyper-latents, whole numbers. Latents "y" are fixed-point numbers in sixteenths: a stage's means
come from the context networks in sixteenths, and a symbol is the distance from its mean in whole steps.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from nncodec.latents import IntArray, Latents
from nncodec.model import EntropyModel, Stage, StageContext, Tables
from nncodec.nn.fixed_point import ACTIVATION_STEPS, bounded
from nncodec_hyperprior.prior_network import PHASES, SCALES, Prior, split_phases

HYPER = "z"
LATENT = "y"
QUALITY_STEP = 5
HYPER_QUALITIES = 100 // QUALITY_STEP + 1

_ALL = slice(None)
_T = TypeVar("_T")


@dataclass(frozen=True)
class PriorTables:
    """What a model file holds beside the networks.

    Args:
        tables: the first 64 are those of the scales, from narrow to wide, symmetric around 0.
        hyper_choice: (21, Z) uint8: the table of each hyper-latent channel at qualities 0, 5, ... 100.
        hyper_offset: (21, Z) int8: what is subtracted before.
        certain: below this scale index latents are not coded at all: their symbol is 0.
    """

    tables: Tables
    hyper_choice: NDArray[np.uint8]
    hyper_offset: NDArray[np.int8]
    certain: int

    def __post_init__(self) -> None:
        shape = self.hyper_choice.shape
        if len(shape) != 2 or shape[0] != HYPER_QUALITIES or self.hyper_offset.shape != shape:
            raise ValueError(f"hyper-latent tables have shapes {shape} and {self.hyper_offset.shape}")
        if self.hyper_choice.dtype != np.uint8 or self.hyper_offset.dtype != np.int8:
            raise ValueError("hyper-latent tables are not uint8 and int8")
        if len(self.tables.frequencies) < SCALES or self.hyper_choice.max() >= len(self.tables.frequencies):
            raise ValueError("a probability table is missing")
        if type(self.certain) is not int or not 0 <= self.certain < SCALES:
            raise ValueError(f"certain is {self.certain!r}, not a whole number from 0 to {SCALES - 1}")


class ContextMemory:
    """The contexts of the block that was quantized last: coding it asks for the same once more.

    What is remembered is returned only where all that it depends on is the same, so it makes no difference but in time.
    """

    def __init__(self) -> None:
        self._held: tuple[int, Latents, list[StageContext]] | None = None

    def keep(self, quality: int, latents: Latents, contexts: list[StageContext]) -> None:
        """Remember a block; contexts in the order of stages."""
        # A copy: what the caller does to the latents must not change what contexts are remembered for.
        self._held = quality, {name: array.copy() for name, array in latents.items()}, contexts

    def find(
        self, quality: int, stage: int, stages: Sequence[Stage], known: Mapping[str, IntArray]
    ) -> StageContext | None:
        """Return the context of a stage after the first, or None where another block is coded."""
        held = self._held
        if held is None or held[0] != quality or known[LATENT].shape != held[1][LATENT].shape:
            return None
        number, phase = divmod(stage - 1, len(PHASES))
        start = stages[stage].where[1].start
        own = (stages[1 + len(PHASES) * number + earlier].where for earlier in range(phase))
        everything, before = (_ALL, _ALL), (_ALL, slice(0, start))
        seen = [(HYPER, everything), (LATENT, before), *((LATENT, where) for where in own)]
        if not all(np.array_equal(known[name][where], held[1][name][where]) for name, where in seen):
            return None
        if stage == len(stages) - 1:
            self._held = None  # nobody asks a third time
        return held[2][stage]


class HyperpriorEntropy(EntropyModel):
    """Stages and contexts of one quality.

    Contexts are a function of what is coded alone. The hyper-decoder's result and what a group's four stages have in
    common are kept from one call to the next, with the latents they were computed from.

    Args:
        prior: the network, exact.
        tables: of the symbols.
        quality: 0..100.
        memory: where contexts may be remembered; none by default.
    """

    def __init__(self, prior: Prior, tables: PriorTables, quality: int, memory: ContextMemory | None = None) -> None:
        self._prior = prior
        self._quality = quality
        self._memory = memory
        self._tables = tables
        self._planes = _planes(quality, prior.config.anchors)
        anchor = (quality + QUALITY_STEP // 2) // QUALITY_STEP
        self._hyper = StageContext(
            tables.hyper_choice[anchor][None, :, None, None].astype(np.int16),
            tables.hyper_offset[anchor][None, :, None, None].astype(np.int32),
        )
        index = np.arange(SCALES)
        self._table_of = torch.from_numpy(np.where(index < tables.certain, -1, index).astype(np.int16))
        self._decoded_hyper: _Remembered[_Hyper] | None = None
        self._starts: dict[int, _Remembered[_Group]] = {}

    @property
    def tables(self) -> Tables:
        return self._tables.tables

    def stages(self) -> Sequence[Stage]:
        parts = self._prior.parts
        grid = [slice(offset, None, 2) for offset in (0, 1)]
        latents = [Stage(LATENT, (_ALL, part, grid[y], grid[x])) for part in parts for y, x in PHASES]
        return [Stage(HYPER, (_ALL, _ALL, _ALL, _ALL)), *latents]

    def context(self, stage: int, known: Mapping[str, IntArray]) -> StageContext:
        if stage == 0:
            return self._hyper
        remembered = self._memory and self._memory.find(self._quality, stage, self.stages(), known)
        if remembered:
            return remembered
        # A caller's autocast must not reach exact arithmetic.
        with torch.inference_mode(), torch.autocast("cpu", enabled=False):
            return self._latent_context(stage, known)

    def _latent_context(self, stage: int, known: Mapping[str, IntArray]) -> StageContext:
        number, phase = divmod(stage - 1, len(PHASES))
        group = self._group(number, known)
        part = self._prior.parts[number]
        earlier = [self._residual(known[LATENT], part, p, group.means[p]) for p in range(phase)]
        correction, index = self._prior.group_contexts[number](group.starts[phase], earlier)
        means = group.means[phase] + correction
        scales = index.round_().clamp_(0, SCALES - 1).to(torch.int64)
        return StageContext(
            np.ascontiguousarray(self._table_of[scales].numpy()),
            np.ascontiguousarray(means.mul_(ACTIVATION_STEPS).to(torch.int32).numpy()),
        )

    def _group(self, number: int, known: Mapping[str, IntArray]) -> _Group:
        """Return what the stages of a group share."""
        hyper = self._hyper_decoded(known[HYPER])
        part = self._prior.parts[number]
        before = known[LATENT][:, : part.start]
        memory = self._starts.get(number)
        if memory is not None and memory.source is hyper and memory.is_of(before):
            return memory.value
        whole = hyper.means[:, : part.start]
        residual = bounded(_steps(before) - whole)
        starts = self._prior.group_contexts[number].start(hyper.features, residual)
        group = _Group(split_phases(starts), split_phases(hyper.means[:, part]))
        self._starts[number] = _Remembered(before.copy(), group, hyper)
        return group

    def _hyper_decoded(self, hyper: IntArray) -> _Hyper:
        memory = self._decoded_hyper
        if memory is None or not memory.is_of(hyper):
            features, means = self._prior.hyper_decoder(_whole(hyper), self._planes)
            memory = self._decoded_hyper = _Remembered(hyper.copy(), _Hyper(features, means))
        return memory.value

    @staticmethod
    def _residual(latents: IntArray, part: slice, phase: int, mean: Tensor) -> Tensor:
        y, x = PHASES[phase]
        return bounded(_steps(latents[:, part, y::2, x::2]) - mean)


@dataclass(frozen=True)
class _Hyper:
    """What the hyper-decoder says of a block."""

    features: Tensor
    means: Tensor


@dataclass(frozen=True)
class _Group:
    """What the four stages of a group start from, phase by phase."""

    starts: tuple[Tensor, ...]
    means: tuple[Tensor, ...]


class _Remembered(Generic[_T]):
    """A value with the latents that it was computed from."""

    def __init__(self, key: IntArray, value: _T, source: object = None) -> None:
        self._key = key
        self.value = value
        self.source = source

    def is_of(self, key: IntArray) -> bool:
        """Return whether the value belongs to these latents."""
        return np.array_equal(self._key, key)


def _planes(quality: int, anchors: int) -> Tensor:
    """Return `Prior.planes` of a whole quality by integer arithmetic."""
    distance = np.abs(quality * (anchors - 1) - 100 * np.arange(anchors))
    steps = (ACTIVATION_STEPS * np.maximum(100 - distance, 0) + 50) // 100
    return torch.from_numpy(steps.astype(np.float32) / ACTIVATION_STEPS)[None, :, None, None]


def _whole(latents: IntArray) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(latents)).to(torch.float32, memory_format=torch.channels_last)


def _steps(latents: IntArray) -> Tensor:
    return _whole(latents).mul_(1 / ACTIVATION_STEPS)
