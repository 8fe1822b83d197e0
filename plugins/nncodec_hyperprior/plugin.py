"""What this plugin provides."""

from __future__ import annotations

from collections.abc import Sequence

from nncodec.hookspecs import ArchitectureSpec, hookimpl


@hookimpl
def nncodec_architectures() -> Sequence[ArchitectureSpec]:
    """Return the hyperprior architecture."""
    return [ArchitectureSpec("hyperprior", "nncodec_hyperprior.codec:HyperpriorCodec")]
