"""Round latents, stage by stage, at a given effort."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from nncodec.engine.fixed_point import ACTIVATION_STEPS
from nncodec.nn.devices import OnDevices, pixel_device
from nncodec.nn.precision import pixel_precision, whole_float32
from nncodec.nn.tensors import to_array, to_tensor
from nncodec.plugin.entropy import QuantizedLatents, StageContext, shapes_of
from nncodec.plugin.latents import IntArray, Latents, Pixels
from nncodec_hyperprior.block import TorchContexts
from nncodec_hyperprior.config import HYPER, HYPER_LIMIT, LATENT
from nncodec_hyperprior.entropy import HyperpriorEntropy, PriorTables
from nncodec_hyperprior.network import HyperpriorNetwork
from nncodec_hyperprior.refinement import refine

# The price of a bit in squared quantization steps, measured on held-back photographs. Theory gives 0.1155 at high rates
# (dD/dR = -2 ln 2 D with D = 1/12), but training chose its steps without such rounding.
BIT_PRICE = 0.015


# Steps of gradient descent at each effort level.
_ITERATIONS = {0: 0, 3: 12, 5: 25, 7: 50, 9: 90}
# What encoding with the photo model takes on one processor core, by scikit-image's astronaut; good for estimates only.
_SECONDS_PER_MEGAPIXEL = (0.5, 25, 45, 90, 160)


class Quantizer:
    """Rounds latents to symbols, each with the context that the decoder will have.

    A symbol moves towards zero where the saved bits are worth more than the added error; from effort 3 on, gradient
    descent refines the latents first.

    Args:
        network: transforms and prior; contexts stay on the processor.
        tables: of the symbols.
        bit_price: cost of a bit in squared quantization steps.
    """

    efforts = tuple(_ITERATIONS)
    seconds_per_megapixel = _SECONDS_PER_MEGAPIXEL

    def __init__(self, network: OnDevices[HyperpriorNetwork], tables: PriorTables, bit_price: float) -> None:
        self._network = network
        self._tables = tables
        self._contexts = TorchContexts(network.module.prior)
        self._thresholds = _thresholds(tables, bit_price)

    def quantize(self, latents: NDArray[np.float32], pixels: Pixels, quality: int, effort: int) -> QuantizedLatents:
        """Return the latents of a block with their contexts; see `CodecModel.quantize`."""
        prior = self._network.module.prior
        with torch.no_grad():
            scaled = torch.from_numpy(latents).contiguous(memory_format=torch.channels_last)
            with pixel_precision():
                hyper = prior.hyper_analysis(scaled, prior.planes(scaled.new_tensor([float(quality)]))).float()
        if iterations := _ITERATIONS[effort]:
            device = pixel_device()
            picture, network = to_tensor(pixels, device), self._network.current()
            with whole_float32():  # else exact layers compute in float64 there
                refined = refine(network, scaled.to(device), hyper.to(device), picture, quality, iterations)
            scaled, hyper = (tensor.cpu() for tensor in refined)
        return self._round(to_array(scaled.contiguous()), hyper.round().clamp(-HYPER_LIMIT, HYPER_LIMIT), quality)

    @torch.inference_mode()
    def _round(self, latents: NDArray[np.float32], hyper: Tensor, quality: int) -> QuantizedLatents:
        known: Latents = {
            HYPER: np.ascontiguousarray(hyper.to(torch.int32).numpy()),
            LATENT: np.zeros(latents.shape, np.int32),
        }
        entropy = HyperpriorEntropy(self._contexts, self._tables, quality)
        block = entropy.begin_block(shapes_of(known))
        contexts: list[StageContext] = []
        for number, stage in enumerate(block.stages):
            context = block.context(number, known)
            contexts.append(context)
            if entropy.fixed_context(number) is not None:  # hyper-latents, and latents that stay 0
                continue
            symbols = self._symbols(latents[stage.where], context)
            symbols *= ACTIVATION_STEPS
            symbols += context.offsets
            known[LATENT][stage.where] = symbols
        return QuantizedLatents(known, contexts)

    def _symbols(self, latents: NDArray[np.float32], context: StageContext) -> IntArray:
        """Return the distances of latents from their means, rounded to whole steps."""
        distances = latents * np.float32(ACTIVATION_STEPS)
        distances -= np.asarray(context.offsets, np.float32)  # exact: they are below 2^24
        magnitudes = np.abs(distances)
        magnitudes *= np.float32(1 / ACTIVATION_STEPS)
        # Table -1 picks the last threshold, which rounds everything to 0.
        magnitudes += self._thresholds.take(context.tables, mode="wrap")
        np.maximum(magnitudes, 0, out=magnitudes)
        np.floor(magnitudes, out=magnitudes)
        symbols: IntArray = np.copysign(magnitudes, distances, out=magnitudes).astype(np.int32)
        return symbols


def _thresholds(tables: PriorTables, bit_price: float) -> NDArray[np.float32]:
    """Return what is added to a magnitude before the floor, for each table and, last, for latents that are not coded.

    Rounding up from s - 1 to s pays from s - 1/2 + price x (bits(s) - bits(s - 1)) / 2 on. Each table uses the value of
    s = 1 for all s, since most decisions are about 0 and 1.
    """
    frequencies = tables.tables.frequencies.astype(np.float64)
    zero = -tables.tables.minimum
    extra_bits = np.log2(frequencies[:, zero] / np.sqrt(frequencies[:, zero + 1] * frequencies[:, zero - 1]))
    thresholds = 0.5 - bit_price / 2 * np.clip(extra_bits, 0, None)
    return np.append(np.maximum(thresholds, -8.0), -1e9).astype(np.float32)
