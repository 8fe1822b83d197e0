"""The codec for photographs without torch: it decodes what `codec.HyperpriorCodec` writes."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from nncodec.engine.fixed_point import ACTIVATION_STEPS
from nncodec.engine.photo import ENCODER_TENSORS, PhotoDecoder, PhotoSynthesis
from nncodec.engine.weights import WeightReader
from nncodec.plugin.codec import EngineDecoder
from nncodec.plugin.engine import Loader
from nncodec.plugin.entropy import EntropyModel
from nncodec.plugin.latents import IntArray, Pixels
from nncodec.plugin.model_file import ModelFile
from nncodec_hyperprior.config import LATENT, read_config
from nncodec_hyperprior.entropy import TABLES, HyperpriorEntropy, PriorTables, read_tables, traits_of
from nncodec_hyperprior.exact_networks import EngineContexts

_ENCODER_TENSORS = (*(f"network.transforms.{name}" for name in ENCODER_TENSORS), "network.prior.hyper_")


class HyperpriorDecoder(EngineDecoder):
    """A trained network with its tables, for decoding alone.

    Args:
        synthesis: maps latents to pixels.
        contexts: choose means and scales.
        tables: of the symbols.
    """

    def __init__(self, synthesis: PhotoDecoder, contexts: EngineContexts, tables: PriorTables) -> None:
        self._synthesis, self._contexts, self._tables = synthesis, contexts, tables

    @classmethod
    def from_file(cls, model_file: ModelFile, loader: Loader) -> HyperpriorDecoder:
        """Build from a model file; see `EngineDecoder.from_file`."""
        config = read_config(model_file.config)
        weights = WeightReader(model_file.tensors, "network.transforms.", "exact.")
        contexts = EngineContexts(config.prior, weights, loader)
        synthesis = PhotoDecoder(PhotoSynthesis.read(config.transforms, weights), loader)
        weights.refuse_others(*TABLES, *_ENCODER_TENSORS)
        tables = read_tables(model_file.tensors)
        model = cls(synthesis, contexts, tables)
        model.traits = traits_of(config, tables)
        return model

    def entropy(self, quality: int) -> EntropyModel:
        """See `DecoderModel.entropy`."""
        return HyperpriorEntropy(self._contexts, self._tables, quality)

    def synthesis(self, latents: Mapping[str, IntArray], quality: int) -> Pixels:
        """See `DecoderModel.synthesis`."""
        restored = latents[LATENT].transpose(0, 2, 3, 1).astype(np.float32, order="C")
        restored *= self._synthesis.inverse_gain(quality) / np.float32(ACTIVATION_STEPS)
        return self._synthesis.pixels(restored)
