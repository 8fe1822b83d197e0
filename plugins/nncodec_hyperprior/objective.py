"""The distortion: a mix of squared error, SSIMULACRA 2 and MS-SSIM, each with its own exchange rate into bits.

"mse-edges" is squared error that at low qualities counts the steps across the edges of blocks once more.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Mapping

import torch
from torch import Tensor

from nncodec.training.losses import edge_aware_error, multiscale_similarity, parts_of, ssimulacra2_distance

LOOKS = "0.48*mse + 0.21*ssimulacra2 + 0.31*ms-ssim"
"""The mix that models are trained for unless told otherwise, and that `hyperprior/photo` is refined for."""

PARTS = ("mse", "mse-edges", "ssimulacra2", "ms-ssim")
"""Names that a mix may contain."""

_SMALLEST_EDGES = {"mse": 1, "mse-edges": 1, "ssimulacra2": 8, "ms-ssim": 11}

# Bits per pixel that a unit of each error is worth at quality 0, 10, ... 100. Measured on held-back crops as
# -(d bpp / d quality) / (d error / d quality) of a model trained for squared error alone, so that each part by itself
# leads to about the same rate. At quality 0 and 10 the parts for looks count half and three quarters of that, or they
# would double the rate of the lowest quality. The units are a point of SSIMULACRA 2 and 1 of 1 - MS-SSIM.
_LAMBDAS = tuple(0.0005 * 1600 ** (step / 10) for step in range(11))
_EXCHANGE = {
    "ssimulacra2": (0.0016, 0.0033, 0.0075, 0.0126, 0.0206, 0.0339, 0.056, 0.096, 0.172, 0.309, 0.433),
    "ms-ssim": (1.7, 3.9, 10.3, 21.0, 42.0, 79.0, 143.0, 258.0, 464.0, 829.0, 1150.0),
}


class Distortion:
    """The error of decoded images in bits per pixel, to be added to the rate.

    Args:
        loss: weighted sum of `PARTS` as text, such as `LOOKS`; the weights add up to 1.

    Raises:
        ValueError: the text cannot be read, or names another part; one line.
    """

    def __init__(self, loss: str) -> None:
        weights = parts_of(loss)
        if unknown := [name for name in weights if name not in PARTS]:
            raise ValueError(f"the loss {loss!r} names {unknown[0]}; this architecture has {', '.join(PARTS)}")
        self._weights: Mapping[str, float] = {name: weight for name, weight in weights.items() if weight}

    @property
    def smallest_edge(self) -> int:
        """Pixels along the shorter edge that images need at least."""
        return max(_SMALLEST_EDGES[name] for name in self._weights)

    def __call__(self, decoded: Tensor, original: Tensor, weight: Tensor) -> Tensor:
        """Return the weighted error of each image, in bits per pixel, (N,).

        Args:
            decoded: (N, 3, H, W), around 0..1.
            original: (N, 1 or 3, H, W) in 0..1.
            weight: lambda of each image, (N,): bits per pixel that a squared level of error is worth.
        """
        original = original.expand_as(decoded)
        total = torch.zeros_like(weight)
        for name, share in self._weights.items():
            total = total + share * _exchange_rate(name, weight) * _error(name, decoded, original, weight)
        return total


def _error(name: str, decoded: Tensor, original: Tensor, weight: Tensor) -> Tensor:
    if name == "mse":
        return 255**2 * (decoded - original).square().mean(dim=(1, 2, 3))
    if name == "mse-edges":
        # Block edges are seen up to about quality 50.
        share = ((70 - 100 * _place(weight)) / 45).clamp(0.03, 1)
        return 255**2 * edge_aware_error(decoded, original, share)
    if name == "ssimulacra2":
        return ssimulacra2_distance(decoded, original)
    return 1 - multiscale_similarity(decoded.clamp(0, 1), original)


def _exchange_rate(name: str, weight: Tensor) -> Tensor:
    """Return the bits per pixel that a unit of an error is worth, interpolated over the logarithm of lambda."""
    if name in ("mse", "mse-edges"):
        return weight
    table = _logarithms(name, weight.device)
    place = _place(weight) * (len(table) - 1)
    below = place.floor().clamp(max=len(table) - 2).long()
    fraction = place - below
    return torch.exp(table[below] * (1 - fraction) + table[below + 1] * fraction)


@functools.cache
def _logarithms(name: str, device: torch.device) -> Tensor:
    with torch.inference_mode(False):  # gradients may be taken later
        return torch.tensor(_EXCHANGE[name], device=device).log()


def _place(weight: Tensor) -> Tensor:
    """Return the quality that a lambda belongs to, 0..1."""
    place: Tensor = (weight / _LAMBDAS[0]).log() / math.log(_LAMBDAS[-1] / _LAMBDAS[0])
    return place.clamp(0, 1)
