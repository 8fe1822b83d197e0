"""Finds the recipe of an installed architecture; importing this module needs no torch, finding a recipe does."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nncodec.errors import ModelError
from nncodec.plugin.registry import catalog, resolve

if TYPE_CHECKING:
    from nncodec.training.recipe import Recipe


def trainable() -> list[str]:
    """Return the architectures that `nncodec train` can train, in order."""
    return sorted(spec.name for spec in catalog().architectures.values() if spec.training)


def recipe_of(architecture: str) -> type[Recipe]:
    """Return the recipe of an architecture; imports torch.

    Raises:
        ModelError: there is no such architecture, or it cannot be trained.
        PluginError: the plugin's recipe cannot be imported, or is none.
    """
    from nncodec.training.recipe import Recipe

    spec = catalog().architectures.get(architecture)
    if spec is None or not spec.training:
        names = ", ".join(trainable()) or "none"
        raise ModelError(detail=f"no architecture named {architecture!r} can be trained here; these can: {names}")
    return resolve(spec, spec.training, Recipe)  # type: ignore[type-abstract]
