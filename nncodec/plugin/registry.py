"""Which architectures and models are installed: discovery, isolation of faulty plugins, look-up, the user's own models.

A `Catalog` is built once per process, completely, and then only read. One broken plugin never breaks the rest: it is
left out as a whole and listed among the catalog's failures with its reason.
"""

from __future__ import annotations

import functools
import importlib
import importlib.metadata
import os
import shutil
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import platformdirs
import pluggy

from nncodec.errors import BadModelFile, ModelError, NncError, PluginError, UnknownModel, WeightsMismatch, first_line
from nncodec.format.container import SHORT_ID_BYTES
from nncodec.plugin import hooks as hookspecs
from nncodec.plugin.codec import CodecModel
from nncodec.plugin.enhancer import EnhancerModel
from nncodec.plugin.hooks import CODEC, ENHANCER, KINDS, ArchitectureSpec, ModelSpec
from nncodec.plugin.model_file import ModelFile, ModelHead, read_head, read_model

if TYPE_CHECKING:
    from nncodec.training.recipe import Recipe

ENTRY_POINT_GROUP = "nncodec"
MODELS_VARIABLE = "NNCODEC_MODELS"
DISABLED_VARIABLE = "NNCODEC_DISABLED_PLUGINS"
_OPEN_MODELS = 4
_WITH_ARTICLE = {CODEC: "a codec", ENHANCER: "an enhancer"}

_T = TypeVar("_T")


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


@functools.cache
def catalog() -> Catalog:
    """Return the catalog of this process, building it on first use."""
    return build_catalog(importlib.metadata.entry_points(group=ENTRY_POINT_GROUP))


def refresh() -> None:
    """Forget the catalog and all open models: the next look-up sees what was installed since."""
    catalog.cache_clear()
    _open_by_digest.cache_clear()


def open_model(name_or_head: str | ModelHead) -> CodecModel:
    """Return a codec's model ready for use, loading its weights on first use and keeping the last few open.

    Raises:
        UnknownModel, BadModelFile, WeightsMismatch, PluginError: see errors.py.
        ModelError: it is an enhancer.
    """
    return _open(name_or_head, CODEC, CodecModel)  # type: ignore[type-abstract]


def open_enhancer(name_or_head: str | ModelHead) -> EnhancerModel:
    """Return an enhancer ready for use; see `open_model`.

    Raises:
        UnknownModel, BadModelFile, WeightsMismatch, PluginError: see errors.py.
        ModelError: it is a codec.
    """
    return _open(name_or_head, ENHANCER, EnhancerModel)  # type: ignore[type-abstract]


def _open(name_or_head: str | ModelHead, kind: str, base: type[_T]) -> _T:
    installed = catalog()
    if isinstance(name_or_head, str):
        head = installed.find(name_or_head, kind)
    else:
        head = installed.checked(name_or_head, kind)
    model = _open_by_digest(head.digest)
    if not isinstance(model, base):
        raise PluginError(plugin=head.architecture, reason=f"it made a {type(model).__name__} of {head.name}")
    return model


@functools.lru_cache(maxsize=_OPEN_MODELS)
def _open_by_digest(digest: str) -> CodecModel | EnhancerModel:
    installed = catalog()
    head = installed.find_by_id(bytes.fromhex(digest), kind=None)
    model_file = read_model(head.path)
    if model_file.digest != digest:  # the file was replaced since the catalog was built
        raise WeightsMismatch(name=head.name, expected=digest[:16], found=model_file.digest[:16])
    return build_model(model_file)


def build_model(model_file: ModelFile) -> CodecModel | EnhancerModel:
    """Build a model or enhancer from a file in memory, installed or not.

    Raises:
        BadModelFile, PluginError: see errors.py.
    """
    spec = catalog().architectures.get(model_file.architecture)
    if spec is None:
        reason = f"no installed plugin provides architecture {model_file.architecture!r}"
        raise BadModelFile(path=model_file.path, reason=reason)
    base: type[CodecModel | EnhancerModel] = EnhancerModel if spec.kind == ENHANCER else CodecModel
    architecture = _resolve(spec, spec.reference, base)
    try:
        return architecture.from_file(model_file)
    except NncError:
        raise
    except Exception as error:  # a third party's code on an untrusted file: anything can happen
        raise BadModelFile(path=model_file.path, reason=f"{type(error).__name__}: {first_line(error)}") from error


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
    return _resolve(spec, spec.training, Recipe)  # type: ignore[type-abstract]


