"""The codecs of the plain convolutional autoencoders."""

from __future__ import annotations

import torch

from nncodec.nn.autoencoder import AutoencoderCodec
from nncodec.nn.tensors import load_weights
from nncodec.plugin.codec import AnySize, FixedSize
from nncodec.plugin.model_file import ModelFile
from nncodec_conv.digits import DIGIT_EDGE, DIGIT_STRIDE, DigitsConfig
from nncodec_conv.networks import StackConfig, build_digits, build_stack


class DigitsCodec(AutoencoderCodec):
    """The digit model: grey 28 x 28, 128 codes a picture."""

    @classmethod
    def from_file(cls, model_file: ModelFile) -> DigitsCodec:
        """Build from a model file; see `CodecModel.from_file`."""
        with torch.device("meta"):  # the config alone must not cost memory
            network = build_digits(DigitsConfig(**model_file.config))
        load_weights(network, model_file.tensors)
        return cls(network, "L", FixedSize(DIGIT_EDGE, DIGIT_EDGE), DIGIT_STRIDE)


class StackCodec(AutoencoderCodec):
    """A stack of 3, 5, 7 or 10 layers: colour, any size."""

    @classmethod
    def from_file(cls, model_file: ModelFile) -> StackCodec:
        """Build from a model file; see `CodecModel.from_file`."""
        config = StackConfig(**model_file.config)
        with torch.device("meta"):
            network = build_stack(config)
        load_weights(network, model_file.tensors)
        return cls(network, "RGB", AnySize(config.stride, config.halo), config.stride)
