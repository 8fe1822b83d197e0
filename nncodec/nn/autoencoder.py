"""The common shape of plain autoencoders: encoder, bounded quantizer, decoder; no learned probabilities."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor, nn

from nncodec.engine.autoencoder import LATENT, autoencoder_traits
from nncodec.nn.devices import OnDevices, pixel_device
from nncodec.nn.quantize import BoundedQuantizer
from nncodec.nn.tensors import to_array, to_pixels, to_tensor
from nncodec.plugin.codec import AnySize, CodecModel, FixedSize
from nncodec.plugin.latents import IntArray, Latents, Pixels


class Autoencoder(nn.Module):
    """An encoder and a decoder around a quantizer.

    Shapes: pixels (N, C, H, W) in 0..1; codes (N, K, h, w). The quantizer is the encoder's last activation.
    """

    def __init__(self, encoder: nn.Module, quantizer: BoundedQuantizer, decoder: nn.Module) -> None:
        super().__init__()
        self.encoder = encoder
        self.quantizer = quantizer
        self.decoder = decoder

    def forward(self, pixels: Tensor, *, quantized: bool = True) -> Tensor:
        """Return the reconstruction, with or without rounding between encoder and decoder."""
        restored: Tensor = self.decoder(self.quantizer(self.encoder(pixels), rounded=quantized))
        return restored


class AutoencoderCodec(CodecModel):
    """A codec around an `Autoencoder` in inference mode.

    Args:
        network: weights in place.
        mode: "L" or "RGB".
        size: sizes it takes.
        stride: pixels per code along each edge.
    """

    def __init__(self, network: Autoencoder, mode: str, size: FixedSize | AnySize, stride: int) -> None:
        self._network = OnDevices(network)
        quantizer = network.quantizer
        self.traits = autoencoder_traits(mode, size, stride, len(quantizer.log_scale), quantizer.levels)

    @torch.inference_mode()
    def analysis(self, pixels: Pixels, quality: int, effort: int) -> Latents:
        """Encode and quantize; see `CodecModel.analysis`."""
        network = self._network.current()
        symbols = network.quantizer.symbols(network.encoder(to_tensor(pixels, pixel_device())))
        return {LATENT: np.ascontiguousarray(to_array(symbols.round().to(torch.int32)))}

    @torch.inference_mode()
    def synthesis(self, latents: Mapping[str, IntArray], quality: int) -> Pixels:
        """Decode; see `CodecModel.synthesis`."""
        network = self._network.current()
        symbols = torch.from_numpy(np.ascontiguousarray(latents[LATENT])).to(pixel_device()).float()
        return to_pixels(network.decoder(network.quantizer.codes(symbols)))
