"""Refine the latents of one picture by gradient descent, before rounding.

The analysis transform finds good latents in one step; descent on rate + lambda x distortion of this picture finds
better ones. Decoders are not affected.

References:
    Yang, Bamler and Mandt, "Improving inference for neural image compression", NeurIPS 2020 (stochastic Gumbel
    annealing).
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import torch
from torch import Tensor

from nncodec.nn.precision import pixel_precision
from nncodec_hyperprior.coding import code_latents
from nncodec_hyperprior.network import HyperpriorNetwork
from nncodec_hyperprior.objective import Distortion

# Refinement goes tile by tile, which bounds memory; a margin around each tile is read but not changed.
_TILE = 48
_MARGIN = 4
_STRIDE = 16
_LEARNING_RATE = 0.01
_TEMPERATURES = (0.3, 0.1)


class Annealing:
    """Differentiable rounding up or down at random; the lower the temperature, the less random.

    Args:
        temperature: above 0; near 0 this rounds to the nearest.
        generator: source of randomness.
    """

    def __init__(self, temperature: float, generator: torch.Generator) -> None:
        self._temperature = temperature
        self._generator = generator

    def __call__(self, distance: Tensor) -> tuple[Tensor, Tensor]:
        """Return soft symbols for both results of a `Rounding`; see `code_latents`."""
        below = distance.detach().floor()
        above = (distance - below).clamp(1e-4, 1 - 1e-4)
        # The farther neighbour is less likely: log-probabilities are -atanh(distance) / temperature.
        preference = (torch.atanh(1 - above) - torch.atanh(above)) / self._temperature
        uniform = torch.rand(
            distance.shape, generator=self._generator, dtype=distance.dtype, device=distance.device
        ).clamp_(1e-6, 1 - 1e-6)
        noise = torch.log(uniform) - torch.log1p(-uniform)  # the difference of two Gumbel variables
        symbols = below + torch.sigmoid((noise - preference) / self._temperature)
        return symbols, symbols


def refine(
    network: HyperpriorNetwork, latents: Tensor, hyper: Tensor, pixels: Tensor, quality: int, iterations: int
) -> tuple[Tensor, Tensor]:
    """Return better latents and hyper-latents for pictures, not yet rounded.

    Args:
        network: an inference network.
        latents: after the gain, (N, C, h, w), h and w even.
        hyper: (N, Z, h/2, w/2).
        pixels: the pictures, (N, 3, 16 h, 16 w) in 0..1.
        quality: 0..100.
        iterations: steps of descent on each tile.
    """
    latents, hyper = latents.clone(), hyper.clone()
    for window, inner in _tiles(*latents.shape[2:]):
        at = (slice(None), slice(None), *window)
        hyper_at = (slice(None), slice(None), *_scaled(window, 1, 2))
        picture = pixels[(slice(None), slice(None), *_scaled(window, _STRIDE, 1))]
        better = _refine_tile(
            network, latents[at].clone(), hyper[hyper_at].clone(), picture, inner, quality, iterations
        )
        latents[at][:, :, *inner] = better[0][:, :, *inner]
        halves = _scaled(inner, 1, 2)
        hyper[hyper_at][:, :, *halves] = better[1][:, :, *halves]
    return latents, hyper


@torch.enable_grad()
def _refine_tile(
    network: HyperpriorNetwork,
    latents: Tensor,
    hyper: Tensor,
    pixels: Tensor,
    inner: tuple[slice, slice],
    quality: int,
    iterations: int,
) -> tuple[Tensor, Tensor]:
    qualities = latents.new_full((len(latents),), float(quality))
    transforms = network.transforms
    inverse_gain = transforms.inverse_gain(qualities)
    weight = transforms.distortion_weight(qualities)
    distortion = Distortion(network.config.loss)
    mask, hyper_mask = latents.new_zeros(latents.shape[2:]), hyper.new_zeros(hyper.shape[2:])
    mask[inner] = 1
    hyper_mask[_scaled(inner, 1, 2)] = 1
    moves = [torch.zeros_like(latents, requires_grad=True), torch.zeros_like(hyper, requires_grad=True)]
    optimizer = torch.optim.Adam(moves, lr=_LEARNING_RATE)
    generator = torch.Generator(latents.device).manual_seed(0)
    count = pixels.shape[0] * pixels.shape[2] * pixels.shape[3]
    for iteration in range(iterations):
        progress = iteration / iterations
        for group in optimizer.param_groups:
            group["lr"] = _LEARNING_RATE * (0.1 + 0.45 * (1 + math.cos(math.pi * progress)))
        temperature = _TEMPERATURES[0] * (_TEMPERATURES[1] / _TEMPERATURES[0]) ** progress
        values, bits, hyper_bits = code_latents(
            network.prior,
            latents + moves[0] * mask,
            hyper + moves[1] * hyper_mask,
            qualities,
            Annealing(temperature, generator),
        )
        with pixel_precision():  # precise enough for the direction of a step
            restored = transforms.synthesis(values * inverse_gain, qualities)
        loss = (bits + hyper_bits).sum() / count + distortion(restored.float(), pixels, weight).mean()
        optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
    return (latents + moves[0] * mask).detach(), (hyper + moves[1] * hyper_mask).detach()


def _scaled(window: tuple[slice, slice], factor: int, divisor: int) -> tuple[slice, slice]:
    rows, columns = (slice(span.start * factor // divisor, span.stop * factor // divisor) for span in window)
    return rows, columns


def _tiles(height: int, width: int) -> Iterator[tuple[tuple[slice, slice], tuple[slice, slice]]]:
    """Yield windows of latents and, within each, the tile to refine."""
    for top in range(0, height, _TILE):
        for left in range(0, width, _TILE):
            window, inner = [], []
            for start, size in ((top, height), (left, width)):
                stop = min(start + _TILE, size)
                low, high = max(0, start - _MARGIN), min(size, stop + _MARGIN)
                window.append(slice(low, high))
                inner.append(slice(start - low, stop - low))
            yield (window[0], window[1]), (inner[0], inner[1])
