"""Finds plugins by their entry points, and the user's own models. One that fails never breaks the others."""

from __future__ import annotations

import importlib.metadata
import os
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import platformdirs
import pluggy

from nncodec._support.files import is_special
from nncodec.errors import NncError, PluginError, first_line
from nncodec.plugin import hooks
from nncodec.plugin.catalog import Catalog, PluginInfo, refuse_clash
from nncodec.plugin.hooks import KINDS, ArchitectureSpec, ModelSpec
from nncodec.plugin.model_file import read_model_info

ENTRY_POINT_GROUP = "nncodec"
DISTRIBUTION = "nncodec-image"
"""What this package is called where it is installed from."""
MODELS_VARIABLE = "NNCODEC_MODELS"
DISABLED_VARIABLE = "NNCODEC_DISABLED_PLUGINS"


def models_folder() -> Path:
    """Return the folder of the user's own models: $NNCODEC_MODELS, or one in the platform's data directory."""
    chosen = os.environ.get(MODELS_VARIABLE)
    return Path(chosen) if chosen else Path(platformdirs.user_data_dir("nncodec", appauthor=False)) / "models"


def build_catalog(entry_points: Iterable[importlib.metadata.EntryPoint]) -> Catalog:
    """Load each plugin separately and return what all of them and the user's folder provide.

    Those of this distribution come first: no other plugin can take their names.

    Args:
        entry_points: of the group `nncodec`; those named in $NNCODEC_DISABLED_PLUGINS (comma-separated) are skipped.
    """
    disabled = {name.strip() for name in os.environ.get(DISABLED_VARIABLE, "").split(",")}
    draft = Catalog()
    plugins: list[PluginInfo] = []
    for entry_point in sorted(entry_points, key=lambda e: (not _is_bundled(e), e.name)):
        origin = f"{entry_point.dist.name} {entry_point.dist.version}" if entry_point.dist else "unknown"
        if entry_point.name in disabled:
            plugins.append(PluginInfo(entry_point.name, origin, "disabled"))
            continue
        try:
            addition = _load_plugin(entry_point, draft)
        except (Exception, SystemExit) as error:  # third-party code: anything can happen
            plugins.append(PluginInfo(entry_point.name, origin, "failed", _describe(error)))
            continue
        draft.architectures.update(addition.architectures)
        draft.models.update(addition.models)
        draft.aliases.update(addition.aliases)
        kinds = tuple(spec.kind for spec in addition.architectures.values())
        provided = tuple(addition.architectures), tuple(addition.models), kinds
        plugins.append(PluginInfo(entry_point.name, origin, "ok", "", *provided))
        draft = replace(draft, plugins=tuple(plugins))
    failures = [f"plugin {p.name!r} ({p.reason})" for p in plugins if p.status == "failed"]
    failures += _add_user_models(draft)
    return Catalog(tuple(plugins), draft.architectures, draft.models, draft.aliases, tuple(failures))


def _is_bundled(entry_point: importlib.metadata.EntryPoint) -> bool:
    return entry_point.dist is not None and entry_point.dist.name == DISTRIBUTION


def _load_plugin(entry_point: importlib.metadata.EntryPoint, draft: Catalog) -> Catalog:
    """Return all that one plugin provides, checked against the draft, which stays unchanged; raise if it is unsound."""
    manager = pluggy.PluginManager(hooks.PROJECT)
    manager.add_hookspecs(hooks)
    plugin = entry_point.load()
    manager.register(plugin, entry_point.name)
    manager.check_pending()
    addition = Catalog()
    if not manager.get_hookcallers(plugin):
        raise PluginError(plugin=entry_point.name, reason="it implements no hook; is @hookimpl missing?")
    for answer in manager.hook.nncodec_architectures():
        for spec in answer:
            if not isinstance(spec, ArchitectureSpec) or not _all_text(
                spec.name, spec.reference, spec.training, spec.decoder
            ):
                raise PluginError(plugin=entry_point.name, reason=f"{spec!r:.80} is not an ArchitectureSpec of names")
            if spec.kind not in KINDS:
                kinds = ", ".join(map(repr, KINDS[:-1])) + f" or {KINDS[-1]!r}"
                reason = f"architecture {spec.name!r} has the kind {spec.kind!r:.40}; a kind is {kinds}"
                raise PluginError(plugin=entry_point.name, reason=reason)
            if spec.name in draft.architectures or spec.name in addition.architectures:
                reason = f"architecture {spec.name!r} is already provided{draft.provider_of(spec.name)}"
                raise PluginError(plugin=entry_point.name, reason=reason)
            addition.architectures[spec.name] = spec
    for answer in manager.hook.nncodec_models():
        for spec in answer:
            if not isinstance(spec, ModelSpec) or not isinstance(spec.aliases, tuple) or not _all_text(*spec.aliases):
                raise PluginError(
                    plugin=entry_point.name, reason=f"{spec!r:.80} is not a ModelSpec with a tuple of aliases"
                )
            model_info = read_model_info(Path(spec.path))
            if model_info.name != spec.name:
                reason = f"{spec.path} holds {model_info.name!r}, not {spec.name!r}"
                raise PluginError(plugin=entry_point.name, reason=reason)
            for known in (draft, addition):
                refuse_clash(model_info, known)
            addition.models[spec.name] = model_info
            for alias in spec.aliases:
                if any(alias in known.aliases or alias in known.models for known in (draft, addition)):
                    reason = f"the name {alias!r} is already taken{draft.provider_of(alias)}"
                    raise PluginError(plugin=entry_point.name, reason=reason)
                addition.aliases[alias] = spec.name
    return addition


def _add_user_models(draft: Catalog) -> list[str]:
    """Add the models of the user's folder to the draft and return a message for each that cannot be added."""
    failures = []
    folder = models_folder()
    for path in sorted(folder.glob("*.safetensors")) if folder.is_dir() else []:
        if is_special(path):
            continue
        try:
            model_info = read_model_info(path)
            refuse_clash(model_info, draft)
        except NncError as error:
            failures.append(f"model file {path.name} ({error})")
            continue
        draft.models[model_info.name] = model_info
    return failures


def _all_text(*values: object) -> bool:
    return all(isinstance(value, str) for value in values)


def _describe(error: BaseException) -> str:
    if isinstance(error, PluginError):
        return str(error.reason)
    if isinstance(error, NncError):
        return str(error)
    return f"{type(error).__name__}: {first_line(error)}"
