"""The codec of the dense architecture."""

from __future__ import annotations

import torch

from nncodec.nn.autoencoder import AutoencoderCodec
from nncodec.nn.tensors import load_weights
from nncodec.plugin.codec import FixedSize
from nncodec.plugin.model_file import ModelFile
from nncodec_dense.config import DenseConfig
from nncodec_dense.network import build


class DenseCodec(AutoencoderCodec):
    """A dense autoencoder for grey pictures of one size; each picture has K latents."""

    @classmethod
    def from_file(cls, model_file: ModelFile) -> DenseCodec:
        """Build from a model file; see `CodecModel.from_file`."""
        config = DenseConfig(**model_file.config)
        with torch.device("meta"):  # the config alone must not cost memory
            network = build(config)
        load_weights(network, model_file.tensors)
        return cls(network, "L", FixedSize(config.width, config.height), stride=max(config.width, config.height))
