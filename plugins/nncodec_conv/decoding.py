"""The codec of the photo network without torch: it decodes what `photo.PhotoCodec` writes."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from nncodec.engine.photo import ENCODER_TENSORS, PhotoDecoder, PhotoSynthesis
from nncodec.engine.weights import WeightReader
from nncodec.plugin.codec import EngineDecoder
from nncodec.plugin.engine import Loader
from nncodec.plugin.entropy import EntropyModel
from nncodec.plugin.latents import IntArray, Pixels
from nncodec.plugin.model_file import ModelFile
from nncodec_conv.contexts import ContextEntropy
from nncodec_conv.photo_file import LATENT, NETWORK, TENSORS, PhotoFile

_ENCODER_TENSORS = tuple(NETWORK + name for name in (*ENCODER_TENSORS, "prior."))


class PhotoCodecDecoder(EngineDecoder):
    """The inverse gain and the synthesis.

    Args:
        synthesis: maps latents to pixels.
        stored: what the model file holds beside the network.
    """

    def __init__(self, synthesis: PhotoDecoder, stored: PhotoFile) -> None:
        self._synthesis, self._stored = synthesis, stored
        self._inverse_order = np.argsort(stored.order)
        self.traits = stored.traits

    @classmethod
    def from_file(cls, model_file: ModelFile, loader: Loader) -> PhotoCodecDecoder:
        """Build from a model file; see `EngineDecoder.from_file`."""
        stored = PhotoFile.read(model_file)
        weights = WeightReader(model_file.tensors, NETWORK)
        synthesis = PhotoSynthesis.read(stored.config, weights)
        weights.refuse_others(*TENSORS, *_ENCODER_TENSORS)
        return cls(PhotoDecoder(synthesis, loader), stored)

    def entropy(self, quality: int) -> EntropyModel:
        """See `DecoderModel.entropy`."""
        return ContextEntropy(self._stored.contexts, quality, LATENT)

    def synthesis(self, latents: Mapping[str, IntArray], quality: int) -> Pixels:
        """See `DecoderModel.synthesis`."""
        inverse = self._synthesis.inverse_gain(quality)
        centre = self._stored.centre.astype(np.float32) * self._synthesis.gain(quality) * inverse
        restored = latents[LATENT][:, self._inverse_order].transpose(0, 2, 3, 1).astype(np.float32, order="C")
        return self._synthesis.pixels(restored * inverse + centre)
