"""Finds plugins by their entry points, and the user's own models. One that fails never breaks the others."""

from __future__ import annotations

import importlib.metadata
import os
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path

import platformdirs
import pluggy

from nncodec._support.files import is_folder, is_special, is_there
from nncodec.errors import NncError, PluginError, first_line
from nncodec.plugin import hooks
from nncodec.plugin.catalog import Catalog, PluginInfo, refuse_clash
from nncodec.plugin.guard import quiet_import
from nncodec.plugin.hooks import KINDS, ArchitectureSpec, ModelSpec
from nncodec.plugin.model_file import is_architecture_name, is_model_name, read_model_info

ENTRY_POINT_GROUP = "nncodec"
DISTRIBUTION = "nncodec-image"
"""What this package is called where it is installed from."""
MODELS_VARIABLE = "NNCODEC_MODELS"
DISABLED_VARIABLE = "NNCODEC_DISABLED_PLUGINS"
_NAMES = "use lower-case letters, digits, '.', '_' and '-'"


def models_folder() -> Path:
    """Return the folder of the user's own models: $NNCODEC_MODELS, or one in the platform's data directory."""
    chosen = os.environ.get(MODELS_VARIABLE)
    return Path(chosen) if chosen else Path(platformdirs.user_data_dir("nncodec", appauthor=False)) / "models"


def disabled_plugins() -> set[str]:
    """Return the names in $NNCODEC_DISABLED_PLUGINS, whether there are such plugins or not."""
    names = {name.strip() for name in os.environ.get(DISABLED_VARIABLE, "").split(",")}
    return names - {""}


def build_catalog(entry_points: Iterable[importlib.metadata.EntryPoint]) -> Catalog:
    """Load each plugin separately and return what all of them and the user's folder provide.

    Those of this distribution come first: no other plugin can take their names.

    Args:
        entry_points: of the group `nncodec`; those named in $NNCODEC_DISABLED_PLUGINS (comma-separated) are skipped.
    """
    disabled = disabled_plugins()
    draft = Catalog()
    plugins: list[PluginInfo] = []
    for entry_point in sorted(entry_points, key=lambda e: (not _is_bundled(e), e.name)):
        origin = f"{entry_point.dist.name} {entry_point.dist.version}" if entry_point.dist else "unknown"
        if entry_point.name in disabled:
            plugins.append(PluginInfo(entry_point.name, origin, "disabled"))
            continue
        try:
            with quiet_import():
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
        raise _Unsound("it implements no hook; is @hookimpl missing?")
    for spec in _listed(manager.hook.nncodec_architectures):
        _add_architecture(spec, addition, draft)
    for spec in _listed(manager.hook.nncodec_models):
        _add_model(spec, addition, draft)
    return addition


class _Unsound(Exception):
    """What is wrong with a plugin."""


def _listed(hook: pluggy.HookCaller) -> Iterator[object]:
    """Yield what a plugin's hook lists."""
    answers = hook()
    if hook.get_hookimpls() and not answers:  # pluggy leaves None out
        raise _Unsound(f"its hook {hook.name} returned None, not a list; is the return missing?")
    for answer in answers:
        if isinstance(answer, str) or not isinstance(answer, Iterable):
            raise _Unsound(f"its hook {hook.name} returned {type(answer).__name__}, not a list; return [...]")
        yield from answer


def _add_architecture(spec: object, addition: Catalog, draft: Catalog) -> None:
    if not isinstance(spec, ArchitectureSpec) or not _all_text(spec.name, spec.reference, spec.training, spec.decoder):
        raise _Unsound(f"{spec!r:.80} is not an ArchitectureSpec of names")
    if not is_architecture_name(spec.name):
        raise _Unsound(f"{spec.name!r:.80} cannot name an architecture; {_NAMES}")
    if spec.kind not in KINDS:
        kinds = ", ".join(map(repr, KINDS[:-1])) + f" or {KINDS[-1]!r}"
        raise _Unsound(f"architecture {spec.name!r} has the kind {spec.kind!r:.40}; a kind is {kinds}")
    if spec.name in draft.architectures or spec.name in addition.architectures:
        raise _Unsound(f"architecture {spec.name!r} is already provided{draft.provider_of(spec.name)}")
    addition.architectures[spec.name] = spec


def _add_model(spec: object, addition: Catalog, draft: Catalog) -> None:
    if not isinstance(spec, ModelSpec) or not isinstance(spec.aliases, tuple) or not _all_text(*spec.aliases):
        raise _Unsound(f"{spec!r:.80} is not a ModelSpec with a tuple of aliases")
    path = Path(spec.path)
    if not path.is_absolute():
        raise _Unsound(f"model {spec.name!r} has the path {str(path)!r}; give Path(__file__).with_name({path.name!r})")
    if not path.exists():
        raise _Unsound(f"model {spec.name!r}: {path} is not there; is it among the data of the package?")
    model_info = read_model_info(path)
    if model_info.name != spec.name:
        raise _Unsound(f"{spec.path} holds {model_info.name!r}, not {spec.name!r}")
    for known in (draft, addition):
        refuse_clash(model_info, known)
    addition.models[spec.name] = model_info
    for alias in spec.aliases:
        if not is_model_name(alias):
            raise _Unsound(f"model {spec.name!r} has the alias {alias!r:.80}; {_NAMES}")
        if any(alias in known.aliases or alias in known.models for known in (draft, addition)):
            raise _Unsound(f"the name {alias!r} is already taken{draft.provider_of(alias)}")
        addition.aliases[alias] = spec.name


def _add_user_models(draft: Catalog) -> list[str]:
    """Add the models of the user's folder to the draft and return a message for each that cannot be added."""
    failures = []
    folder = models_folder()
    if is_there(folder) and not is_folder(folder):
        failures.append(f"the models of the user ({folder} is a file, not a folder; set {MODELS_VARIABLE} to a folder)")
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
    if isinstance(error, _Unsound):
        return str(error)
    if isinstance(error, PluginError):
        return str(error.reason)
    if isinstance(error, NncError):
        return str(error)
    return f"{type(error).__name__}: {first_line(error)}"
