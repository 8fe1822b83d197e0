"""The entropy model: it computes the table and the mean of each symbol in exact arithmetic.

Latents "z" are the hyper-latents, integers. Latents "y" are fixed-point numbers in sixteenths: the context networks
give a stage's means in sixteenths, and a symbol is the distance from its mean in whole steps.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from nncodec.nn.fixed_point import ACTIVATION_LIMIT, ACTIVATION_STEPS
from nncodec.nn.tensors import channels_last
from nncodec.plugin.entropy import NOT_CODED, BlockContexts, EntropyModel, Stage, StageContext, Tables
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


class _CodedBlock(NamedTuple):
    quality: int
    latents: Latents
    contexts: list[StageContext]


class ContextMemory:
    """The contexts of the block quantized last, which coding it needs again."""

    def __init__(self) -> None:
        self._kept: _CodedBlock | None = None

    def keep(self, quality: int, latents: Latents, contexts: list[StageContext]) -> None:
        """Remember a block and its contexts in the order of stages."""
        # A copy, since the caller may change the latents afterwards.
        self._kept = _CodedBlock(quality, {name: array.copy() for name, array in latents.items()}, contexts)

    def take(self, quality: int) -> _CodedBlock | None:
        """Return the block and forget it: coding needs it only once. None if it has another quality."""
        kept, self._kept = self._kept, None
        return kept if kept is not None and kept.quality == quality else None


class HyperpriorEntropy(EntropyModel):
    """Stages and contexts of one quality.

    Contexts depend only on decoded symbols.

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

    @property
    def tables(self) -> Tables:
        return self._tables.tables

    def stages(self) -> Sequence[Stage]:
        return self._stages

    def context(self, stage: int, known: Mapping[str, IntArray]) -> StageContext:
        return _Contexts(self, None).context(stage, known)

    def begin_block(self) -> BlockContexts:
        coded = None if self._memory is None else self._memory.take(self._quality)
        return _Contexts(self, coded).context

    def fixed_context(self, stage: int) -> StageContext | None:
        """Return the context of a stage that depends on no latents, else None."""
        if stage == 0:
            return self._hyper
        return _NOT_CODED if stage >= self._first_not_coded else None

    def open_block(self, known: Mapping[str, IntArray]) -> _Block:
        """Return a block of which the hyper-latents are known."""
        return _Block(self._prior, self._planes, self._stages, self._tables.certain, known)


class _Contexts:
    """The contexts of one block.

    Args:
        entropy: its entropy model.
        coded: contexts computed before, used as long as the block turns out to be the same; None for none.
    """

    def __init__(self, entropy: HyperpriorEntropy, coded: _CodedBlock | None) -> None:
        self._entropy, self._stages = entropy, entropy.stages()
        self._coded, self._compared = coded, 0
        self._block: _Block | None = None

    def context(self, stage: int, known: Mapping[str, IntArray]) -> StageContext:
        """See `EntropyModel.begin_block`."""
        if fixed := self._entropy.fixed_context(stage):
            return fixed
        if self._coded is not None and self._is_the_same(self._coded.latents, stage, known):
            return self._coded.contexts[stage]
        # A caller's autocast must not reach exact arithmetic.
        with torch.inference_mode(), torch.autocast("cpu", enabled=False):
            if self._block is None:
                self._block = self._entropy.open_block(known)
            return self._block.context(stage, known)

    def _is_the_same(self, coded: Latents, stage: int, known: Mapping[str, IntArray]) -> bool:
        """Compare what was added since the last call; forget the contexts if anything differs."""
        if all(coded[name].shape == known[name].shape for name in coded):
            added = self._stages[self._compared : stage]
            self._compared = stage
            if all(np.array_equal(known[name][where], coded[name][where]) for name, where in added):
                return True
        self._coded = None
        return False


class _Block:
    """One partly decoded block, in the form that the networks take.

    Args:
        prior: the network.
        planes: the quality as network input, see `Prior.planes`.
        stages: all stages.
        certain: scale indices below it are not coded.
        known: the block, with its hyper-latents.
    """

    def __init__(
        self, prior: Prior, planes: Tensor, stages: Sequence[Stage], certain: int, known: Mapping[str, IntArray]
    ) -> None:
        self._prior = prior
        self._stages = stages
        self._certain = certain
        features, self._means = prior.hyper_decoder(channels_last(known[HYPER]), planes)
        # Differences of latents from their first means, for each stage added.
        self._residuals: list[Tensor] = []
        # Input of the groups: the hyper-decoder's features, then the residuals of all groups but the last.
        count, width, *size = features.shape
        shape = (count, width + prior.parts[-1].start, *size)
        self._inputs = torch.empty(shape, dtype=torch.float32, device="cpu", memory_format=torch.channels_last)
        self._inputs[:, :width] = features
        self._width = width
        self._start: tuple[int, Tensor] | None = None

    def context(self, stage: int, known: Mapping[str, IntArray]) -> StageContext:
        """Return the context of a stage: tables, and means in sixteenths."""
        for number in range(1 + len(self._residuals), stage):
            self._add(number, known[LATENT])
        group, phase = divmod(stage - 1, len(PHASES))
        where = self._stages[stage].where
        if self._start is None or self._start[0] != group:
            inputs = self._inputs[:, : self._width + where[1].start]
            self._start = group, self._prior.group_contexts[group].start(inputs)
        earlier = self._residuals[stage - 1 - phase : stage - 1]
        correction, index = self._prior.group_contexts[group](self._start[1][:, :, *where[2:]], earlier)
        means = correction.add_(self._means[where])
        tables = F.threshold(index.round_().clamp_(0, SCALES - 1), self._certain - 1, NOT_CODED, inplace=True)
        return StageContext(_integers(tables, np.int16), _integers(means, np.int32))

    def _add(self, stage: int, latents: IntArray) -> None:
        where = self._stages[stage].where
        residual = channels_last(latents[where]).sub_(self._means[where])
        residual.clamp_(-ACTIVATION_LIMIT, ACTIVATION_LIMIT)
        self._residuals.append(residual)
        if where[1].stop <= self._inputs.shape[1] - self._width:
            self._inputs[:, self._width :][where] = residual


def _planes(quality: int, anchors: int) -> Tensor:
    """Return `Prior.planes` of a whole quality by integer arithmetic."""
    distance = np.abs(quality * (anchors - 1) - 100 * np.arange(anchors))
    steps = (ACTIVATION_STEPS * np.maximum(100 - distance, 0) + 50) // 100
    return torch.from_numpy(steps.astype(np.float32) / ACTIVATION_STEPS)[None, :, None, None]


def _integers(values: Tensor, kind: type[np.signedinteger[Any]]) -> NDArray[Any]:
    """Return the values as integers in the memory layout of latents."""
    return values.numpy().astype(kind, order="C")