def _resolve(spec: ArchitectureSpec, reference: str, base: type[_T]) -> type[_T]:
    module, _, attribute = reference.partition(":")
    try:
        found = getattr(importlib.import_module(module), attribute)
    except (Exception, SystemExit) as error:  # a third party's code: anything can happen
        raise PluginError(plugin=spec.name, reason=f"{type(error).__name__}: {first_line(error)}") from error
    if not (isinstance(found, type) and issubclass(found, base)):
        raise PluginError(plugin=spec.name, reason=f"{reference} is not a {base.__name__} subclass")
    return found


# --- the user's own models ----------------------------------------------------------------------------------------


def models_folder() -> Path:
    """Return where the user's own models live: $NNCODEC_MODELS, or the platform's data directory."""
    chosen = os.environ.get(MODELS_VARIABLE)
    return Path(chosen) if chosen else Path(platformdirs.user_data_dir("nncodec", appauthor=False)) / "models"


def install_model(path: Path) -> ModelHead:
    """Copy a model file into the user's model folder, so that its name and its files resolve.

    Raises:
        BadModelFile: the file is unusable, or its name or the first four bytes of its digest are taken.
        WeightsMismatch: its tensors are not those of its digest.
    """
    head: ModelHead = read_model(path)
    installed = catalog()
    _refuse_clash(head, installed)
    folder = models_folder()
    folder.mkdir(parents=True, exist_ok=True)
    target = folder / f"{head.name.replace('/', '+')}.safetensors"  # no name has a plus, so no two share a file
    handle, temporary = tempfile.mkstemp(dir=folder, suffix=".partial")
    os.close(handle)
    try:
        shutil.copyfile(path, temporary)
        Path(temporary).replace(target)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
    refresh()
    return read_head(target)


def remove_model(name: str) -> Path:
    """Delete one of the user's own models and return where it was.

    Raises:
        UnknownModel: no model has this name.
        ModelError: it ships with a plugin.
    """
    head = catalog().find(name)
    if head.path.parent != models_folder():
        raise ModelError(detail=f"{head.name} ships with a plugin; uninstall that package instead")
    head.path.unlink()
    refresh()
    return head.path


def _refuse_clash(head: ModelHead, installed: Catalog) -> None:
    for other in installed.models.values():
        if other.digest == head.digest:
            raise BadModelFile(path=head.path, reason=f"it is already installed as {other.name!r}")
        if other.id_bytes[:SHORT_ID_BYTES] == head.id_bytes[:SHORT_ID_BYTES]:
            raise BadModelFile(path=head.path, reason=f"its digest begins like that of {other.name!r}; train it again")
        if other.name == head.name or head.name in installed.aliases:
            raise BadModelFile(path=head.path, reason=f"a model named {head.name!r} is already installed")


# --- discovery ----------------------------------------------------------------------------------------------------


