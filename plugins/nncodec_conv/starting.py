"""Stacks to be trained start as a linear transform, since plain layers and ReLUs are slow to find one by themselves.

Values travel in pairs, u as relu(u) and relu(-u), so that a layer that subtracts the second from the first is linear
in spite of the ReLUs. The strided layers start as 2 x 2 Haar transforms that keep the lowest frequencies, the others as
the identity, and the decoder undoes them; small random weights are added everywhere.

References:
    D. Balduzzi et al., "The shattered gradients problem", ICML 2017, section 3 (networks that start linear).
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from nncodec.nn.autoencoder import Autoencoder
from nncodec_conv.networks import StackConfig

# Rows: luma and two colour differences of R, G, B, orthonormal.
_COLOUR = [[3**-0.5] * 3, [2**-0.5, 0, -(2**-0.5)], [6**-0.5, -2 * 6**-0.5, 6**-0.5]]
# How much sooner luma is kept than colour differences of the same frequency.
_COLOUR_HANDICAP = 0.35
_NOISE = 0.05
# The sigmoid's slope is 1/4 at its centre.
_SIGMOID_SLOPE = 4.0


def start_stack(network: Autoencoder, config: StackConfig) -> None:
    """Start a freshly built stack as a linear transform and its inverse, in place.

    Args:
        network: of `build_stack`.
        config: the same; from 6 channels on the transform exists, narrower stacks stay as they are.
    """
    pairs = config.width // 2
    if pairs < 3:
        return
    down = [layer for layer in network.encoder.modules() if isinstance(layer, nn.Conv2d)]
    up = [layer for layer in network.decoder.modules() if isinstance(layer, nn.ConvTranspose2d)][::-1]
    with torch.no_grad():
        for there, back in zip(down, up, strict=True):
            for parameter in (there.weight, back.weight):
                parameter.mul_(_NOISE)
            for parameter in (_bias(there), _bias(back)):
                parameter.zero_()
        bands = [_Band(_COLOUR_HANDICAP * (row > 0), row) for row in range(3)]
        for number, (there, back) in enumerate(zip(down, up, strict=True)):
            if there.stride == (2, 2):
                bands = _start_haar(there, back, bands, pairs, level=number)
            elif number < len(down) - 1:
                _start_identity(there, back, len(bands), pairs)
        _start_codes(down[-1], up[-1], min(config.codes, len(bands)), pairs, reach=3**0.5 * config.stride / 2)


@dataclass(frozen=True, order=True)
class _Band:
    """A channel of the transform: how high its frequency is, and which channel of the layer before it is made of."""

    frequency: float
    source: int
    across: int = 0
    down: int = 0


def _start_haar(there: nn.Conv2d, back: nn.ConvTranspose2d, bands: list[_Band], pairs: int, level: int) -> list[_Band]:
    """Start a strided layer and its inverse; return the bands that it makes, lowest first."""
    octave = 2.0**-level  # later layers split low bands further
    split = [
        _Band(band.frequency + octave * (across + down), number, across, down)
        for number, band in enumerate(bands)
        for across in (0, 1)
        for down in (0, 1)
    ]
    kept = sorted(split)[:pairs]
    for number, band in enumerate(kept):
        block = torch.tensor([[1.0, (-1.0) ** band.across], [(-1.0) ** band.down, (-1.0) ** (band.across + band.down)]])
        block = block / 2  # orthonormal
        if level == 0:
            # From pixels, less their middle; to what goes into the sigmoid.
            kernel = torch.tensor(_COLOUR[band.source])[:, None, None] * block  # (3, 2, 2)
            for sign, channel in ((1, number), (-1, pairs + number)):
                there.weight[channel, :, 1:, 1:] += sign * kernel
                _bias(there)[channel] -= sign * kernel.sum() / 2
                back.weight[channel, :, 1:, 1:] += sign * _SIGMOID_SLOPE * kernel
            continue
        for sign, channel in ((1, number), (-1, pairs + number)):
            for source_sign, source in ((1, band.source), (-1, pairs + band.source)):
                there.weight[channel, source, 1:, 1:] += sign * source_sign * block
                back.weight[channel, source, 1:, 1:] += sign * source_sign * block
    return kept


def _start_identity(there: nn.Conv2d, back: nn.ConvTranspose2d, count: int, pairs: int) -> None:
    for channel in (*range(count), *range(pairs, pairs + count)):
        there.weight[channel, channel, 1, 1] += 1
        back.weight[channel, channel, 1, 1] += 1


def _start_codes(there: nn.Conv2d, back: nn.ConvTranspose2d, count: int, pairs: int, reach: float) -> None:
    """Codes lie around the middle of their range; the transform's values reach as far as its lowest band does."""
    middle = 2.0  # the quantizer's range starts as 0..4
    for code in range(count):
        for sign, channel in ((1, code), (-1, pairs + code)):
            there.weight[code, channel, 1, 1] += sign * middle / reach
            back.weight[code, channel, 1, 1] += sign * reach / middle
            _bias(back)[channel] -= sign * reach
        _bias(there)[code] += middle


def _bias(layer: nn.Conv2d | nn.ConvTranspose2d) -> Tensor:
    assert layer.bias is not None
    return layer.bias
