"""The architectures and models of this plugin."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from nncodec.plugin.hooks import ENHANCER, ArchitectureSpec, ModelSpec, hookimpl

_WEIGHTS = Path(__file__).parent / "weights"


@hookimpl
def nncodec_architectures() -> Sequence[ArchitectureSpec]:
    """Return the enhancer's architecture."""
    return [
        ArchitectureSpec(
            "srgan",
            "nncodec_srgan.enhancer:SrganEnhancer",
            kind=ENHANCER,
            training="nncodec_srgan.recipe:EnhancerRecipe",
        )
    ]


@hookimpl
def nncodec_models() -> Sequence[ModelSpec]:
    """Return the enhancers that ship, with the aliases that make them the defaults for their scales."""
    return [
        ModelSpec("srgan/x4", _WEIGHTS / "x4.safetensors", ("x4",)),
        ModelSpec("srgan/restore", _WEIGHTS / "restore.safetensors", ("restore",)),
    ]
