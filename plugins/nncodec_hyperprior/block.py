"""The contexts of a block in torch."""

from __future__ import annotations

import contextlib
import functools
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
from nncodec_hyperprior.context_matrices import ContextMatrices
from nncodec_hyperprior.prior_network import Prior


class TorchContexts:
    """The context networks of a prior; see `nncodec_hyperprior.entropy.ContextNetworks`.

    Args:
        prior: the network, exact; it must stay as it is.
    """

    def __init__(self, prior: Prior) -> None:
        self.prior = prior

    @property
    def config(self) -> PriorConfig:
        """The shape of the prior."""
        return self.prior.config

    @functools.cached_property
    def groups(self) -> list[ContextMatrices]:
        """The context network of each group."""
        return [ContextMatrices.of(context) for context in self.prior.group_contexts]

    def open_block(
        self, planes: NDArray[np.float32], stages: Sequence[Stage], certain: int, known: Mapping[str, IntArray]
    ) -> BlockContexts:
        """Return what gives the contexts of one block."""
        with _exactly():
            return _Block(self, planes, stages, certain, known).context


@contextlib.contextmanager
def _exactly() -> Iterator[None]:
    """Compute without gradients and without a caller's autocast, which must not reach exact arithmetic."""
    with torch.inference_mode(), torch.autocast("cpu", enabled=False):
        yield


class _Block:
    """One partly decoded block; see `ContextNetworks.open_block`. Arrays in torch are (N, h, w, C)."""

    def __init__(
        self,
        networks: TorchContexts,
        planes: NDArray[np.float32],
        stages: Sequence[Stage],
        certain: int,
        known: Mapping[str, IntArray],
    ) -> None:
        self._networks = networks
        self._stages = stages
        self._certain = certain
        quality = torch.from_numpy(planes)[None, :, None, None]
        features, means = networks.prior.hyper_decoder(channels_last(known[HYPER]), quality)
        self._means = means.permute(0, 2, 3, 1)
        # Differences of latents from their first means, for each stage added.
        self._residuals: list[Tensor] = []
        # Input of the groups: the hyper-decoder's features, then the residuals of all groups but the last.
        count, self._width, *size = features.shape
        shape = (count, *size, self._width + networks.config.parts[-1].start)
        self._inputs = torch.empty(shape, dtype=torch.float32, device="cpu")
        self._inputs[..., : self._width] = features.permute(0, 2, 3, 1)
        self._start: tuple[int, Tensor] | None = None

    def context(self, stage: int, known: Mapping[str, IntArray]) -> StageContext:
        """Return the context of a stage: tables, and means in sixteenths."""
        with _exactly():
            return self._context(stage, known)

    def _context(self, stage: int, known: Mapping[str, IntArray]) -> StageContext:
        for number in range(1 + len(self._residuals), stage):
            self._add(number, known[LATENT])
        group, phase = divmod(stage - 1, len(PHASES))
        part, *places = self._stages[stage].where[1:]
        network = self._networks.groups[group]
        if self._start is None or self._start[0] != group:
            self._start = group, network.start(self._inputs[..., : self._width + part.start])
        earlier = self._residuals[stage - 1 - phase : stage - 1]
        correction, index = network.phase(self._start[1][:, *places], earlier)
        means = correction.add_(self._means[:, *places, part])
        tables = F.threshold(index.round_().clamp_(0, SCALES - 1), self._certain - 1, NOT_CODED, inplace=True)
        return StageContext(_integers(tables, torch.int8), _integers(means, torch.int32))

    def _add(self, stage: int, latents: IntArray) -> None:
        where = self._stages[stage].where
        part, *places = where[1:]
        residual = channels_last(latents[where]).permute(0, 2, 3, 1)
        residual.sub_(self._means[:, *places, part]).clamp_(-ACTIVATION_LIMIT, ACTIVATION_LIMIT)
        self._residuals.append(residual)
        if self._width + part.stop <= self._inputs.shape[3]:
            self._inputs[:, *places, self._width + part.start : self._width + part.stop] = residual


def _integers(values: Tensor, kind: torch.dtype) -> NDArray[Any]:
    """Return values (N, h, w, C) as integers (N, C, h, w)."""
    integers: NDArray[Any] = values.to(kind).permute(0, 3, 1, 2).contiguous().numpy()
    return integers
