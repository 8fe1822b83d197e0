"""The architectures and models of this plugin."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from nncodec.plugin.hooks import ArchitectureSpec, ModelSpec, hookimpl

_WEIGHTS = Path(__file__).parent / "weights"


@hookimpl
def nncodec_architectures() -> Sequence[ArchitectureSpec]:
    """Return the hyperprior architecture."""
    reference = "nncodec_hyperprior.codec:HyperpriorCodec"
    training = "nncodec_hyperprior.recipe:HyperpriorRecipe"
    decoder = "nncodec_hyperprior.decoding:HyperpriorDecoder"
    return [ArchitectureSpec("hyperprior", reference, training=training, decoder=decoder)]


@hookimpl
def nncodec_models() -> Sequence[ModelSpec]:
    """Return the models for photographs: trained for looks, and for PSNR."""
    return [
        ModelSpec("hyperprior/photo", _WEIGHTS / "photo.safetensors", aliases=("photo",)),
        ModelSpec("hyperprior/photo-psnr", _WEIGHTS / "photo-psnr.safetensors", aliases=("photo-psnr",)),
    ]
