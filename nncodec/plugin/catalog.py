"""What is installed: plugins, architectures, models and their aliases. Models are found by name or by digest."""

from __future__ import annotations

import difflib
from dataclasses import dataclass, field

from nncodec.errors import BadModelFile, InvalidOption, ModelError, UnknownModel
from nncodec.plugin.guard import PluginGuard
from nncodec.plugin.hooks import CODEC, ENHANCER, LOSSLESS, ArchitectureSpec
from nncodec.plugin.model_file import LONG_ID_BYTES, SHORT_ID_BYTES, ModelInfo

_WITH_ARTICLE = {CODEC: "a codec", ENHANCER: "an enhancer", LOSSLESS: "a lossless model"}


@dataclass(frozen=True)
class PluginInfo:
    """A plugin as `nncodec plugins` lists it.

    Args:
        name: its entry point.
        distribution: name and version of the package it came with.
        status: "ok", "disabled" or "failed".
        reason: why it failed.
        architectures, models: names it provides.
        kinds: kind of each architecture, "codec", "enhancer" or "lossless".
    """

    name: str
    distribution: str
    status: str
    reason: str = ""
    architectures: tuple[str, ...] = ()
    models: tuple[str, ...] = ()
    kinds: tuple[str, ...] = ()


@dataclass(frozen=True)
class Catalog:
    """Everything that was installed when the catalog was built."""

    plugins: tuple[PluginInfo, ...] = ()
    architectures: dict[str, ArchitectureSpec] = field(default_factory=dict)
    models: dict[str, ModelInfo] = field(default_factory=dict)
    aliases: dict[str, str] = field(default_factory=dict)
    failures: tuple[str, ...] = ()

    def find(self, name: str, kind: str | None = None) -> ModelInfo:
        """Return the model with a name or alias.

        Args:
            name: or alias.
            kind: the kind it must have, "codec", "enhancer" or "lossless"; None for any.

        Raises:
            InvalidOption: the name is not a text.
            UnknownModel: none is installed.
            ModelError: it has another kind.
        """
        if not isinstance(name, str):
            reason = f"expected the name of an installed model, got {type(name).__name__}"
            raise InvalidOption(option="model", reason=reason)
        model_info = self.models.get(self.aliases.get(name, name))
        if model_info is None:
            raise self._unknown(name, kind)
        return model_info if kind is None else self.checked(model_info, kind)

    def find_by_id(self, model_id: bytes, name: str | None = None, kind: str | None = CODEC) -> ModelInfo:
        """Return the model of a kind whose digest begins with `model_id`.

        A hostile file may name an enhancer as its model, or a codec as its enhancer. A model of another kind counts as
        not installed. Four bytes find models that ship with a plugin only: others are made by anybody, and two that
        share four bytes take seconds to find.

        Args:
            model_id: 4 to 32 bytes; for a model that does not ship with a plugin, 8 or more.
            name: what the file calls it, for the message.
            kind: "codec", "enhancer" or "lossless"; None for any.

        Raises:
            UnknownModel: none is installed.
        """
        for model_info in self.models.values():
            found = model_info.id_bytes.startswith(model_id) and kind in (None, self.kind_of(model_info))
            if found and (len(model_id) >= LONG_ID_BYTES or self.is_bundled(model_info)):
                return model_info
        raise self._unknown(f"{name} ({model_id.hex()})" if name else model_id.hex(), kind)

    def is_bundled(self, model_info: ModelInfo) -> bool:
        """Return whether a model ships with a plugin."""
        return any(model_info.name in plugin.models for plugin in self.plugins)

    def provider_of(self, name: str) -> str:
        """Return which plugin provides an architecture, model or alias, as a message ends; empty if none does."""
        wanted = {name, self.aliases.get(name, name)}
        found = [p.name for p in self.plugins if wanted.intersection(p.architectures + p.models)]
        return f" by plugin {found[0]!r}" if found else ""

    def kind_of(self, model_info: ModelInfo) -> str:
        """Return "codec", "enhancer" or "lossless"; a model whose architecture is not installed counts as a codec."""
        spec = self.architectures.get(model_info.architecture)
        return spec.kind if spec else CODEC

    def guard_of(self, model_info: ModelInfo) -> PluginGuard:
        """Return the guard for calls into the plugin that provides a model's architecture."""
        return self.guard_of_architecture(model_info.architecture, model_info.name)

    def guard_of_architecture(self, architecture: str, model: str = "") -> PluginGuard:
        """Return the guard for calls into the plugin that provides an architecture, for a model if one is named."""
        for plugin in self.plugins:
            if architecture in plugin.architectures:
                return PluginGuard(plugin.name, plugin.distribution, model)
        return PluginGuard(architecture, "", model)

    def checked(self, model_info: ModelInfo, kind: str) -> ModelInfo:
        """Return a model unless it is known to have another kind; raises ModelError then."""
        if self.kind_of(model_info) == kind or model_info.architecture not in self.architectures:
            return model_info
        own, wanted = _WITH_ARTICLE[self.kind_of(model_info)], _WITH_ARTICLE[kind]
        of_kind = [name for name in sorted(self.models) if self.kind_of(self.models[name]) == kind]
        aliases = [alias for alias in sorted(self.aliases) if self.aliases[alias] in of_kind]
        example = "".join(f" such as {name}" for name in [*aliases, *of_kind][:1])
        raise ModelError(detail=f"{model_info.name} is {own}, not {wanted}; choose {wanted}{example}")

    def without_architecture(self, model_info: ModelInfo) -> ModelError:
        """Return the error for a sound model whose architecture no plugin provides."""
        missing = [_shown(plugin) for plugin in self.plugins if plugin.status != "ok"]
        unless = f", or mend or enable it if it is among these: {'; '.join(missing)}" if missing else ""
        return ModelError(
            detail=f"{model_info.name} cannot be used: no installed plugin provides its architecture "
            f"{model_info.architecture!r}; install the plugin that does{unless}"
        )

    def _unknown(self, wanted: str, kind: str | None) -> UnknownModel:
        disabled = [_shown(plugin) for plugin in self.plugins if plugin.status == "disabled"]
        missing = "; ".join([*self.failures, *disabled])
        failures = f"; not available until mended or enabled: {missing}" if missing else ""
        of_kind = [name for name in sorted(self.models) if kind is None or self.kind_of(self.models[name]) == kind]
        noun = ENHANCER if kind == ENHANCER else "model"
        names = [*of_kind, *(alias for alias, name in self.aliases.items() if name in of_kind)]
        near = " or ".join(difflib.get_close_matches(wanted, names, n=2))
        home = next((p.name for p in self.plugins if p.status != "ok" and wanted.startswith(f"{p.name}/")), "")
        return UnknownModel(
            wanted=wanted,
            installed=", ".join(of_kind) or "none",
            failures=failures,
            kind=noun,
            near=near,
            mendable=bool(missing),
            home=home,
        )


def _shown(plugin: PluginInfo) -> str:
    """Return a plugin that is not available, and why."""
    return f"plugin {plugin.name!r} ({plugin.reason or plugin.status})"


def refuse_clash(model_info: ModelInfo, installed: Catalog) -> None:
    """Raise BadModelFile if a model's digest, the beginning of it, or its name is taken."""
    path = model_info.path
    for other in installed.models.values():
        if other.digest == model_info.digest:
            reason = f"it is already installed as {other.name!r}{installed.provider_of(other.name)}"
            raise BadModelFile(path=path, reason=reason)
        if other.id_bytes[:SHORT_ID_BYTES] == model_info.id_bytes[:SHORT_ID_BYTES]:
            raise BadModelFile(path=path, reason=f"its digest begins like that of {other.name!r}; train it again")
        if other.name == model_info.name or model_info.name in installed.aliases:
            reason = f"a model named {model_info.name!r} is already installed{installed.provider_of(model_info.name)}"
            raise BadModelFile(path=path, reason=reason)
