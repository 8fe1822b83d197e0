"""The networks: from what a stage sees to the mean, scale and shape of each sample's density, in fixed point.

References:
    Kamisli, "Learned lossless image compression through interpolation with low complexity", arXiv 2212.13243 (tiny
    networks shared by all scales).
"""

from __future__ import annotations

from typing import NamedTuple, cast

import torch
from torch import Tensor, nn

from nncodec.nn.fixed_point import ExactConv2d, FixedPointConv2d, activation, exact_addmm, rounded, steps_of
from nncodec.plugin.model_file import Tensors
from nncodec_lossless.natural.grids import MEAN_STEPS, View
from nncodec_lossless.natural.layers import HIDDEN, LINEAR_SHARE, OUTER_SHARE, OUTPUTS, layers
from nncodec_lossless.natural.neighbours import EARLIER, PHASES, feature_count

Layer = type[FixedPointConv2d] | type[ExactConv2d]
# Sixteenths of an octave: with an output of 0 the scale is 0.35 of the activity.
_SCALE_OFFSET = -24


class Density(NamedTuple):
    """The density of each sample of a stage, (places,) each.

    Args:
        mean: in sixteenths of a level.
        scale: logarithm of the logistic scale in levels, in sixteenths of an octave.
        shape: weight of the tails, see `density.TAILS`; not rounded.
    """

    mean: Tensor
    scale: Tensor
    shape: Tensor


class Matrix(NamedTuple):
    """A layer: (outputs, inputs) and (outputs, 1)."""

    weight: Tensor
    bias: Tensor

    def __call__(self, places: Tensor) -> Tensor:
        return exact_addmm(self.bias, self.weight, places)


class StageLayers(NamedTuple):
    """What a stage computes with.

    Args:
        first: from features to the first hidden layer and, below, to the linear path around the hidden ones.
        middle, outer: the layers that follow.
    """

    first: Matrix
    middle: Matrix
    outer: Matrix

    def __call__(self, view: View) -> Density:
        """Return the density of each place."""
        return self.density(view, *self.hidden(view))

    def hidden(self, view: View) -> tuple[Tensor, Tensor]:
        """Return the second hidden layer (HIDDEN, places) and the outputs of the linear path (OUTPUTS, places)."""
        sums = self.first(view.features)
        return activation(self.middle(activation(sums[:HIDDEN]))), sums[HIDDEN:]

    def density(self, view: View, hidden: Tensor, linear: Tensor) -> Density:
        """Return the density of each place from what `hidden` returned."""
        outputs = exact_addmm(linear + self.outer.bias, self.outer.weight, hidden)
        mean = rounded(outputs[0] * view.unit / MEAN_STEPS) + view.sums * (MEAN_STEPS // 4)
        # A unit of 4 is one level.
        scale = rounded(outputs[1]) + (4 * view.level - 32 + _SCALE_OFFSET)
        return Density(mean, scale, outputs[2] / MEAN_STEPS)


class StageNetwork(nn.Module):
    """Two hidden layers, and a linear path around them."""

    def __init__(self, inputs: int, layer: Layer) -> None:
        super().__init__()
        self.inner = layer(inputs, HIDDEN, 1)
        self.middle = layer(HIDDEN, HIDDEN, 1)
        self.outer = layer(HIDDEN, OUTPUTS, 1, share=OUTER_SHARE)
        self.linear = layer(inputs, OUTPUTS, 1, share=LINEAR_SHARE)
        self._fixed: StageLayers | None = None

    def fix(self) -> None:
        """Keep the layers as they are now: they will not be trained."""
        self._fixed = self.layers

    @property
    def layers(self) -> StageLayers:
        """The layers as they are now."""
        return self._fixed or StageLayers(
            _stacked(self.inner, self.linear), _stacked(self.middle), _stacked(self.outer)
        )

    def forward(self, view: View) -> Density:
        """Return the density of each place."""
        return self.layers(view)


class Networks(nn.Module):
    """One network for each phase and plane; planes beyond the third use those of the third."""

    def __init__(self, layer: Layer) -> None:
        super().__init__()
        self.stages = nn.ModuleList(
            StageNetwork(feature_count(plane, phase), layer)
            for plane in range(EARLIER + 1)
            for phase in range(1, len(PHASES))
        )

    def fixed(self) -> Networks:
        """Return the networks ready to code: they will not be trained."""
        self.requires_grad_(False).eval()
        for stage in self.stages:
            cast(StageNetwork, stage).fix()
        return self

    def of(self, plane: int, phase: int) -> StageNetwork:
        """Return the network of a stage."""
        return cast(StageNetwork, self.stages[min(plane, EARLIER) * (len(PHASES) - 1) + phase - 1])


def exact_networks(tensors: Tensors) -> Networks:
    """Return the networks of a model file, whose tensors were checked."""
    networks = Networks(ExactConv2d)
    for layer in layers():
        module = networks.get_submodule(layer.name)
        assert isinstance(module, ExactConv2d)
        module.set_steps(tensors[f"{layer.name}.weight"], tensors[f"{layer.name}.bias"])
    return networks.fixed()


def model_tensors(networks: Networks) -> Tensors:
    """Return trained networks as the tensors of a model file."""
    tensors: Tensors = {}
    for name, layer in networks.named_modules():
        if isinstance(layer, FixedPointConv2d):
            tensors[f"{name}.weight"], tensors[f"{name}.bias"] = steps_of(layer)
    return tensors


def start_networks(networks: Networks) -> None:
    """Initialize networks for training: the first mean, and a scale that follows the activity."""
    for module in networks.modules():
        if isinstance(module, StageNetwork):
            for layer, gain in ((module.outer, 0.3), (module.linear, 0.1)):
                if isinstance(layer, FixedPointConv2d):
                    layer.start_small(gain)


def _stacked(*layers: nn.Module) -> Matrix:
    """Return layers with the same inputs, one below the other."""
    weight = torch.cat([cast(Tensor, layer.weight) for layer in layers])
    bias = torch.cat([cast(Tensor, layer.bias) for layer in layers])
    return Matrix(weight.flatten(1), bias[:, None])
