"""The context network of a group of channels as products of matrices, to code with.

A stage has few positions, so most time would go into the overhead of convolutions, of padding for each, and of adding
their results. Here all that a phase sees is gathered in one matrix, and one product gives what the convolutions of
`prior_network.GroupContext` give: sums are exact, so their order does not matter.

Arrays are (N, h, w, C), in float32, at a quarter of the latents' positions unless noted.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from nncodec.nn.fixed_point import activation, exact_addmm, rounded
from nncodec_hyperprior.config import NEIGHBOURS
from nncodec_hyperprior.prior_network import GroupContext


class _Matrix(NamedTuple):
    """A 1 x 1 convolution: (inputs, outputs) and (outputs,)."""

    weight: Tensor
    bias: Tensor

    def __call__(self, places: Tensor) -> Tensor:
        return exact_addmm(self.bias, places, self.weight)


@dataclass(frozen=True, eq=False)
class ContextMatrices:
    """What `GroupContext` computes.

    Args:
        here: from features and earlier groups, at all positions, to the sums that every phase starts from.
        around: for each phase, from all neighbours that it knows to what is added to these sums.
        inner, outer: the layers that follow.
    """

    here: _Matrix
    around: tuple[_Matrix, ...]
    inner: _Matrix
    outer: _Matrix

    @classmethod
    def of(cls, context: GroupContext) -> ContextMatrices:
        """Return the matrices of a network whose layers are exact and stay as they are."""
        around = tuple(_stacked(context.around_layers(phase)) for phase in range(len(NEIGHBOURS)))
        return cls(_stacked([context.here]), around, _stacked([context.inner]), _stacked([context.outer]))

    def start(self, inputs: Tensor) -> Tensor:
        """Map features and the differences of earlier groups (N, h, w, C) to sums (N, h, w, hidden), all positions."""
        return self.here(inputs.flatten(0, 2)).view(*inputs.shape[:3], -1)

    def phase(self, start: Tensor, known: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
        """Return means to add and scale indices of the next phase; see `GroupContext.forward`.

        Args:
            start: this phase's part of `start`, (N, h/2, w/2, hidden).
            known: the differences of each earlier phase of the group from its first means, (N, h/2, w/2, own).
        """
        shape, phase = start.shape[:3], len(known)
        weight, bias = self.around[phase]
        sums = (start + bias).flatten(0, 2)  # a copy, since `activation` works in place
        if known:
            sums = exact_addmm(sums, _neighbours(known), weight)
        hidden = activation(self.inner(activation(sums)))
        mean, index = self.outer(hidden).view(*shape, -1).chunk(2, -1)
        return rounded(mean), index


def _neighbours(known: Sequence[Tensor]) -> Tensor:
    """Return what the next phase knows around each position, (N h w, neighbours x own)."""
    height, width = known[0].shape[1:3]
    seen = []
    for source, kernel, padding in NEIGHBOURS[len(known)]:
        padded = F.pad(known[source], (0, 0, *padding))
        seen += [padded[:, y : y + height, x : x + width] for y in range(kernel[0]) for x in range(kernel[1])]
    return torch.cat(seen, -1).flatten(0, 2)


def _stacked(layers: Sequence[nn.Conv2d]) -> _Matrix:
    """Return convolutions whose results are added as one matrix; its inputs are in the order of `_neighbours`."""
    if not layers:
        return _Matrix(*(torch.zeros(shape, dtype=torch.float32, device="cpu") for shape in ((0, 0), (1,))))
    weights, biases = [], []
    for layer in layers:
        assert layer.bias is not None
        weights.append(layer.weight.detach().permute(2, 3, 1, 0).flatten(0, 2))  # (kernel inputs, outputs)
        biases.append(layer.bias.detach())
    return _Matrix(torch.cat(weights).contiguous(), torch.stack(biases).sum(0))
