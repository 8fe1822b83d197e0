"""The entropy model: it computes the table and the mean of each symbol in exact arithmetic.

Latents "z" are the hyper-latents, integers. Latents "y" are fixed-point numbers in sixteenths: the context networks
give a stage's means in sixteenths, and a symbol is the distance from its mean in whole steps. This module needs no
torch: who carries out the networks is a `ContextNetworks`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from nncodec.engine.fixed_point import ACTIVATION_STEPS
from nncodec.engine.transform_config import STRIDE
from nncodec.plugin.codec import AnySize, CodecTraits
from nncodec.plugin.entropy import (
    NOT_CODED,
    BlockContexts,
    BlockEntropy,
    EntropyModel,
    Shapes,
    Stage,
    StageContext,
    Tables,
)
from nncodec.plugin.latents import IntArray, LatentSpec
from nncodec.plugin.model_file import Tensors
from nncodec_hyperprior.config import (
    HYPER,
    HYPER_LIMIT,
    HYPER_STRIDE,
    LATENT,
    PHASES,
    SCALES,
    NetworkConfig,
    PriorConfig,
)

TABLES = ("tables.frequencies", "tables.range", "tables.certain", "tables.hyper_choice", "tables.hyper_offset")
"""Names of the tensors of a model file that `read_tables` reads."""
# In sixteenths; means reach 2^15, symbols far less.
_LATENT_LIMIT = 1 << 20
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


def read_tables(tensors: Tensors) -> PriorTables:
    """Return the tables of a model file.

    Raises:
        ValueError, KeyError: a tensor is missing or invalid.
    """
    minimum, precision = tensors["tables.range"].tolist()
    certain, *_ = tensors["tables.certain"].tolist()
    return PriorTables(
        Tables(tensors["tables.frequencies"], minimum, precision),
        tensors["tables.hyper_choice"],
        tensors["tables.hyper_offset"],
        certain,
    )


def traits_of(
    config: NetworkConfig,
    tables: PriorTables,
    efforts: tuple[int, ...] = (0,),
    seconds_per_megapixel: tuple[float, ...] = (),
) -> CodecTraits:
    """Return the traits of a network with its tables; raises ValueError if they do not fit each other."""
    prior = config.prior
    if tables.hyper_choice.shape[1] != prior.hyper_channels:
        raise ValueError("hyper-latent tables do not fit the number of channels")
    hyper = LatentSpec(HYPER, prior.hyper_channels, HYPER_STRIDE, -HYPER_LIMIT, HYPER_LIMIT)
    latents = LatentSpec(LATENT, sum(prior.groups), STRIDE, -_LATENT_LIMIT, _LATENT_LIMIT, step=ACTIVATION_STEPS)
    halo = -(-config.transforms.halo // HYPER_STRIDE) * HYPER_STRIDE
    return CodecTraits(
        ("RGB",),
        AnySize(HYPER_STRIDE, halo),
        (hyper, latents),
        qualities=True,
        efforts=efforts,
        seconds_per_megapixel=seconds_per_megapixel,
        coder="rans",
    )


class ContextNetworks(Protocol):
    """Carries out the networks that choose means and scales, exactly."""

    @property
    def config(self) -> PriorConfig:
        """Their shape."""

    def open_block(
        self, planes: NDArray[np.float32], stages: Sequence[Stage], certain: int, known: Mapping[str, IntArray]
    ) -> BlockContexts:
        """Return what gives the contexts of the latents of one block.

        Args:
            planes: the quality as network input, (anchors,), see `planes_of`.
            stages: all stages.
            certain: latents below this scale index are not coded.
            known: the block, with its hyper-latents.
        """


class HyperpriorEntropy(EntropyModel):
    """Stages and contexts of one quality.

    Contexts depend only on decoded symbols.

    Args:
        networks: give means and scales, exactly.
        tables: of the symbols.
        quality: 0..100.
    """

    def __init__(self, networks: ContextNetworks, tables: PriorTables, quality: int) -> None:
        self._networks = networks
        config = networks.config
        self._tables = tables
        self._planes = planes_of(quality, config.anchors)
        anchor = (quality + QUALITY_STEP // 2) // QUALITY_STEP
        self._hyper = StageContext(
            tables.hyper_choice[anchor][None, :, None, None].astype(np.int16),
            tables.hyper_offset[anchor][None, :, None, None].astype(np.int32),
        )
        grid = [slice(offset, None, 2) for offset in (0, 1)]
        latents = [Stage(LATENT, (_ALL, part, grid[y], grid[x])) for part in config.parts for y, x in PHASES]
        self._stages = [Stage(HYPER, (_ALL, _ALL, _ALL, _ALL)), *latents]
        groups = len(config.groups)
        coded_groups = groups if quality >= config.detail_quality else groups - 1
        self._first_not_coded = 1 + coded_groups * len(PHASES)

    @property
    def tables(self) -> Tables:
        return self._tables.tables

    def stages(self, shapes: Shapes) -> Sequence[Stage]:
        return self._stages

    def context(self, stage: int, known: Mapping[str, IntArray]) -> StageContext:
        return _Contexts(self).context(stage, known)

    def begin_block(self, shapes: Shapes) -> BlockEntropy:
        return BlockEntropy(self._stages, _Contexts(self).context)

    def fixed_context(self, stage: int) -> StageContext | None:
        """Return the context of a stage that depends on no latents, else None."""
        if stage == 0:
            return self._hyper
        return _NOT_CODED if stage >= self._first_not_coded else None

    def open_block(self, known: Mapping[str, IntArray]) -> BlockContexts:
        """Return the contexts of a block of which the hyper-latents are known."""
        return self._networks.open_block(self._planes, self._stages, self._tables.certain, known)


class _Contexts:
    """The contexts of one block, whose networks are opened when the hyper-latents are known."""

    def __init__(self, entropy: HyperpriorEntropy) -> None:
        self._entropy = entropy
        self._block: BlockContexts | None = None

    def context(self, stage: int, known: Mapping[str, IntArray]) -> StageContext:
        """See `EntropyModel.begin_block`."""
        if fixed := self._entropy.fixed_context(stage):
            return fixed
        if self._block is None:
            self._block = self._entropy.open_block(known)
        return self._block(stage, known)


def planes_of(quality: int, anchors: int) -> NDArray[np.float32]:
    """Return a whole quality as network input, in integer arithmetic: nearness of each anchor to 1/16, (anchors,)."""
    distance = np.abs(quality * (anchors - 1) - 100 * np.arange(anchors))
    steps = (ACTIVATION_STEPS * np.maximum(100 - distance, 0) + 50) // 100
    return np.asarray(steps / ACTIVATION_STEPS, np.float32)
