"""The codec of the photo network without torch: it decodes what `photo.PhotoCodec` writes."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nncodec.engine.operations import FloatArray
from nncodec.engine.photo import ENCODER_TENSORS, PhotoDecoder, PhotoSynthesis
from nncodec.engine.weights import WeightReader
from nncodec.plugin.codec import EngineDecoder
from nncodec.plugin.engine import BrowserPart, Loader
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
        scale, centre = self._scale_and_centre(quality)
        restored = latents[LATENT][:, self._inverse_order].transpose(0, 2, 3, 1).astype(np.float32, order="C")
        return self._synthesis.pixels(restored * scale + centre, quality)

    def _scale_and_centre(self, quality: int) -> tuple[FloatArray, FloatArray]:
        """Return by what latents are multiplied, and what is added then, (C,) each."""
        inverse = self._synthesis.inverse_gain(quality)
        return inverse, self._stored.centre.astype(np.float32) * self._synthesis.gain(quality) * inverse

    def browser_part(self) -> BrowserPart:
        """See `EngineDecoder.browser_part`."""
        contexts = self._stored.contexts
        scale, centre = zip(*(self._scale_and_centre(quality) for quality in range(101)), strict=True)
        facts = {
            "groups": contexts.groups,
            "coarse_channels": self._synthesis.coarse_channels,
            "columns": contexts.tables.frequencies.shape[1],
            "minimum": contexts.tables.minimum,
            "precision": contexts.tables.precision,
        }
        arrays: dict[str, NDArray[Any]] = {
            "frequencies": contexts.tables.frequencies,
            "thresholds": contexts.thresholds,
            "choice": contexts.choice,
            "order": self._inverse_order.astype(np.int32),
            "scale": np.stack(scale),
            "centre": np.stack(centre),
        }
        return BrowserPart((Path(__file__).with_name("decoding.js"),), facts, arrays)
