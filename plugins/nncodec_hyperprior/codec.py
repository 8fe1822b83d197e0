"""The codec for photographs with a hyperprior and contexts."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from nncodec.nn.fixed_point import ACTIVATION_STEPS, ExactConv2d, steps_of
from nncodec.nn.precision import pixel_precision
from nncodec.nn.tensors import channels_last, load_weights, refuse_unknown, to_pixels, to_tensor, weights_of
from nncodec.nn.transforms import STRIDE, TransformConfig
from nncodec.plugin.codec import AnySize, CodecModel, CodecTraits
from nncodec.plugin.entropy import EntropyModel, Tables
from nncodec.plugin.latents import IntArray, Latents, LatentSpec, Pixels
from nncodec.plugin.model_file import ModelFile, Tensors
from nncodec_hyperprior.entropy import HYPER, LATENT, HyperpriorEntropy, PriorTables
from nncodec_hyperprior.fitting import fit_tables
from nncodec_hyperprior.network import HyperpriorNetwork, NetworkConfig
from nncodec_hyperprior.objective import Distortion
from nncodec_hyperprior.prior_network import HYPER_LIMIT, PriorConfig
from nncodec_hyperprior.quantization import BIT_PRICE, Quantizer

HYPER_STRIDE = 2 * STRIDE
# In sixteenths; means reach 2^15, symbols far less.
_LATENT_LIMIT = 1 << 20
_NETWORK = "network."
_TABLES = ("tables.frequencies", "tables.range", "tables.certain", "tables.hyper_choice", "tables.hyper_offset")
_EXACT = "exact."
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


class HyperpriorCodec(CodecModel):
    """A trained network with its tables.

    Args:
        network: for inference, with exact convolutions.
        tables: of the symbols.
        quantizer: rounds latents.
    """

    def __init__(self, network: HyperpriorNetwork, tables: PriorTables, quantizer: Quantizer) -> None:
        prior = network.config.prior
        if tables.hyper_choice.shape[1] != prior.hyper_channels:
            raise ValueError("hyper-latent tables do not fit the number of channels")
        self._transforms = network.transforms
        self._prior = network.prior
        self._tables = tables
        self._quantizer = quantizer
        hyper = LatentSpec(HYPER, prior.hyper_channels, HYPER_STRIDE, -HYPER_LIMIT, HYPER_LIMIT)
        latents = LatentSpec(LATENT, sum(prior.groups), STRIDE, -_LATENT_LIMIT, _LATENT_LIMIT, step=ACTIVATION_STEPS)
        halo = -(-network.transforms.halo // HYPER_STRIDE) * HYPER_STRIDE
        self.traits = CodecTraits(
            ("RGB",),
            AnySize(HYPER_STRIDE, halo),
            (hyper, latents),
            qualities=True,
            efforts=quantizer.efforts,
            seconds_per_megapixel=quantizer.seconds_per_megapixel,
            coder="rans",
        )

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
        refuse_unknown(tensors, _NETWORK, _TABLES)
        load_weights(network, tensors, _NETWORK)
        minimum, precision = tensors["tables.range"].tolist()
        certain, *_ = tensors["tables.certain"].tolist()
        tables = PriorTables(
            Tables(tensors["tables.frequencies"], minimum, precision),
            tensors["tables.hyper_choice"],
            tensors["tables.hyper_offset"],
            certain,
        )
        return cls(network, tables, Quantizer(network, tables, bit_price))

    def entropy(self, quality: int) -> EntropyModel:
        """See `CodecModel.entropy`."""
        return HyperpriorEntropy(self._prior, self._tables, quality, self._quantizer.memory)

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
        return self.scaled(self.unscaled(pixels), quality)

    @torch.inference_mode()
    def unscaled(self, pixels: Pixels) -> Tensor:
        """Return the latents before the gain, (N, C, H/16, W/16); they do not depend on quality."""
        with pixel_precision():
            return self._transforms.analysis(to_tensor(pixels))

    @torch.inference_mode()
    def scaled(self, latents: Tensor, quality: int) -> dict[str, NDArray[np.float32]]:
        """Return what `analysis` returns, from latents before the gain."""
        return {LATENT: (latents * self._transforms.gain(_quality_tensor(quality))).numpy()}

    def quantize(self, latents: Mapping[str, NDArray[Any]], pixels: Pixels, quality: int, effort: int) -> Latents:
        """See `CodecModel.quantize`."""
        return self._quantizer.quantize(latents[LATENT], pixels, quality, effort)

    @torch.inference_mode()
    def synthesis(self, latents: Mapping[str, IntArray], quality: int) -> Pixels:
        """See `CodecModel.synthesis`."""
        restored = channels_last(latents[LATENT])
        restored *= self._transforms.inverse_gain(_quality_tensor(quality)) / ACTIVATION_STEPS
        with pixel_precision():
            return to_pixels(self._transforms.synthesis(restored))


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


def model_config(config: NetworkConfig) -> dict[str, Any]:
    """Return the config of a model file, for `network_config`."""
    transforms, prior = config.transforms, config.prior
    return {
        **{key: getattr(transforms, key) for key in ("fine_blocks", "coarse_blocks", "lambda_low", "lambda_high")},
        **{key: getattr(prior, key) for key in ("hyper_channels", "width", "hidden", "anchors")},
        "groups": list(prior.groups),
        # The first models lack these keys.
        **({} if config.loss == _FIRST_LOSS else {"objective": config.loss}),
        **({} if transforms.padding == "zeros" else {"padding": transforms.padding}),
        **({"detail_quality": prior.detail_quality} if transforms.detail_channels else {}),
        **({"context_hidden": list(prior.context_hidden)} if prior.context_hidden else {}),
    }


def network_config(stored: Mapping[str, Any]) -> NetworkConfig:
    """Read and check the config of a model file.

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
    Distortion(loss)  # refuses a text that describes no loss
    padding = config.pop("padding", "zeros")
    if padding not in ("zeros", "replicate"):
        raise ValueError(f"padding is {padding!r:.80}, not 'zeros' or 'replicate'")
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


def _exact_layers(network: HyperpriorNetwork) -> dict[str, ExactConv2d]:
    return {name: layer for name, layer in network.named_modules() if isinstance(layer, ExactConv2d)}


def _trained_layers(network: HyperpriorNetwork) -> dict[str, Any]:
    return {name: layer for name, layer in network.named_modules() if hasattr(layer, "parametrizations")}


def _quality_tensor(quality: int) -> Tensor:
    return torch.tensor([float(quality)], dtype=torch.float32, device="cpu")
