"""The shape of hyperprior networks, and the config of their model files. This module needs no torch."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import accumulate
from typing import Any

from nncodec.engine.fixed_point import ACTIVATION_STEPS
from nncodec.engine.transform_config import STRIDE, TransformConfig

HYPER = "z"
LATENT = "y"
HYPER_STRIDE = 2 * STRIDE
# The hyper-decoder sees a quarter of each integer hyper-latent, so that +-127 fits its activations.
HYPER_LIMIT = 127
HYPER_STEPS = ACTIVATION_STEPS // 4
# Order of the positions of a 2 x 2 grid, (row, column) each.
PHASES = ((0, 0), (1, 1), (0, 1), (1, 0))
# For each phase: its earlier neighbouring phases, the kernel that covers these neighbours in their phase's array, and
# the padding of that array (left, right, top, bottom). The last phase knows all eight neighbours.
NEIGHBOURS: tuple[tuple[tuple[int, tuple[int, int], tuple[int, int, int, int]], ...], ...] = (
    (),
    ((0, (2, 2), (0, 1, 0, 1)),),
    ((0, (1, 2), (0, 1, 0, 0)), (1, (2, 1), (0, 0, 1, 0))),
    ((0, (2, 1), (0, 0, 0, 1)), (1, (1, 2), (1, 0, 0, 0)), (2, (2, 2), (1, 0, 0, 1))),
)
# A table index is a scale: SCALE_LOW x exp(SCALE_STEP x index).
SCALES = 64
SCALE_LOW = 0.08
SCALE_STEP = math.log(1000) / (SCALES - 1)

_FIRST_LOSS = "mse"
_LONGEST_LOSS = 200
_BOUNDS = {
    "latent_channels": (1, 768),
    "fine_blocks": (0, 16),
    "coarse_blocks": (0, 16),
    "anchors": (2, 64),
    "hyper_channels": (1, 512),
    "width": (1, 1024),
    "hidden": (1, 1024),
    "detail_quality": (0, 100),
}


@dataclass(frozen=True)
class PriorConfig:
    """Shape of the prior.

    Args:
        groups: latent channels of each group.
        hyper_channels: channels of the hyper-latents, at half the latents' resolution.
        width: output channels of the hyper-decoder.
        hidden: channels inside the hyper networks and, unless `context_hidden` says otherwise, the context networks.
        anchors: number of qualities, evenly spaced over 0..100, with separate parameters.
        context_hidden: channels inside the context network of each group, or None.
        detail_quality: the lowest quality at which the last group is coded; below, it is 0.
    """

    groups: tuple[int, ...] = (32, 96, 128)
    hyper_channels: int = 64
    width: int = 128
    hidden: int = 192
    anchors: int = 8
    context_hidden: tuple[int, ...] | None = None
    detail_quality: int = 0

    def hidden_of(self, group: int) -> int:
        """Return the channels inside the context network of a group."""
        return self.hidden if self.context_hidden is None else self.context_hidden[group]

    @property
    def parts(self) -> list[slice]:
        """The channels of each group."""
        ends = list(accumulate(self.groups))
        return [slice(end - size, end) for end, size in zip(ends, self.groups, strict=True)]


@dataclass(frozen=True)
class NetworkConfig:
    """Shape and loss of a hyperprior network.

    Args:
        transforms, prior: shapes of the parts.
        loss: the distortion in training and refinement; see `nncodec_hyperprior.objective`.
    """

    transforms: TransformConfig = field(
        default_factory=lambda: TransformConfig(latent_channels=256, lambda_low=0.0005, lambda_high=0.8)
    )
    prior: PriorConfig = field(default_factory=PriorConfig)
    loss: str = "mse"


def model_config(config: NetworkConfig) -> dict[str, Any]:
    """Return the config of a model file, for `read_config`."""
    transforms, prior = config.transforms, config.prior
    return {
        **{key: getattr(transforms, key) for key in ("fine_blocks", "coarse_blocks", "lambda_low", "lambda_high")},
        **{key: getattr(prior, key) for key in ("hyper_channels", "width", "hidden", "anchors")},
        "groups": list(prior.groups),
        # The first models lack these keys.
        **({} if config.loss == _FIRST_LOSS else {"objective": config.loss}),
        **({} if transforms.padding == "zeros" else {"padding": transforms.padding}),
        **({"deblocking": True} if transforms.deblocking else {}),
        **({"detail_quality": prior.detail_quality} if transforms.detail_channels else {}),
        **({"context_hidden": list(prior.context_hidden)} if prior.context_hidden else {}),
    }


def read_config(stored: Mapping[str, Any]) -> NetworkConfig:
    """Read and check the config of a model file.

    The text of the loss is not read, since only training and refinement need it.

    Raises:
        ValueError, TypeError, KeyError: the config is invalid.
    """
    config = dict(stored)
    groups = tuple(config.pop("groups"))
    if not groups or any(type(size) is not int or size < 1 for size in groups):
        raise ValueError("groups are not whole numbers from 1 on")
    config["latent_channels"] = sum(groups)
    loss = config.pop("objective", _FIRST_LOSS)
    if not isinstance(loss, str) or len(loss) > _LONGEST_LOSS:
        raise ValueError(f"objective is {loss!r:.80}, not a short text")
    padding = config.pop("padding", "zeros")
    if padding not in ("zeros", "replicate"):
        raise ValueError(f"padding is {padding!r:.80}, not 'zeros' or 'replicate'")
    deblocking = config.pop("deblocking", False)
    if type(deblocking) is not bool:
        raise ValueError(f"deblocking is {deblocking!r:.80}, not true or false")
    has_detail = "detail_quality" in config
    config.setdefault("detail_quality", 0)
    for key, (low, high) in _BOUNDS.items():
        if type(config.get(key)) is not int or not low <= config[key] <= high:
            raise ValueError(f"{key} is {config.get(key)!r}, not a whole number from {low} to {high}")
    context_hidden = _context_hidden(config.pop("context_hidden", None), len(groups))
    transforms = TransformConfig(
        **{key: config.pop(key) for key in ("latent_channels", "fine_blocks", "coarse_blocks")},
        lambda_low=float(config.pop("lambda_low")),
        lambda_high=float(config.pop("lambda_high")),
        anchors=config["anchors"],
        detail_channels=groups[-1] if has_detail else 0,
        detail_quality=config["detail_quality"],
        deblocking=deblocking,
        padding=padding,
    )
    return NetworkConfig(transforms, PriorConfig(groups=groups, context_hidden=context_hidden, **config), loss)


def _context_hidden(stored: object, groups: int) -> tuple[int, ...] | None:
    if stored is None:
        return None
    low, high = _BOUNDS["hidden"]
    if not isinstance(stored, list) or len(stored) != groups:
        raise ValueError(f"context_hidden is not a list of {groups} numbers")
    if any(type(width) is not int or not low <= width <= high for width in stored):
        raise ValueError(f"context_hidden has a number that is not whole or not from {low} to {high}")
    return tuple(stored)
