"""The shape of the digit model, and its decoder without torch."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from nncodec.engine.autoencoder import AutoencoderDecoder, autoencoder_traits
from nncodec.engine.operations import AROUND, NO_MARGINS, Operations, V
from nncodec.engine.weights import WeightReader
from nncodec.plugin.codec import FixedSize
from nncodec.plugin.engine import Loader
from nncodec.plugin.model_file import ModelFile

DIGIT_EDGE = 28
DIGIT_CODE_CHANNELS = 8
DIGIT_CODE_EDGE = 4
# 28 halves to 14, 7 and, rounded up, 4: as if every code covered 8 pixels.
DIGIT_STRIDE = 8


@dataclass(frozen=True)
class DigitsConfig:
    """The shape of the digit model: only the quantization levels of a code vary."""

    levels: int = 16

    def as_dict(self) -> dict[str, Any]:
        """Return the config as a model file holds it."""
        return asdict(self)


class DigitsDecoder(AutoencoderDecoder):
    """The decoder of `networks.build_digits`."""

    @classmethod
    def from_file(cls, model_file: ModelFile, loader: Loader) -> DigitsDecoder:
        """Build from a model file; see `EngineDecoder.from_file`."""
        config, weights = DigitsConfig(**model_file.config), WeightReader(model_file.tensors, "")
        first = weights.layer("decoder.0", 8, DIGIT_CODE_CHANNELS, 3)
        second, third = weights.layer("decoder.3", 8, 8, 3), weights.layer("decoder.6", 16, 8, 3)
        last = weights.layer("decoder.9", 1, 16, 3)

        def network(operations: Operations[V], codes: V) -> tuple[V]:
            values = codes
            for layer, margins in ((first, AROUND), (second, AROUND), (third, NO_MARGINS)):
                values = operations.leaky_relu(operations.convolve(values, layer, margins), 0)
                values = operations.enlarge(values, 2)
            return (operations.sigmoid(operations.convolve(values, last, AROUND)),)

        size = FixedSize(DIGIT_EDGE, DIGIT_EDGE)
        traits = autoencoder_traits("L", size, DIGIT_STRIDE, DIGIT_CODE_CHANNELS, config.levels)
        return cls(weights, traits, network, loader)
