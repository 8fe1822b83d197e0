"""The architectures and models of this plugin."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from nncodec.plugin.hooks import ArchitectureSpec, ModelSpec, hookimpl

_WEIGHTS = Path(__file__).parent / "weights"


@hookimpl
def nncodec_architectures() -> Sequence[ArchitectureSpec]:
    """Return the dense architecture."""
    return [
        ArchitectureSpec(
            "dense",
            "nncodec_dense.codec:DenseCodec",
            training="nncodec_dense.recipe:DenseRecipe",
            decoder="nncodec_dense.decoding:DenseDecoder",
        )
    ]


@hookimpl
def nncodec_models() -> Sequence[ModelSpec]:
    """Return the model for Fashion-MNIST."""
    return [ModelSpec("dense/fashion", _WEIGHTS / "fashion.safetensors")]
