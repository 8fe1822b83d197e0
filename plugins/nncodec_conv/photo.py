"""The codec of the photo network: any size, quality 0..100, contexts instead of learned scales per picture."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from nncodec.nn.precision import pixel_precision
from nncodec.nn.tensors import load_weights, refuse_unknown, to_pixels, to_tensor, weights_of
from nncodec.plugin.codec import AnySize, CodecModel, CodecTraits
from nncodec.plugin.entropy import EntropyModel, Tables
from nncodec.plugin.latents import IntArray, Latents, LatentSpec, Pixels
from nncodec.plugin.model_file import ModelFile, Tensors
from nncodec_conv.contexts import ContextEntropy, ContextTables
from nncodec_conv.photo_network import STRIDE, PhotoConfig, PhotoNetwork

LATENT = "y"
LATENT_LIMIT = 32767

_NETWORK = "network."
_OTHER_TENSORS = (
    "order",
    "centre",
    "contexts.frequencies",
    "contexts.table_range",
    "contexts.thresholds",
    "contexts.choice",
)
_BOUNDS = {"latent_channels": (1, 768), "fine_blocks": (0, 16), "coarse_blocks": (0, 16), "anchors": (2, 101)}


class PhotoCodec(CodecModel):
    """Analysis, gain and rounding with a dead zone, and their inverse.

    Args:
        network: with its weights loaded.
        order: (C,) channel numbers of the network in coding order.
        centre: (C,) the typical value of each channel, subtracted before the gain, in the network's order.
        dead_zone: how far the rounding threshold of magnitudes lies above 1/2, in steps, 0 to below 0.5: 0 rounds to
            the nearest, 0.1 rounds 0.55 down. It trades a little distortion for rate.
        contexts: tables of the entropy model.
    """

    def __init__(
        self,
        network: PhotoNetwork,
        order: NDArray[np.integer[Any]],
        centre: NDArray[np.floating[Any]],
        dead_zone: float,
        contexts: ContextTables,
    ) -> None:
        channels = network.config.latent_channels
        if sorted(order.tolist()) != list(range(channels)) or centre.shape != (channels,):
            raise ValueError("order or centre does not fit the number of channels")
        if sum(contexts.groups) != channels or not 0 <= dead_zone < 0.5:
            raise ValueError("context groups or dead zone are out of range")
        self._network = network
        self._order = torch.from_numpy(order.astype(np.int64))
        self._inverse_order = torch.argsort(self._order)
        self._centre = torch.from_numpy(centre.astype(np.float32))[:, None, None]
        self._dead_zone = dead_zone
        self._contexts = contexts
        spec = LatentSpec(LATENT, channels, STRIDE, -LATENT_LIMIT, LATENT_LIMIT)
        self.traits = CodecTraits(("RGB",), AnySize(STRIDE, network.config.halo), (spec,), qualities=True)

    @classmethod
    def from_file(cls, model_file: ModelFile) -> PhotoCodec:
        """Build from a model file; see `CodecModel.from_file`."""
        config = dict(model_file.config)
        groups = tuple(config.pop("groups"))
        dead_zone = float(config.pop("dead_zone"))
        for key, (low, high) in _BOUNDS.items():
            if type(config.get(key)) is not int or not low <= config[key] <= high:
                raise ValueError(f"{key} is {config.get(key)!r}, not a whole number from {low} to {high}")
        with torch.device("meta"):  # the config alone must not cost memory
            network = PhotoNetwork(PhotoConfig(**config))
        tensors = model_file.tensors
        refuse_unknown(tensors, _NETWORK, _OTHER_TENSORS)
        load_weights(network, tensors, _NETWORK)
        frequencies = tensors["contexts.frequencies"].astype(np.uint32)
        minimum, precision = tensors["contexts.table_range"].tolist()
        tables = Tables(frequencies, minimum, precision)
        contexts = ContextTables(groups, tensors["contexts.thresholds"], tensors["contexts.choice"], tables)
        return cls(network, tensors["order"], tensors["centre"], dead_zone, contexts)

    def entropy(self, quality: int) -> EntropyModel:
        """See `CodecModel.entropy`."""
        return ContextEntropy(self._contexts, quality, LATENT)

    @torch.inference_mode()
    def analysis(self, pixels: Pixels, quality: int, effort: int) -> Latents:
        """See `CodecModel.analysis`."""
        with pixel_precision():
            latents = self._network.analysis(to_tensor(pixels)) - self._centre
        scaled = (latents * self._network.gain(_quality_tensor(quality)))[:, self._order]
        magnitude = torch.floor(scaled.abs() + (0.5 - self._dead_zone)).clamp_(max=LATENT_LIMIT)
        return {LATENT: np.ascontiguousarray(torch.copysign(magnitude, scaled).to(torch.int32).numpy())}

    @torch.inference_mode()
    def synthesis(self, latents: Mapping[str, IntArray], quality: int) -> Pixels:
        """See `CodecModel.synthesis`."""
        symbols = torch.from_numpy(np.ascontiguousarray(latents[LATENT])).float()[:, self._inverse_order]
        inverse = self._network.inverse_gain(_quality_tensor(quality))
        centre = self._centre * self._network.gain(_quality_tensor(quality)) * inverse
        restored = (symbols * inverse + centre).contiguous(memory_format=torch.channels_last)
        with pixel_precision():
            return to_pixels(self._network.synthesis(restored))


def photo_tensors(
    network: PhotoNetwork,
    order: NDArray[np.integer[Any]],
    centre: NDArray[np.floating[Any]],
    contexts: ContextTables,
) -> Tensors:
    """Return the tensors of a model file that `PhotoCodec.from_file` reads."""
    return {
        **weights_of(network, _NETWORK),
        "order": order.astype(np.uint16),
        "centre": centre.astype(np.float32),
        "contexts.frequencies": contexts.tables.frequencies,
        "contexts.table_range": np.array([contexts.tables.minimum, contexts.tables.precision], np.int32),
        "contexts.thresholds": contexts.thresholds,
        "contexts.choice": contexts.choice,
    }


def _quality_tensor(quality: int) -> Tensor:
    return torch.tensor([float(quality)], dtype=torch.float32, device="cpu")
