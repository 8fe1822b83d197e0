"""The codec of the photo network: any size, quality 0..100, contexts instead of learned scales per picture."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from nncodec.nn.devices import OnDevices, pixel_device
from nncodec.nn.precision import pixel_precision
from nncodec.nn.tensors import load_weights, refuse_unknown, to_array, to_pixels, to_tensor, weights_of
from nncodec.plugin.codec import CodecModel
from nncodec.plugin.entropy import EntropyModel
from nncodec.plugin.latents import IntArray, Latents, Pixels
from nncodec.plugin.model_file import ModelFile, Tensors
from nncodec_conv.contexts import ContextEntropy, ContextTables
from nncodec_conv.photo_file import LATENT, LATENT_LIMIT, NETWORK, TENSORS, PhotoFile
from nncodec_conv.photo_network import PhotoNetwork


class PhotoCodec(CodecModel):
    """Analysis, gain and rounding with a dead zone, and their inverse.

    Args:
        network: with its weights loaded.
        stored: what the model file holds beside it.
    """

    def __init__(self, network: PhotoNetwork, stored: PhotoFile) -> None:
        self._network = OnDevices(network)
        self._order = torch.from_numpy(stored.order.astype(np.int64))
        self._inverse_order = torch.argsort(self._order)
        self._centre = torch.from_numpy(stored.centre.astype(np.float32))[:, None, None]
        self._dead_zone = stored.dead_zone
        self._contexts = stored.contexts
        self.traits = stored.traits

    @classmethod
    def from_file(cls, model_file: ModelFile) -> PhotoCodec:
        """Build from a model file; see `CodecModel.from_file`."""
        stored = PhotoFile.read(model_file)
        with torch.device("meta"):  # the config alone must not cost memory
            network = PhotoNetwork(stored.config)
        refuse_unknown(model_file.tensors, NETWORK, TENSORS)
        load_weights(network, model_file.tensors, NETWORK)
        return cls(network, stored)

    def entropy(self, quality: int) -> EntropyModel:
        """See `CodecModel.entropy`."""
        return ContextEntropy(self._contexts, quality, LATENT)

    @torch.inference_mode()
    def analysis(self, pixels: Pixels, quality: int, effort: int) -> Latents:
        """See `CodecModel.analysis`."""
        with pixel_precision():
            latents = self._network.current().analysis(to_tensor(pixels, pixel_device())).cpu() - self._centre
        scaled = (latents * self._network.module.gain(_quality_tensor(quality)))[:, self._order]
        magnitude = torch.floor(scaled.abs() + (0.5 - self._dead_zone)).clamp_(max=LATENT_LIMIT)
        return {LATENT: np.ascontiguousarray(to_array(torch.copysign(magnitude, scaled).to(torch.int32)))}

    @torch.inference_mode()
    def synthesis(self, latents: Mapping[str, IntArray], quality: int) -> Pixels:
        """See `CodecModel.synthesis`."""
        symbols = torch.from_numpy(np.ascontiguousarray(latents[LATENT])).float()[:, self._inverse_order]
        network = self._network.module
        level, device = _quality_tensor(quality), pixel_device()
        inverse = network.inverse_gain(level)
        centre = self._centre * network.gain(level) * inverse
        restored = (symbols * inverse + centre).contiguous(memory_format=torch.channels_last)
        with pixel_precision():
            return to_pixels(self._network.current().synthesis(restored.to(device), level.to(device)))


def photo_tensors(
    network: PhotoNetwork,
    order: NDArray[np.integer[Any]],
    centre: NDArray[np.floating[Any]],
    contexts: ContextTables,
) -> Tensors:
    """Return the tensors of a model file that `PhotoCodec.from_file` reads."""
    return {
        **weights_of(network, NETWORK),
        "order": order.astype(np.uint16),
        "centre": centre.astype(np.float32),
        "contexts.frequencies": contexts.tables.frequencies,
        "contexts.table_range": np.array([contexts.tables.minimum, contexts.tables.precision], np.int32),
        "contexts.thresholds": contexts.thresholds,
        "contexts.choice": contexts.choice,
    }


def _quality_tensor(quality: int) -> Tensor:
    return torch.tensor([float(quality)], dtype=torch.float32, device="cpu")
