"""The architectures and models of this plugin."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from nncodec.plugin.hooks import ArchitectureSpec, ModelSpec, hookimpl

_WEIGHTS = Path(__file__).parent / "weights"


@hookimpl
def nncodec_architectures() -> Sequence[ArchitectureSpec]:
    """Return the three convolutional architectures."""
    return [
        ArchitectureSpec(
            "conv-digits",
            "nncodec_conv.codec:DigitsCodec",
            training="nncodec_conv.recipe:DigitsRecipe",
            decoder="nncodec_conv.digits:DigitsDecoder",
        ),
        ArchitectureSpec("conv-stack", "nncodec_conv.codec:StackCodec", training="nncodec_conv.recipe:StackRecipe"),
        ArchitectureSpec(
            "conv-photo",
            "nncodec_conv.photo:PhotoCodec",
            training="nncodec_conv.photo_recipe:PhotoRecipe",
            decoder="nncodec_conv.decoding:PhotoCodecDecoder",
        ),
    ]


@hookimpl
def nncodec_models() -> Sequence[ModelSpec]:
    """Return the models for digits and for photographs."""
    return [
        ModelSpec("conv/digits", _WEIGHTS / "digits.safetensors"),
        ModelSpec("conv/photo", _WEIGHTS / "photo.safetensors"),
    ]