def build_catalog(entry_points: Iterable[importlib.metadata.EntryPoint]) -> Catalog:
    """Load every plugin by itself and return what all of them and the user's folder provide.

    Args:
        entry_points: of the group `nncodec`; names in $NNCODEC_DISABLED_PLUGINS (comma-separated) are skipped.
    """
    disabled = {name.strip() for name in os.environ.get(DISABLED_VARIABLE, "").split(",")}
    draft = Catalog()
    plugins: list[PluginInfo] = []
    for entry_point in sorted(entry_points, key=lambda e: e.name):
        origin = f"{entry_point.dist.name} {entry_point.dist.version}" if entry_point.dist else "unknown"
        if entry_point.name in disabled:
            plugins.append(PluginInfo(entry_point.name, origin, "disabled"))
            continue
        try:
            addition = _load_plugin(entry_point, draft)
        except (Exception, SystemExit) as error:  # a third party's code: anything can happen
            plugins.append(PluginInfo(entry_point.name, origin, "failed", _describe(error)))
            continue
        draft.architectures.update(addition.architectures)
        draft.models.update(addition.models)
        draft.aliases.update(addition.aliases)
        kinds = tuple(spec.kind for spec in addition.architectures.values())
        provided = tuple(addition.architectures), tuple(addition.models), kinds
        plugins.append(PluginInfo(entry_point.name, origin, "ok", "", *provided))
    failures = [f"plugin {p.name!r} ({p.reason})" for p in plugins if p.status == "failed"]
    failures += _add_user_models(draft)
    return Catalog(tuple(plugins), draft.architectures, draft.models, draft.aliases, tuple(failures))


def _load_plugin(entry_point: importlib.metadata.EntryPoint, draft: Catalog) -> Catalog:
    """Ask one plugin for everything, and check it against what is there; nothing is changed unless all is well."""
    manager = pluggy.PluginManager(hookspecs.PROJECT)
    manager.add_hookspecs(hookspecs)
    plugin = entry_point.load()
    manager.register(plugin, entry_point.name)
    manager.check_pending()
    addition = Catalog()
    if not manager.get_hookcallers(plugin):
        raise PluginError(plugin=entry_point.name, reason="it implements no hook; is @hookimpl missing?")
    for answer in manager.hook.nncodec_architectures():
        for spec in answer:
            if not isinstance(spec, ArchitectureSpec) or not _all_text(spec.name, spec.reference, spec.training):
                raise PluginError(plugin=entry_point.name, reason=f"{spec!r:.80} is not an ArchitectureSpec of names")
            if spec.kind not in KINDS:
                kinds = " or ".join(map(repr, KINDS))
                reason = f"architecture {spec.name!r} is of the kind {spec.kind!r:.40}; a kind is {kinds}"
                raise PluginError(plugin=entry_point.name, reason=reason)
            if spec.name in draft.architectures or spec.name in addition.architectures:
                raise PluginError(plugin=entry_point.name, reason=f"architecture {spec.name!r} is already provided")
            addition.architectures[spec.name] = spec
    for answer in manager.hook.nncodec_models():
        for spec in answer:
            if not isinstance(spec, ModelSpec) or not isinstance(spec.aliases, tuple) or not _all_text(*spec.aliases):
                raise PluginError(
                    plugin=entry_point.name, reason=f"{spec!r:.80} is not a ModelSpec with a tuple of aliases"
                )
            head = read_head(Path(spec.path))
            if head.name != spec.name:
                raise PluginError(plugin=entry_point.name, reason=f"{spec.path} holds {head.name!r}, not {spec.name!r}")
            for known in (draft, addition):
                _refuse_clash(head, known)
            addition.models[spec.name] = head
            for alias in spec.aliases:
                if any(alias in known.aliases or alias in known.models for known in (draft, addition)):
                    raise PluginError(plugin=entry_point.name, reason=f"the name {alias!r} is already taken")
                addition.aliases[alias] = spec.name
    return addition


def _add_user_models(draft: Catalog) -> list[str]:
    """Add the models of the user's folder to the draft and return what could not be added."""
    failures = []
    folder = models_folder()
    for path in sorted(folder.glob("*.safetensors")) if folder.is_dir() else []:
        try:
            head = read_head(path)
            _refuse_clash(head, draft)
        except NncError as error:
            failures.append(f"model file {path.name} ({error})")
            continue
        draft.models[head.name] = head
    return failures


def _all_text(*values: object) -> bool:
    return all(isinstance(value, str) for value in values)


def _describe(error: BaseException) -> str:
    if isinstance(error, PluginError):
        return str(error.reason)
    if isinstance(error, NncError):
        return str(error)
    return f"{type(error).__name__}: {first_line(error)}"
