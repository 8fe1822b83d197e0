"""The entropy model: which table each symbol is coded under, and around which mean, in exact arithmetic.

Latents "z" are the hyper-latents, whole numbers. Latents "y" are fixed-point numbers in sixteenths: a stage's means
come from the context networks in sixteenths, and a symbol is the distance from its mean in whole steps.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from nncodec.nn.fixed_point import ACTIVATION_LIMIT, ACTIVATION_STEPS
from nncodec.nn.tensors import channels_last
from nncodec.plugin.entropy import NOT_CODED, EntropyModel, Stage, StageContext, Tables
from nncodec.plugin.latents import IntArray, Latents
from nncodec_hyperprior.prior_network import PHASES, SCALES, Prior

HYPER = "z"
LATENT = "y"
QUALITY_STEP = 5
HYPER_QUALITIES = 100 // QUALITY_STEP + 1

_ALL = slice(None)


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
        if held is None or held[0] != quality or not _alike_before(stage, stages, known, held[1]):
            return None
        if stage == len(stages) - 1:
            self._held = None  # nobody asks a third time
        return held[2][stage]


class HyperpriorEntropy(EntropyModel):
    """Stages and contexts of one quality.

    Contexts are a function of what is coded alone. What the stages of a block have in common is kept from one call to
    the next, with the latents it was computed from.

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
        grid = [slice(offset, None, 2) for offset in (0, 1)]
        latents = [Stage(LATENT, (_ALL, part, grid[y], grid[x])) for part in prior.parts for y, x in PHASES]
        self._stages = [Stage(HYPER, (_ALL, _ALL, _ALL, _ALL)), *latents]
        self._block: _Block | None = None

    @property
    def tables(self) -> Tables:
        return self._tables.tables

    def stages(self) -> Sequence[Stage]:
        return self._stages

    def context(self, stage: int, known: Mapping[str, IntArray]) -> StageContext:
        if stage == 0:
            return self._hyper
        remembered = self._memory and self._memory.find(self._quality, stage, self._stages, known)
        if remembered:
            return remembered
        # A caller's autocast must not reach exact arithmetic.
        with torch.inference_mode(), torch.autocast("cpu", enabled=False):
            if self._block is None or not self._block.follow(stage, known):
                self._block = _Block(self._prior, self._planes, self._stages, known)
                self._block.follow(stage, known)
            means, scales = self._block.densities(stage)
            tables = F.threshold(scales, self._tables.certain - 1, NOT_CODED, inplace=True)
            return StageContext(_integers(tables, np.int16), _integers(means, np.int32))


class _Block:
    """One block, as far as it is decoded, in the form in which the networks see it.

    Args:
        prior: the network.
        planes: what it sees of the quality.
        stages: all of them.
        known: the block, with its hyper-latents.
    """

    def __init__(self, prior: Prior, planes: Tensor, stages: Sequence[Stage], known: Mapping[str, IntArray]) -> None:
        self._prior = prior
        self._stages = stages
        self._latents = {HYPER: known[HYPER].copy(), LATENT: np.zeros_like(known[LATENT])}
        features, means = prior.hyper_decoder(channels_last(known[HYPER]), planes)
        self._means = means
        # By how much the latents of each stage taken in differ from their first means.
        self._residuals: list[Tensor] = []
        # What groups start from: the hyper-decoder's features, then the residuals of all groups in their places.
        count, width, *size = features.shape
        shape = (count, width + means.shape[1], *size)
        self._inputs = torch.empty(shape, memory_format=torch.channels_last)
        self._inputs[:, :width] = features
        self._width = width
        self._starts: dict[int, Tensor] = {}

    def follow(self, stage: int, known: Mapping[str, IntArray]) -> bool:
        """Take in the stages before this one; returns False if what was taken in before was another block."""
        if known[LATENT].shape != self._latents[LATENT].shape:
            return False
        for number in range(1 + len(self._residuals), stage):
            self._take_in(number, known[LATENT])
        # Mostly nothing beyond is known: what lies in one piece is compared in a fraction of the time.
        together = _ALL, slice(0, self._stages[stage].where[1].stop)
        alike = all(np.array_equal(array[together], known[name][together]) for name, array in self._latents.items())
        return alike or _alike_before(stage, self._stages, known, self._latents)

    def densities(self, stage: int) -> tuple[Tensor, Tensor]:
        """Return means in sixteenths and scales, all whole numbers, of a stage before which all is taken in."""
        group, phase = _place(stage)
        context = self._prior.group_contexts[group]
        where = self._stages[stage].where
        if group not in self._starts:
            self._starts[group] = context.start(self._inputs[:, : self._width + where[1].start])
        earlier = self._residuals[stage - 1 - phase : stage - 1]
        correction, index = context(self._starts[group][:, :, *where[2:]], earlier)
        return correction.add_(self._means[where]), index.round_().clamp_(0, SCALES - 1)

    def _take_in(self, stage: int, latents: IntArray) -> None:
        where = self._stages[stage].where
        self._latents[LATENT][where] = latents[where]
        residual = channels_last(latents[where]).sub_(self._means[where])
        residual.clamp_(-ACTIVATION_LIMIT, ACTIVATION_LIMIT)
        self._residuals.append(residual)
        self._inputs[:, self._width :][where] = residual


def _place(stage: int) -> tuple[int, int]:
    """Return group and phase of a stage after the first."""
    return divmod(stage - 1, len(PHASES))


def _alike_before(
    stage: int, stages: Sequence[Stage], known: Mapping[str, IntArray], other: Mapping[str, IntArray]
) -> bool:
    """Return whether two blocks are the same in all that comes before a stage."""
    if known[LATENT].shape != other[LATENT].shape:
        return False
    _, phase = _place(stage)
    where = stages[stage].where
    # All channels of earlier groups lie together.
    own = ((LATENT, earlier.where) for earlier in stages[stage - phase : stage])
    seen = [(HYPER, (_ALL, _ALL)), (LATENT, (_ALL, slice(0, where[1].start))), *own]
    return all(np.array_equal(known[name][where], other[name][where]) for name, where in seen)


def _planes(quality: int, anchors: int) -> Tensor:
    """Return `Prior.planes` of a whole quality by integer arithmetic."""
    distance = np.abs(quality * (anchors - 1) - 100 * np.arange(anchors))
    steps = (ACTIVATION_STEPS * np.maximum(100 - distance, 0) + 50) // 100
    return torch.from_numpy(steps.astype(np.float32) / ACTIVATION_STEPS)[None, :, None, None]


def _integers(values: Tensor, kind: type[np.signedinteger[Any]]) -> NDArray[Any]:
    """Return whole numbers in the memory layout of latents."""
    return values.numpy().astype(kind, order="C")
