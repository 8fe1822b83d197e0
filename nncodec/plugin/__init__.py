"""Everything that the author of a plugin imports; importing it does not import torch.

    hooks          hookimpl, ArchitectureSpec, ModelSpec
    codecs         CodecModel with its CodecTraits (AnySize or FixedSize); EngineDecoder: decoding without torch
    entropy        EntropyModel: Stage, StageContext, Tables; PlainEntropy for models without learned probabilities;
                   BlockEntropy and QuantizedLatents for models that keep what is costly
    enhancers      EnhancerModel with its EnhancerTraits
    precision      current_precision, current_device: what networks may compute pixels with, and where
    lossless       LosslessModel with its LosslessTraits, on arrays of Samples
    latents        LatentSpec and the arrays Latents, IntArray, Pixels
    model files    write_model, read_model, read_model_info; ModelFile, ModelInfo
    installed      open_model, open_enhancer, open_lossless

Modules of nncodec itself import the submodules, never this one.
"""

from nncodec.plugin.codec import AnySize, CodecModel, CodecTraits, DecoderModel, EngineDecoder, FixedSize, Margins
from nncodec.plugin.device import current_device
from nncodec.plugin.engine import BrowserPart, Loader, Network, Run
from nncodec.plugin.enhancer import EnhancerModel, EnhancerTraits
from nncodec.plugin.entropy import (
    NOT_CODED,
    BlockContexts,
    BlockEntropy,
    EntropyModel,
    PlainEntropy,
    QuantizedLatents,
    Shapes,
    Stage,
    StageContext,
    Tables,
)
from nncodec.plugin.hooks import CODEC, ENHANCER, LOSSLESS, ArchitectureSpec, ModelSpec, hookimpl
from nncodec.plugin.latents import IntArray, Latents, LatentSpec, Pixels
from nncodec.plugin.lossless import LosslessModel, LosslessTraits, Samples
from nncodec.plugin.model_file import ModelFile, ModelInfo, Tensors, read_model, read_model_info, write_model
from nncodec.plugin.precision import current_precision
from nncodec.plugin.registry import open_enhancer, open_lossless, open_model

__all__ = [
    "CODEC",
    "ENHANCER",
    "LOSSLESS",
    "NOT_CODED",
    "AnySize",
    "ArchitectureSpec",
    "BlockContexts",
    "BlockEntropy",
    "BrowserPart",
    "CodecModel",
    "CodecTraits",
    "DecoderModel",
    "EngineDecoder",
    "EnhancerModel",
    "EnhancerTraits",
    "EntropyModel",
    "FixedSize",
    "IntArray",
    "LatentSpec",
    "Latents",
    "Loader",
    "LosslessModel",
    "LosslessTraits",
    "Margins",
    "ModelFile",
    "ModelInfo",
    "ModelSpec",
    "Network",
    "Pixels",
    "PlainEntropy",
    "QuantizedLatents",
    "Run",
    "Samples",
    "Shapes",
    "Stage",
    "StageContext",
    "Tables",
    "Tensors",
    "current_device",
    "current_precision",
    "hookimpl",
    "open_enhancer",
    "open_lossless",
    "open_model",
    "read_model",
    "read_model_info",
    "write_model",
]
