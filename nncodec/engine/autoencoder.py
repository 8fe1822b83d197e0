"""Plain autoencoders without torch, see `nncodec.nn.autoencoder`: codes are scaled and go through the decoder."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from nncodec.engine.arrays import to_pixels
from nncodec.engine.weights import WeightReader
from nncodec.plugin.codec import AnySize, CodecTraits, EngineDecoder, FixedSize
from nncodec.plugin.engine import BrowserPart, Loader, Network
from nncodec.plugin.latents import IntArray, LatentSpec, Pixels

LATENT = "code"


def check_levels(levels: int) -> None:
    """Raise ValueError unless the quantization levels of a code are a whole number from 2 to 256."""
    if type(levels) is not int or not 2 <= levels <= 256:
        raise ValueError(f"levels is {levels!r}, not a whole number from 2 to 256")


def autoencoder_traits(mode: str, size: FixedSize | AnySize, stride: int, codes: int, levels: int) -> CodecTraits:
    """Return the traits of an autoencoder.

    Args:
        mode: "L" or "RGB".
        size: sizes it takes.
        stride: pixels per code along each edge.
        codes: channels of the code.
        levels: quantization levels of a code.
    """
    return CodecTraits((mode,), size, (LatentSpec(LATENT, codes, stride, 0, levels - 1),))


class AutoencoderDecoder(EngineDecoder):
    """The decoder of an autoencoder, for a subclass that reads its network.

    Args:
        weights: of the file; the network's tensors have been read.
        traits: see `autoencoder_traits`.
        network: maps scaled codes to pixels in 0..1.
        loader: makes it ready to run.

    Raises:
        ValueError: a tensor is missing or left over, or the number of levels is out of range.
    """

    def __init__(self, weights: WeightReader, traits: CodecTraits, network: Network, loader: Loader) -> None:
        (spec,) = traits.latents
        check_levels(spec.maximum + 1)
        self.traits = traits
        self._scale = np.exp(-weights.floats("quantizer.log_scale", (spec.channels,)))
        weights.refuse_others("encoder.")
        self._run = loader.load("decoder", network, {"codes": spec.channels}, ("pixels",))

    def synthesis(self, latents: Mapping[str, IntArray], quality: int) -> Pixels:
        """See `DecoderModel.synthesis`."""
        codes = latents[LATENT].transpose(0, 2, 3, 1).astype(np.float32, order="C")
        (values,) = self._run(codes * self._scale)
        size = self.traits.size
        if isinstance(size, FixedSize):  # a dense network has all pixels as channels
            values = values.reshape(-1, size.height, size.width, 1)
        return to_pixels(values)

    def browser_part(self) -> BrowserPart:
        """See `EngineDecoder.browser_part`."""
        return BrowserPart((Path(__file__).with_suffix(".js"),), {}, {"scale": self._scale})
