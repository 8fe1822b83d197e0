"""The codec for photographs without torch: it decodes what `codec.HyperpriorCodec` writes."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nncodec.engine.fixed_point import ACTIVATION_STEPS
from nncodec.engine.photo import ENCODER_TENSORS, PhotoDecoder, PhotoSynthesis
from nncodec.engine.weights import WeightReader
from nncodec.plugin.codec import EngineDecoder
from nncodec.plugin.engine import BrowserPart, Loader
from nncodec.plugin.entropy import EntropyModel
from nncodec.plugin.latents import IntArray, Pixels
from nncodec.plugin.model_file import ModelFile
from nncodec_hyperprior.config import LATENT, read_config
from nncodec_hyperprior.entropy import TABLES, HyperpriorEntropy, PriorTables, planes_of, read_tables, traits_of
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
        return self._synthesis.pixels(restored, quality)

    def browser_part(self) -> BrowserPart:
        """See `EngineDecoder.browser_part`."""
        config, tables = self._contexts.config, self._tables
        qualities = range(101)
        gains = [self._synthesis.inverse_gain(quality) / np.float32(ACTIVATION_STEPS) for quality in qualities]
        filters = [self._synthesis.deblocking(quality) or (0.0, 0.0) for quality in qualities]
        facts = {
            "groups": config.groups,
            "detail_quality": config.detail_quality,
            "coarse_channels": self._synthesis.coarse_channels,
            "certain": tables.certain,
            "columns": tables.tables.frequencies.shape[1],
            "minimum": tables.tables.minimum,
            "precision": tables.tables.precision,
        }
        arrays: dict[str, NDArray[Any]] = {
            "frequencies": tables.tables.frequencies,
            "hyper_choice": tables.hyper_choice,
            "hyper_offset": tables.hyper_offset,
            "planes": ACTIVATION_STEPS * np.stack([planes_of(quality, config.anchors) for quality in qualities]),
            "scale": np.stack(gains),
            "deblocking": np.array(filters, np.float32),
        }
        return BrowserPart((Path(__file__).with_name("decoding.js"),), facts, arrays)
