"""What is installed: plugins, architectures, models and their aliases, looked up by name or by digest."""

from __future__ import annotations

from dataclasses import dataclass, field

from nncodec.errors import BadModelFile, ModelError, UnknownModel
from nncodec.plugin.hooks import CODEC, ENHANCER, ArchitectureSpec
from nncodec.plugin.model_file import SHORT_ID_BYTES, ModelHead

_WITH_ARTICLE = {CODEC: "a codec", ENHANCER: "an enhancer"}


@dataclass(frozen=True)
class PluginInfo:
    """A plugin as `nncodec plugins` shows it.

    Args:
        name: its entry point.
        distribution: name and version of the package it came with.
        status: "ok", "disabled" or "failed".
        reason: why it failed.
        architectures, models: names it contributed.
        kinds: of each of the architectures, "codec" or "enhancer".
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
    """Everything installed, as found when it was built."""

    plugins: tuple[PluginInfo, ...] = ()
    architectures: dict[str, ArchitectureSpec] = field(default_factory=dict)
    models: dict[str, ModelHead] = field(default_factory=dict)
    aliases: dict[str, str] = field(default_factory=dict)
    failures: tuple[str, ...] = ()

    def find(self, name: str, kind: str | None = None) -> ModelHead:
        """Return the model of a name or alias.

        Args:
            name: or alias.
            kind: what it must be, "codec" or "enhancer"; None for either.

        Raises:
            UnknownModel: none is installed.
            ModelError: it is of the other kind.
        """
        head = self.models.get(self.aliases.get(name, name))
        if head is None:
            raise self._unknown(name, kind)
        return head if kind is None else self.checked(head, kind)

    def find_by_id(self, model_id: bytes, name: str | None = None, kind: str | None = CODEC) -> ModelHead:
        """Return the model of a kind whose digest begins with `model_id`.

        A file names one model to decode with and perhaps one to enhance with, and whoever made it may have named
        either in the place of the other; so one that is of the other kind is not there.

        Args:
            model_id: 4 to 32 bytes.
            name: what the file calls it, for the message.
            kind: "codec" or "enhancer"; None for either.

        Raises:
            UnknownModel: none is installed.
        """
        for head in self.models.values():
            if head.id_bytes.startswith(model_id) and kind in (None, self.kind_of(head)):
                return head
        raise self._unknown(f"{name} ({model_id.hex()})" if name else model_id.hex(), kind)

    def kind_of(self, head: ModelHead) -> str:
        """Return "codec" or "enhancer"; a model whose architecture is not installed counts as a codec."""
        spec = self.architectures.get(head.architecture)
        return spec.kind if spec else CODEC

    def checked(self, head: ModelHead, kind: str) -> ModelHead:
        """Return a model unless it is known to be of the other kind; raises ModelError then."""
        if self.kind_of(head) == kind or head.architecture not in self.architectures:
            return head
        of_kind = [name for name in sorted(self.models) if self.kind_of(self.models[name]) == kind]
        aliases = [alias for alias in sorted(self.aliases) if self.aliases[alias] in of_kind]
        what = "enhances pictures and codes none" if kind == CODEC else "is a codec and enhances no pictures"
        such = "".join(f" such as {name}" for name in [*aliases, *of_kind][:1])
        raise ModelError(detail=f"{head.name} {what}; choose {_WITH_ARTICLE[kind]}{such}")

    def _unknown(self, wanted: str, kind: str | None) -> UnknownModel:
        off = [f"plugin {plugin.name!r} (switched off)" for plugin in self.plugins if plugin.status == "disabled"]
        missing = "; ".join([*self.failures, *off])
        failures = f"; not available: {missing}" if missing else ""
        listed = [name for name, head in sorted(self.models.items()) if kind is None or self.kind_of(head) == kind]
        what = ENHANCER if kind == ENHANCER else "model"
        return UnknownModel(wanted=wanted, installed=", ".join(listed) or "none", failures=failures, kind=what)


def refuse_clash(head: ModelHead, installed: Catalog) -> None:
    for other in installed.models.values():
        if other.digest == head.digest:
            raise BadModelFile(path=head.path, reason=f"it is already installed as {other.name!r}")
        if other.id_bytes[:SHORT_ID_BYTES] == head.id_bytes[:SHORT_ID_BYTES]:
            raise BadModelFile(path=head.path, reason=f"its digest begins like that of {other.name!r}; train it again")
        if other.name == head.name or head.name in installed.aliases:
            raise BadModelFile(path=head.path, reason=f"a model named {head.name!r} is already installed")
