"""What the model file of the photo network holds beside the network. This module needs no torch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nncodec.engine.transform_config import STRIDE, TransformConfig
from nncodec.plugin.codec import AnySize, CodecTraits
from nncodec.plugin.entropy import Tables
from nncodec.plugin.latents import LatentSpec
from nncodec.plugin.model_file import ModelFile
from nncodec_conv.contexts import ContextTables

LATENT = "y"
LATENT_LIMIT = 32767
NETWORK = "network."
TENSORS = (
    "order",
    "centre",
    "contexts.frequencies",
    "contexts.table_range",
    "contexts.thresholds",
    "contexts.choice",
)
"""Names of the tensors beside those of the network."""

_BOUNDS = {"latent_channels": (1, 768), "fine_blocks": (0, 16), "coarse_blocks": (0, 16), "anchors": (2, 101)}


@dataclass(frozen=True, eq=False)
class PhotoFile:
    """The shape of a photo network, its tables, and how its latents are ordered and rounded.

    Args:
        config: shape of the transforms.
        order: (C,) channel numbers of the network in coding order.
        centre: (C,) the typical value of each channel, subtracted before the gain, in the network's order.
        dead_zone: how far the rounding threshold of magnitudes lies above 1/2, in steps, 0 to below 0.5: 0 rounds to
            the nearest, 0.1 rounds 0.55 down. It trades a little distortion for rate.
        contexts: tables of the entropy model.

    Raises:
        ValueError: the parts do not fit each other.
    """

    config: TransformConfig
    order: NDArray[np.integer[Any]]
    centre: NDArray[np.floating[Any]]
    dead_zone: float
    contexts: ContextTables

    def __post_init__(self) -> None:
        channels = self.config.latent_channels
        if sorted(self.order.tolist()) != list(range(channels)) or self.centre.shape != (channels,):
            raise ValueError("order or centre does not fit the number of channels")
        if sum(self.contexts.groups) != channels or not 0 <= self.dead_zone < 0.5:
            raise ValueError("context groups or dead zone are out of range")

    @classmethod
    def read(cls, model_file: ModelFile) -> PhotoFile:
        """Read a model file.

        Raises:
            ValueError, TypeError, KeyError: config or tensors are missing or invalid.
        """
        config = dict(model_file.config)
        groups = tuple(config.pop("groups"))
        dead_zone = float(config.pop("dead_zone"))
        for key, (low, high) in _BOUNDS.items():
            if type(config.get(key)) is not int or not low <= config[key] <= high:
                raise ValueError(f"{key} is {config.get(key)!r}, not a whole number from {low} to {high}")
        shape, tensors = TransformConfig(**config), model_file.tensors
        minimum, precision = tensors["contexts.table_range"].tolist()
        tables = Tables(tensors["contexts.frequencies"].astype(np.uint32), minimum, precision)
        contexts = ContextTables(groups, tensors["contexts.thresholds"], tensors["contexts.choice"], tables)
        return cls(shape, tensors["order"], tensors["centre"], dead_zone, contexts)

    @property
    def traits(self) -> CodecTraits:
        """The traits of the codec."""
        spec = LatentSpec(LATENT, self.config.latent_channels, STRIDE, -LATENT_LIMIT, LATENT_LIMIT)
        return CodecTraits(("RGB",), AnySize(STRIDE, self.config.halo), (spec,), qualities=True)
