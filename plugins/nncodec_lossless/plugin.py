"""The architecture and the model of this plugin."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from nncodec.plugin.hooks import LOSSLESS, ArchitectureSpec, ModelSpec, hookimpl

_WEIGHTS = Path(__file__).parent / "weights"


@hookimpl
def nncodec_architectures() -> Sequence[ArchitectureSpec]:
    """Return the lossless architecture."""
    reference, training = "nncodec_lossless.codec:LosslessCodec", "nncodec_lossless.recipe:LosslessRecipe"
    return [ArchitectureSpec("lossless", reference, kind=LOSSLESS, training=training)]


@hookimpl
def nncodec_models() -> Sequence[ModelSpec]:
    """Return the model for pictures of any kind."""
    return [ModelSpec("lossless/any", _WEIGHTS / "any.safetensors", aliases=("lossless",))]
