"""What this plugin provides."""

from __future__ import annotations

from collections.abc import Sequence

from nncodec.hookspecs import ArchitectureSpec, hookimpl


@hookimpl
def nncodec_architectures() -> Sequence[ArchitectureSpec]:
    """Return the enhancer's architecture."""
    return [
        ArchitectureSpec(
            "srgan",
            "nncodec_srgan.enhancer:SrganEnhancer",
            kind="enhancer",
            training="nncodec_srgan.recipe:EnhancerRecipe",
        )
    ]
