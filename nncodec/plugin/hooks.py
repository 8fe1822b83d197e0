"""All hooks that a plugin can implement, on one screen.

A plugin is a module (or object) that an entry point of the group `nncodec` names. Its hooks return cheap values: names,
paths and `"module:attribute"` references, and import nothing heavy. What a reference points to is imported when a model
of that architecture is first used.

    # my_package/plugin.py
    from nncodec.plugin import ArchitectureSpec, ModelSpec, hookimpl

    @hookimpl
    def nncodec_architectures():
        return [ArchitectureSpec("tiny", "my_package.codec:TinyCodec")]

    @hookimpl
    def nncodec_models():
        return [ModelSpec("tiny/one", Path(__file__).parent / "weights" / "one.safetensors")]
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pluggy

PROJECT = "nncodec"
CODEC = "codec"
"""The kind of an architecture that codes pictures."""
ENHANCER = "enhancer"
"""The kind of an architecture that improves or enlarges pictures."""
LOSSLESS = "lossless"
"""The kind of an architecture that codes samples exactly."""
KINDS = (CODEC, ENHANCER, LOSSLESS)
"""Kinds of architectures and of their models."""

hookspec = pluggy.HookspecMarker(PROJECT)
hookimpl = pluggy.HookimplMarker(PROJECT)
"""Decorator that marks a function of a plugin as the implementation of a hook."""


@dataclass(frozen=True)
class ArchitectureSpec:
    """An architecture, which builds a model from any model file that names it.

    Args:
        name: lower case, unique among all plugins; model files hold it.
        reference: `"module:attribute"` of a subclass of `nncodec.plugin.codec.CodecModel`,
            `nncodec.plugin.enhancer.EnhancerModel` or `nncodec.plugin.lossless.LosslessModel`.
        kind: "codec", "enhancer" or "lossless".
        training: `"module:attribute"` of a `nncodec.training.recipe.Recipe` subclass; empty if `nncodec train` cannot
            train the architecture.
        decoder: `"module:attribute"` of a `nncodec.plugin.codec.EngineDecoder` subclass that decodes small pictures
            without torch; empty if there is none.
    """

    name: str
    reference: str
    kind: str = CODEC
    training: str = ""
    decoder: str = ""


@dataclass(frozen=True)
class ModelSpec:
    """A trained model that ships with the plugin.

    Args:
        name: `plugin/model`, unique, as in the file.
        path: its model file.
        aliases: other names for users, such as "photo" for the default photo model, "lossless" for the default lossless
            model, or "x4" and "restore" for the default enhancers, see `nncodec.coding.enhancing.default_enhancer`.
    """

    name: str
    path: Path
    aliases: tuple[str, ...] = ()


@hookspec
def nncodec_architectures() -> Sequence[ArchitectureSpec]:  # type: ignore[empty-body]
    """Return the architectures this plugin provides."""


@hookspec
def nncodec_models() -> Sequence[ModelSpec]:  # type: ignore[empty-body]
    """Return the trained models this plugin ships."""
