"""Initialize stacks as a transform and its inverse, since training finds one only slowly in plain layers and ReLUs.

Values travel in pairs, u as relu(u) and relu(-u): a layer that subtracts the second from the first is linear despite
the ReLUs. The strided layers start as 2 x 2 Haar transforms that keep the lowest frequencies, the others as
the identity, and the decoder undoes them. Its last hidden layer starts as samples of the picture, each as several
relu(x - t), which the last layer sums to the inverse of the sigmoid that follows. All weights get small random noise.

References:
    D. Balduzzi et al., "The shattered gradients problem", ICML 2017, section 3 (networks that start linear).
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from nncodec.nn.autoencoder import Autoencoder
from nncodec.nn.dct import COLOUR_BASIS
from nncodec_conv.networks import StackConfig

_COLOUR = torch.tensor(COLOUR_BASIS, dtype=torch.float32)
# Added to the frequency of colour differences, so that luma is kept first.
_COLOUR_HANDICAP = 0.35
_NOISE = 0.003
# Samples of a 2 x 2 block.
_SAMPLES = 12
# The inverse of the sigmoid is approximated between minus and plus this.
_LOGIT_REACH = 5.0
# The quantizer's range starts as 0..4.
_MIDDLE = 2.0


def start_stack(network: Autoencoder, config: StackConfig) -> None:
    """Start a freshly built stack as a transform and its inverse, in place.

    Args:
        network: from `build_stack`.
        config: of the network; stacks with a width below 24 have no room for a transform and stay as they are.
    """
    pairs = config.width // 2
    if pairs < _SAMPLES:
        return
    down = [layer for layer in network.encoder.modules() if isinstance(layer, nn.Conv2d)]
    up = [layer for layer in network.decoder.modules() if isinstance(layer, nn.ConvTranspose2d)][::-1]
    with torch.no_grad():
        for there, back in zip(down, up, strict=True):
            for parameter in (there.weight, back.weight):
                parameter.mul_(_NOISE)
            for parameter in (_bias(there), _bias(back)):
                parameter.zero_()
        bands = _start_pixels(down[0], up[0], config.width // _SAMPLES)
        for level, (there, back) in enumerate(zip(down[1:-1], up[1:-1], strict=True), start=1):
            if there.stride == (2, 2):
                bands = _start_haar(there, back, bands, pairs, level)
            else:
                _start_identity(there, back, len(bands), pairs)
        _start_codes(down[-1], up[-1], min(config.codes, len(bands)), pairs, 3**0.5 * config.stride / 2)


@dataclass(frozen=True, order=True)
class _Band:
    """A channel of the transform: its frequency and its source.

    Args:
        frequency: lower ones are kept first.
        source: the channel it comes from in the previous layer.
        across, down: 1 where it is the difference of neighbours along that axis, 0 where it is their sum.
    """

    frequency: float
    source: int
    across: int = 0
    down: int = 0

    @property
    def block(self) -> Tensor:
        """The 2 x 2 kernel, orthonormal."""
        across, down = ((-1.0) ** flag for flag in (self.across, self.down))
        return torch.tensor([[1.0, across], [down, across * down]]) / 2


def _split(bands: list[_Band], level: int) -> list[_Band]:
    """Return the bands into which a strided layer splits others, lowest first; later layers split low bands further."""
    octave = 2.0**-level
    return sorted(
        _Band(band.frequency + octave * (across + down), number, across, down)
        for number, band in enumerate(bands)
        for across in (0, 1)
        for down in (0, 1)
    )


def _start_pixels(there: nn.Conv2d, back: nn.ConvTranspose2d, hinges: int) -> list[_Band]:
    """Start the layers next to the pixels; return the bands of 2 x 2 blocks.

    The decoder's layer reads every sample from `hinges` channels, see `_hinges`.
    """
    bands = _split([_Band(_COLOUR_HANDICAP * (row > 0), row) for row in range(3)], 0)
    pairs = there.out_channels // 2
    for number, kernel in enumerate(_pixel_kernels(bands)):
        for sign, channel in ((1, number), (-1, pairs + number)):
            there.weight[channel, :, 1:, 1:] += sign * kernel
            _bias(there)[channel] -= sign * kernel.sum() / 2  # pixels minus 1/2
    _, slopes, lowest = _hinges(hinges)
    for sample in range(_SAMPLES):
        colour, place = divmod(sample, 4)
        for hinge, slope in enumerate(slopes):
            back.weight[sample * hinges + hinge, colour, 1 + place // 2, 1 + place % 2] += slope
    _bias(back).add_(lowest)
    return bands


def _pixel_kernels(bands: list[_Band]) -> list[Tensor]:
    """Return the kernel of each band over the pixels of a 2 x 2 block, (3, 2, 2)."""
    return [_COLOUR[band.source][:, None, None] * band.block for band in bands]


def _hinges(count: int) -> tuple[list[float], list[float], float]:
    """Return t and slope of each relu(x - t) and the constant, which sum to the inverse of the sigmoid at x."""
    values = torch.linspace(-_LOGIT_REACH, _LOGIT_REACH, count + 1)
    places = torch.sigmoid(values)
    steep = values.diff() / places.diff()
    slopes = [steep[0].item(), *steep.diff().tolist()]
    return places[:-1].tolist(), slopes, values[0].item()


def _start_haar(there: nn.Conv2d, back: nn.ConvTranspose2d, bands: list[_Band], pairs: int, level: int) -> list[_Band]:
    """Start a strided layer and its inverse; return the layer's bands."""
    kept = _split(bands, level)[:pairs]
    for number, band in enumerate(kept):
        for sign, channel in ((1, number), (-1, pairs + number)):
            for source_sign, source in ((1, band.source), (-1, pairs + band.source)):
                there.weight[channel, source, 1:, 1:] += sign * source_sign * band.block
            if level > 1:
                for source_sign, source in ((1, band.source), (-1, pairs + band.source)):
                    back.weight[channel, source, 1:, 1:] += sign * source_sign * band.block
                continue
            # This layer produces samples of the picture, not bands.
            hinges = back.out_channels // _SAMPLES
            samples = _pixel_kernels(bands)[band.source].flatten().repeat_interleave(hinges)
            back.weight[channel, : len(samples), 1:, 1:] += sign * samples[:, None, None] * band.block
    if level == 1:
        hinges = back.out_channels // _SAMPLES
        places = torch.tensor(_hinges(hinges)[0]).repeat(_SAMPLES)
        _bias(back)[: len(places)] += 0.5 - places
    return kept


def _start_identity(there: nn.Conv2d, back: nn.ConvTranspose2d, count: int, pairs: int) -> None:
    for channel in (*range(count), *range(pairs, pairs + count)):
        there.weight[channel, channel, 1, 1] += 1
        back.weight[channel, channel, 1, 1] += 1


def _start_codes(there: nn.Conv2d, back: nn.ConvTranspose2d, count: int, pairs: int, reach: float) -> None:
    """Start the code layers: codes centre on the middle of their range, which the lowest band just fills."""
    for code in range(count):
        for sign, channel in ((1, code), (-1, pairs + code)):
            there.weight[code, channel, 1, 1] += sign * _MIDDLE / reach
            back.weight[code, channel, 1, 1] += sign * reach / _MIDDLE
            _bias(back)[channel] -= sign * reach
        _bias(there)[code] += _MIDDLE


def _bias(layer: nn.Conv2d | nn.ConvTranspose2d) -> Tensor:
    assert layer.bias is not None
    return layer.bias
