"""The codec for photographs with a hyperprior and contexts."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from nncodec.engine.fixed_point import ACTIVATION_STEPS
from nncodec.nn.devices import OnDevices, pixel_device
from nncodec.nn.fixed_point import ExactConv2d, steps_of
from nncodec.nn.margins import NO_MARGINS
from nncodec.nn.precision import pixel_precision
from nncodec.nn.tensors import (
    channels_last,
    load_weights,
    refuse_unknown,
    to_array,
    to_pixels,
    to_tensor,
    weights_of,
)
from nncodec.plugin.codec import CodecModel, Margins
from nncodec.plugin.entropy import EntropyModel
from nncodec.plugin.latents import IntArray, Latents, Pixels
from nncodec.plugin.model_file import ModelFile, Tensors
from nncodec_hyperprior.block import TorchContexts
from nncodec_hyperprior.config import LATENT, NetworkConfig, read_config
from nncodec_hyperprior.entropy import TABLES, HyperpriorEntropy, PriorTables, read_tables, traits_of
from nncodec_hyperprior.fitting import fit_tables
from nncodec_hyperprior.network import HyperpriorNetwork
from nncodec_hyperprior.objective import Distortion
from nncodec_hyperprior.quantization import BIT_PRICE, Quantizer

_NETWORK = "network."
_EXACT = "exact."


class HyperpriorCodec(CodecModel):
    """A trained network with its tables.

    Args:
        network: for inference, with exact convolutions.
        tables: of the symbols.
        bit_price: see `Quantizer`.
    """

    def __init__(self, network: HyperpriorNetwork, tables: PriorTables, bit_price: float = BIT_PRICE) -> None:
        self._network = OnDevices(network)
        self._contexts = TorchContexts(network.prior)
        self._prior = network.prior
        self._tables = tables
        self._quantizer = quantizer = Quantizer(self._network, tables, bit_price)
        self.traits = traits_of(network.config, tables, quantizer.efforts, quantizer.seconds_per_megapixel)

    @classmethod
    def from_file(cls, model_file: ModelFile, bit_price: float = BIT_PRICE) -> HyperpriorCodec:
        """Build from a model file; see `CodecModel.from_file`, and `Quantizer` for the price of bits."""
        config = network_config(model_file.config)
        with torch.device("meta"):  # the config alone must not cost memory
            network = HyperpriorNetwork(config, ExactConv2d)
        tensors = dict(model_file.tensors)
        for name, layer in _exact_layers(network).items():
            keys = [f"{_EXACT}{name}.{part}" for part in ("weight", "bias")]
            if any(key not in tensors for key in keys):
                raise ValueError(f"tensor {keys[0]!r} or its bias is missing")
            weight, bias = (tensors.pop(key) for key in keys)
            layer.set_steps(weight, bias)
            assert layer.bias is not None
            tensors[f"{_NETWORK}{name}.weight"] = layer.weight.numpy()
            tensors[f"{_NETWORK}{name}.bias"] = layer.bias.numpy()
        refuse_unknown(tensors, _NETWORK, TABLES)
        load_weights(network, tensors, _NETWORK)
        return cls(network, read_tables(tensors), bit_price)

    def entropy(self, quality: int) -> EntropyModel:
        """See `CodecModel.entropy`."""
        return HyperpriorEntropy(self._contexts, self._tables, quality)

    def fitted(
        self,
        latents_at: Callable[[int], Sequence[Latents]],
        qualities: Sequence[int],
        on_progress: Callable[[str], None],
    ) -> PriorTables:
        """Return tables fitted to this codec's latents; see `fit_tables`."""
        return fit_tables(self._prior, latents_at, qualities, on_progress)

    def analysis(self, pixels: Pixels, quality: int, effort: int) -> dict[str, NDArray[np.float32]]:
        """Return the latents before rounding, in whole steps; see `CodecModel.analysis`."""
        return self.scaled(self.unscaled(pixels, detail=self._prior.config.detail_quality <= quality), quality)

    @torch.inference_mode()
    def unscaled(self, pixels: Pixels, *, detail: bool = True) -> Tensor:
        """Return the latents before the gain, (N, C, H/16, W/16); they do not depend on quality.

        Without `detail`, the detail channels are 0; low qualities do not use them.
        """
        with pixel_precision():
            network, device = self._network.current(), pixel_device()
            return network.transforms.analysis(to_tensor(pixels, device), detail=detail).cpu()

    @torch.inference_mode()
    def scaled(self, latents: Tensor, quality: int) -> dict[str, NDArray[np.float32]]:
        """Return what `analysis` returns, from latents before the gain."""
        return {LATENT: to_array(latents * self._network.module.transforms.gain(_quality_tensor(quality)))}

    def quantize(self, latents: Mapping[str, NDArray[Any]], pixels: Pixels, quality: int, effort: int) -> Latents:
        """See `CodecModel.quantize`."""
        return self._quantizer.quantize(latents[LATENT], pixels, quality, effort)

    def synthesis(self, latents: Mapping[str, IntArray], quality: int) -> Pixels:
        """See `CodecModel.synthesis`."""
        return self.synthesis_within(latents, quality, NO_MARGINS)

    @torch.inference_mode()
    def synthesis_within(self, latents: Mapping[str, IntArray], quality: int, margins: Margins) -> Pixels:
        """See `CodecModel.synthesis_within`."""
        restored = channels_last(latents[LATENT])
        level, device = _quality_tensor(quality), pixel_device()
        restored *= self._network.module.transforms.inverse_gain(level) / ACTIVATION_STEPS
        with pixel_precision():
            transforms = self._network.current().transforms
            return to_pixels(transforms.synthesis(restored.to(device), level.to(device), margins))


def model_tensors(network: HyperpriorNetwork, tables: PriorTables) -> Tensors:
    """Return a trained network as the tensors of a model file, for `HyperpriorCodec.from_file`."""
    exact = _trained_layers(network)
    tensors = {
        name: value
        for name, value in weights_of(network, _NETWORK).items()
        if not any(name.startswith(f"{_NETWORK}{layer}.") for layer in exact)
    }
    for name, layer in exact.items():
        tensors[f"{_EXACT}{name}.weight"], tensors[f"{_EXACT}{name}.bias"] = steps_of(layer)
    return {
        **tensors,
        "tables.frequencies": tables.tables.frequencies,
        "tables.range": np.array([tables.tables.minimum, tables.tables.precision], np.int32),
        "tables.hyper_choice": tables.hyper_choice,
        "tables.hyper_offset": tables.hyper_offset,
        "tables.certain": np.array([tables.certain], np.int32),
    }


def network_config(stored: Mapping[str, Any]) -> NetworkConfig:
    """Read and check the config of a model file, the text of its loss included.

    Raises:
        ValueError, TypeError, KeyError: the config is invalid.
    """
    config = read_config(stored)
    Distortion(config.loss)
    return config


def _exact_layers(network: HyperpriorNetwork) -> dict[str, ExactConv2d]:
    return {name: layer for name, layer in network.named_modules() if isinstance(layer, ExactConv2d)}


def _trained_layers(network: HyperpriorNetwork) -> dict[str, Any]:
    return {name: layer for name, layer in network.named_modules() if hasattr(layer, "parametrizations")}


def _quality_tensor(quality: int) -> Tensor:
    return torch.tensor([float(quality)], dtype=torch.float32, device="cpu")
