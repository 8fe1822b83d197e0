"""Makes a trained network exact, so that it may choose probabilities.

`fixed_point` trains networks that are exact in float32. This module takes a network that was trained in floating point
and rounds it: weights to multiples of 2^-16, the result of each layer to multiples of 2^-12 within +-2^11, all in
float64. Every sum then is a multiple of 2^-28 below 2^25, and float64 holds it without rounding, whatever the order of
summation.
"""

from __future__ import annotations

import copy

import torch.nn.functional as F
from torch import Tensor, nn

_WEIGHT_STEPS = 2.0**16
_ACTIVATION_STEPS = 2.0**12
_ACTIVATION_LIMIT = 2.0**11
_SUM_LIMIT = 2.0**25
# Each value of their results depends on one value, by at most one operation that IEEE 754 rounds.
_EXACT_LAYERS = (nn.ReLU, nn.LeakyReLU, nn.Identity, nn.PixelShuffle, nn.PixelUnshuffle, nn.Flatten)


def exact_network(network: nn.Sequential) -> nn.Sequential:
    """Return a copy of a trained network whose results are the same on every machine and backend.

    Args:
        network: `Conv2d` (padded with zeros), `ConvTranspose2d`, `Linear`, ReLU, LeakyReLU, pixel shuffles, in sequence
            or nested sequences.

    Returns:
        A network for inference that takes whole numbers, or multiples of 2^-12, within +-2^11 in any float type, and
        returns float64 multiples of 2^-12. Round them to the table indices and offsets of a `StageContext`.

    Raises:
        ValueError: a layer is of another kind, or its weights are so large that sums might not be exact.

    Example:
        >>> decoder = exact_network(trained.hyper_decoder)
        >>> scale_index, mean = decoder(torch.from_numpy(known["z"]).double()).chunk(2, 1)
        >>> offsets = (16 * mean).round().int().numpy()  # for latents in sixteenths
    """
    layers: list[nn.Module] = []
    for layer in network:
        if isinstance(layer, nn.Sequential):
            layers.append(exact_network(layer))
        elif isinstance(layer, nn.Conv2d | nn.ConvTranspose2d | nn.Linear):
            layers.append(_ExactLayer(layer))
        elif isinstance(layer, _EXACT_LAYERS):
            layers.append(copy.deepcopy(layer))
        else:
            raise ValueError(f"{type(layer).__name__} cannot be made exact")
    return nn.Sequential(*layers).requires_grad_(False).eval()


class _ExactLayer(nn.Module):
    """A linear layer with rounded weights and results, in float64."""

    def __init__(self, layer: nn.Conv2d | nn.ConvTranspose2d | nn.Linear) -> None:
        super().__init__()
        if isinstance(layer, nn.Conv2d) and layer.padding_mode != "zeros":
            raise ValueError(f"padding with {layer.padding_mode!r} cannot be made exact")
        self._layer = copy.deepcopy(layer).double()
        weight, bias = self._layer.weight.data, self._layer.bias
        weight.mul_(_WEIGHT_STEPS).round_().div_(_WEIGHT_STEPS)
        # The weights of all inputs of one output; those of a transposed convolution, or of groups, are at most these.
        outputs = 1 if isinstance(layer, nn.ConvTranspose2d) else 0
        sums = weight.abs().sum(dim=[axis for axis in range(weight.dim()) if axis != outputs]) * _ACTIVATION_LIMIT
        most = float(sums.max())
        if bias is not None:
            bias.data.mul_(_WEIGHT_STEPS * _ACTIVATION_STEPS).round_().div_(_WEIGHT_STEPS * _ACTIVATION_STEPS)
            most += float(bias.data.abs().max())
        if not most < _SUM_LIMIT:
            raise ValueError("weights are so large that sums would not be exact")

    def forward(self, values: Tensor) -> Tensor:
        # Autocast leaves float64 alone, and no backend computes it in less.
        sums: Tensor = self._layer(_rounded(values.double()))
        return _rounded(sums)


def _rounded(values: Tensor) -> Tensor:
    steps = (values * _ACTIVATION_STEPS).round_()
    limit = _ACTIVATION_LIMIT * _ACTIVATION_STEPS
    return F.hardtanh(steps, -limit, limit) / _ACTIVATION_STEPS


__all__ = ["exact_network"]
