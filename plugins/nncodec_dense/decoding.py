"""The codec of the dense architecture without torch: it decodes what `codec.DenseCodec` writes."""

from __future__ import annotations

from itertools import pairwise

from nncodec.engine.autoencoder import AutoencoderDecoder, autoencoder_traits
from nncodec.engine.operations import Operations, V
from nncodec.engine.weights import WeightReader
from nncodec.plugin.codec import FixedSize
from nncodec.plugin.engine import Loader
from nncodec.plugin.model_file import ModelFile
from nncodec_dense.config import DenseConfig


class DenseDecoder(AutoencoderDecoder):
    """The decoder layers, each with a sigmoid."""

    @classmethod
    def from_file(cls, model_file: ModelFile, loader: Loader) -> DenseDecoder:
        """Build from a model file; see `EngineDecoder.from_file`."""
        config, weights = DenseConfig(**model_file.config), WeightReader(model_file.tensors, "")
        widths = list(pairwise(config.decoder_widths))
        layers = [weights.dense(f"decoder.{1 + 2 * n}", outputs, inputs) for n, (inputs, outputs) in enumerate(widths)]

        def network(operations: Operations[V], codes: V) -> tuple[V]:
            for layer in layers:
                codes = operations.sigmoid(operations.convolve(codes, layer))
            return (codes,)

        size = FixedSize(config.width, config.height)
        traits = autoencoder_traits("L", size, max(config.width, config.height), config.latents, config.levels)
        return cls(weights, traits, network, loader)
