"""Losses by name, and weighted sums of them as text: `0.3*ssim + 0.2*perceptual + 0.5*mse`."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import torch
from torch import Tensor

from nncodec.training.losses.block_edges import mse_edges
from nncodec.training.losses.perceptual import perceptual_loss
from nncodec.training.losses.pointwise import Loss, bce, l1, log_error, mse
from nncodec.training.losses.ssimulacra2 import ssimulacra2_loss
from nncodec.training.losses.structural import dissimilarity, multiscale_dissimilarity

LOSSES: Final[dict[str, Loss]] = {
    "mse": mse,
    "mse-edges": mse_edges,
    "bce": bce,
    "l1": l1,
    "log-error": log_error,
    "ssim": dissimilarity,
    "ms-ssim": multiscale_dissimilarity,
    "ssimulacra2": ssimulacra2_loss,
}
"""Loss functions by name; there is also "perceptual", which needs weights."""

_PERCEPTUAL: Final = "perceptual"
_TERM: Final = re.compile(r"(?:(?P<weight>-?(?:\d+\.?\d*|\.\d+)(?:e-?\d+)?)\s*\*\s*)?(?P<name>[a-z][a-z0-9-]*)")
_SUM_TOLERANCE: Final = 1e-6


def loss_by_name(name: str) -> Loss:
    """Return a loss that needs no weights; raises ValueError with the known names."""
    if name not in LOSSES:
        raise ValueError(f"there is no loss {name!r}; there are {', '.join(LOSSES)}")
    return LOSSES[name]


def parts_of(text: str) -> dict[str, float]:
    """Return the weight of each part of a loss, checked, without loading anything.

    Args:
        text: the name of a loss, or a sum of `weight*name`. "ssim" and "ms-ssim" stand for 1 minus these.

    Returns:
        Weights by name, in the order given; each at least 0, with sum 1.

    Raises:
        ValueError: the text cannot be read, names an unknown part or one twice, or its weights are negative or do not
            add up to 1.
    """
    known = (*LOSSES, _PERCEPTUAL)
    weights: dict[str, float] = {}
    for term in text.split("+"):
        match = _TERM.fullmatch(term.strip())
        if match is None:
            raise ValueError(f"cannot read {term.strip()!r} in the loss {text!r}; write for example 0.3*ssim + 0.7*mse")
        name, weight = match["name"], float(match["weight"] or 1)
        if name not in known:
            raise ValueError(f"there is no loss {name!r}; there are {', '.join(known)}")
        if name in weights:
            raise ValueError(f"the loss {text!r} names {name} twice")
        if weight < 0:
            raise ValueError(f"the weight of {name} in the loss {text!r} is negative")
        weights[name] = weight
    total = math.fsum(weights.values())
    if abs(total - 1) > _SUM_TOLERANCE:
        raise ValueError(f"the weights of the loss {text!r} add up to {total:.7g}, not 1")
    return weights


def loss_from(text: str, *, features: Path | None = None) -> Loss:
    """Return the loss that a text describes.

    It does not include a rate, which is not a function of pixels; training tasks add theirs.

    Args:
        text: see `parts_of`.
        features: VGG16 weights for the part "perceptual", see `perceptual_loss`; only read where that part counts.

    Raises:
        ValueError: see `parts_of` and `perceptual_loss`.
    """
    weights = {name: weight for name, weight in parts_of(text).items() if weight}
    parts = {name: perceptual_loss(features) if name == _PERCEPTUAL else LOSSES[name] for name in weights}
    if len(parts) == 1:
        return next(iter(parts.values()))
    return _weighted_sum(weights, parts)


def _weighted_sum(weights: Mapping[str, float], parts: Mapping[str, Loss]) -> Loss:
    def combined(restored: Tensor, original: Tensor) -> Tensor:
        return torch.stack([weight * parts[name](restored, original) for name, weight in weights.items()]).sum()

    return combined
