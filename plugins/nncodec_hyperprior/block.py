"""The contexts of a block in torch."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from nncodec.engine.fixed_point import ACTIVATION_LIMIT
from nncodec.nn.tensors import channels_last
from nncodec.plugin.entropy import NOT_CODED, BlockContexts, Stage, StageContext
from nncodec.plugin.latents import IntArray
from nncodec_hyperprior.config import HYPER, LATENT, PHASES, SCALES, PriorConfig
from nncodec_hyperprior.prior_network import Prior


class TorchContexts:
    """The context networks of a prior; see `nncodec_hyperprior.entropy.ContextNetworks`.

    Args:
        prior: the network, exact.
    """

    def __init__(self, prior: Prior) -> None:
        self._prior = prior

    @property
    def config(self) -> PriorConfig:
        """The shape of the prior."""
        return self._prior.config

    def open_block(
        self, planes: NDArray[np.float32], stages: Sequence[Stage], certain: int, known: Mapping[str, IntArray]
    ) -> BlockContexts:
        """Return what gives the contexts of one block."""
        with _exactly():
            return _Block(self._prior, planes, stages, certain, known).context


@contextlib.contextmanager
def _exactly() -> Iterator[None]:
    """Compute without gradients and without a caller's autocast, which must not reach exact arithmetic."""
    with torch.inference_mode(), torch.autocast("cpu", enabled=False):
        yield


class _Block:
    """One partly decoded block, in the form that the networks take; see `ContextNetworks.open_block`."""

    def __init__(
        self,
        prior: Prior,
        planes: NDArray[np.float32],
        stages: Sequence[Stage],
        certain: int,
        known: Mapping[str, IntArray],
    ) -> None:
        self._prior = prior
        self._stages = stages
        self._certain = certain
        quality = torch.from_numpy(planes)[None, :, None, None]
        features, self._means = prior.hyper_decoder(channels_last(known[HYPER]), quality)
        # Differences of latents from their first means, for each stage added.
        self._residuals: list[Tensor] = []
        # Input of the groups: the hyper-decoder's features, then the residuals of all groups but the last.
        count, width, *size = features.shape
        shape = (count, width + prior.config.parts[-1].start, *size)
        self._inputs = torch.empty(shape, dtype=torch.float32, device="cpu", memory_format=torch.channels_last)
        self._inputs[:, :width] = features
        self._width = width
        self._start: tuple[int, Tensor] | None = None

    def context(self, stage: int, known: Mapping[str, IntArray]) -> StageContext:
        """Return the context of a stage: tables, and means in sixteenths."""
        with _exactly():
            return self._context(stage, known)

    def _context(self, stage: int, known: Mapping[str, IntArray]) -> StageContext:
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


def _integers(values: Tensor, kind: type[np.signedinteger[Any]]) -> NDArray[Any]:
    """Return the values as integers in the memory layout of latents."""
    return values.numpy().astype(kind, order="C")
