"""The entropy model: it computes the table and the mean of each symbol in exact arithmetic.

Latents "z" are the hyper-latents, integers. Latents "y" are fixed-point numbers in sixteenths: the context networks
give a stage's means in sixteenths, and a symbol is the distance from its mean in whole steps.
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
_NOT_CODED = StageContext(np.full((1, 1, 1, 1), NOT_CODED, np.int16), np.zeros((1, 1, 1, 1), np.int32))


@dataclass(frozen=True)
class PriorTables:
    """The tables that a model file holds beside the networks.

    Args:
        tables: the first 64 are those of the scales, from narrow to wide, symmetric around 0.
        hyper_choice: (21, Z) uint8: the table of each hyper-latent channel at qualities 0, 5, ... 100.
        hyper_offset: (21, Z) int8: subtracted before coding.
        certain: latents below this scale index are not coded; their symbol is 0.
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
    """The contexts of the block quantized last, which coding it needs again.

    They are returned only if everything they depend on is equal, so this saves time and changes no result.
    """

    def __init__(self) -> None:
        self._held: tuple[int, Latents, list[StageContext]] | None = None

    def keep(self, quality: int, latents: Latents, contexts: list[StageContext]) -> None:
        """Remember a block and its contexts in the order of stages."""
        # A copy, since the caller may change the latents afterwards.
        self._held = quality, {name: array.copy() for name, array in latents.items()}, contexts

    def find(
        self, quality: int, stage: int, stages: Sequence[Stage], known: Mapping[str, IntArray]
    ) -> StageContext | None:
        """Return the context of a stage after the first, or None for another block."""
        held = self._held
        if held is None or held[0] != quality or not _equal_before(stage, stages, known, held[1]):
            return None
        if stage == len(stages) - 1:
            self._held = None  # coding needs it only once
        return held[2][stage]


class HyperpriorEntropy(EntropyModel):
    """Stages and contexts of one quality.

    Contexts depend only on decoded symbols. Results that the stages of a block share are kept between calls, with the
    latents they were computed from.

    Args:
        prior: the network, exact.
        tables: of the symbols.
        quality: 0..100.
        memory: contexts that the quantizer already computed; none by default.
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
        groups = len(prior.config.groups)
        coded_groups = groups if quality >= prior.config.detail_quality else groups - 1
        self._first_not_coded = 1 + coded_groups * len(PHASES)
        self._block: _Block | None = None

    @property
    def tables(self) -> Tables:
        return self._tables.tables

    def stages(self) -> Sequence[Stage]:
        return self._stages

    def context(self, stage: int, known: Mapping[str, IntArray]) -> StageContext:
        if stage == 0:
            return self._hyper
        if stage >= self._first_not_coded:
            return _NOT_CODED
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
    """One partly decoded block, in the form that the networks take.

    Args:
        prior: the network.
        planes: the quality as network input, see `Prior.planes`.
        stages: all stages.
        known: the block, with its hyper-latents.
    """

    def __init__(self, prior: Prior, planes: Tensor, stages: Sequence[Stage], known: Mapping[str, IntArray]) -> None:
        self._prior = prior
        self._stages = stages
        self._latents = {HYPER: known[HYPER].copy(), LATENT: np.zeros_like(known[LATENT])}
        features, means = prior.hyper_decoder(channels_last(known[HYPER]), planes)
        self._means = means
        # Differences of latents from their first means, for each stage added.
        self._residuals: list[Tensor] = []
        # Input of the groups: the hyper-decoder's features, then the residuals of all groups in their places.
        count, width, *size = features.shape
        shape = (count, width + means.shape[1], *size)
        self._inputs = torch.empty(shape, dtype=torch.float32, device="cpu", memory_format=torch.channels_last)
        self._inputs[:, :width] = features
        self._width = width
        self._starts: dict[int, Tensor] = {}

    def follow(self, stage: int, known: Mapping[str, IntArray]) -> bool:
        """Add the stages before this one; return False if the stages added earlier belong to another block."""
        if known[LATENT].shape != self._latents[LATENT].shape:
            return False
        for number in range(1 + len(self._residuals), stage):
            self._add(number, known[LATENT])
        # Later channels are mostly unknown yet, and comparing one contiguous piece takes a fraction of the time.
        together = _ALL, slice(0, self._stages[stage].where[1].stop)
        equal = all(np.array_equal(array[together], known[name][together]) for name, array in self._latents.items())
        return equal or _equal_before(stage, self._stages, known, self._latents)

    def densities(self, stage: int) -> tuple[Tensor, Tensor]:
        """Return integer means, in sixteenths, and scale indices of a stage whose earlier stages were all added."""
        group, phase = _place(stage)
        context = self._prior.group_contexts[group]
        where = self._stages[stage].where
        if group not in self._starts:
            self._starts[group] = context.start(self._inputs[:, : self._width + where[1].start])
        earlier = self._residuals[stage - 1 - phase : stage - 1]
        correction, index = context(self._starts[group][:, :, *where[2:]], earlier)
        return correction.add_(self._means[where]), index.round_().clamp_(0, SCALES - 1)

    def _add(self, stage: int, latents: IntArray) -> None:
        where = self._stages[stage].where
        self._latents[LATENT][where] = latents[where]
        residual = channels_last(latents[where]).sub_(self._means[where])
        residual.clamp_(-ACTIVATION_LIMIT, ACTIVATION_LIMIT)
        self._residuals.append(residual)
        self._inputs[:, self._width :][where] = residual


def _place(stage: int) -> tuple[int, int]:
    """Return group and phase of a stage after the first."""
    return divmod(stage - 1, len(PHASES))


def _equal_before(
    stage: int, stages: Sequence[Stage], known: Mapping[str, IntArray], other: Mapping[str, IntArray]
) -> bool:
    """Return whether two blocks are equal in everything before a stage."""
    if known[LATENT].shape != other[LATENT].shape:
        return False
    _, phase = _place(stage)
    where = stages[stage].where
    # Channels of earlier groups are contiguous.
    own = ((LATENT, earlier.where) for earlier in stages[stage - phase : stage])
    seen = [(HYPER, (_ALL, _ALL)), (LATENT, (_ALL, slice(0, where[1].start))), *own]
    return all(np.array_equal(known[name][where], other[name][where]) for name, where in seen)


def _planes(quality: int, anchors: int) -> Tensor:
    """Return `Prior.planes` of a whole quality by integer arithmetic."""
    distance = np.abs(quality * (anchors - 1) - 100 * np.arange(anchors))
    steps = (ACTIVATION_STEPS * np.maximum(100 - distance, 0) + 50) // 100
    return torch.from_numpy(steps.astype(np.float32) / ACTIVATION_STEPS)[None, :, None, None]


def _integers(values: Tensor, kind: type[np.signedinteger[Any]]) -> NDArray[Any]:
    """Return the values as integers in the memory layout of latents."""
    return values.numpy().astype(kind, order="C")
