"""Opens, installs and removes models. The catalog of what is installed is built once per process."""

from __future__ import annotations

import functools
import importlib
import importlib.metadata
import os
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

from nncodec._support.files import creating, is_folder, is_special
from nncodec.errors import BadModelFile, ModelError, NncError, WeightsMismatch, first_line
from nncodec.plugin.catalog import Catalog, refuse_clash
from nncodec.plugin.codec import CodecModel, DecoderModel, EngineDecoder
from nncodec.plugin.discovery import ENTRY_POINT_GROUP, MODELS_VARIABLE, build_catalog, models_folder
from nncodec.plugin.engine import Loader
from nncodec.plugin.enhancer import EnhancerModel
from nncodec.plugin.guard import code_of_plugins, quiet_import
from nncodec.plugin.hooks import CODEC, ENHANCER, LOSSLESS, ArchitectureSpec
from nncodec.plugin.lossless import LosslessModel
from nncodec.plugin.model_file import ModelFile, ModelInfo, read_model, read_model_info
from nncodec.plugin.self_test import check_contexts
from nncodec.plugin.traits import problem_with_traits
from nncodec.plugin.trial import InstalledModel, try_model

_OPEN_MODELS = 4
BASES: dict[str, type[InstalledModel]] = {CODEC: CodecModel, ENHANCER: EnhancerModel, LOSSLESS: LosslessModel}
"""The class that an architecture of each kind is a subclass of."""
_WITH_TRAITS = (DecoderModel, EnhancerModel, LosslessModel)
_T = TypeVar("_T")


@functools.cache
def catalog() -> Catalog:
    """Return the catalog of this process, building it on first use."""
    return build_catalog(importlib.metadata.entry_points(group=ENTRY_POINT_GROUP))


def refresh() -> None:
    """Forget the catalog and all open models; the next look-up finds what was installed since."""
    catalog.cache_clear()
    _open_by_digest.cache_clear()


def open_model(name_or_info: str | ModelInfo) -> CodecModel:
    """Return a codec ready for use. Its weights are loaded on first use; the last few models stay open.

    Raises:
        UnknownModel, BadModelFile, WeightsMismatch, PluginError: see errors.py.
        ModelError: the model is not a codec, or no installed plugin provides its architecture.
    """
    return _open(name_or_info, CODEC, CodecModel)  # type: ignore[type-abstract]


def open_decoder(model_info: ModelInfo, loader: Loader | None) -> DecoderModel:
    """Return what decodes the files of a codec: its `EngineDecoder`, or its `CodecModel` for want of one.

    Args:
        model_info: the model.
        loader: makes the networks ready to run; None for torch.

    Raises:
        UnknownModel, BadModelFile, WeightsMismatch, PluginError, ModelError: see `open_model`.
    """
    spec = catalog().architectures.get(model_info.architecture)
    if loader is None or spec is None or not spec.decoder:
        return open_model(model_info)
    return _open(model_info, CODEC, EngineDecoder, loader)  # type: ignore[type-abstract]


def open_enhancer(name_or_info: str | ModelInfo) -> EnhancerModel:
    """Return an enhancer ready for use; see `open_model`.

    Raises:
        UnknownModel, BadModelFile, WeightsMismatch, PluginError: see errors.py.
        ModelError: the model is not an enhancer.
    """
    return _open(name_or_info, ENHANCER, EnhancerModel)  # type: ignore[type-abstract]


def open_lossless(name_or_info: str | ModelInfo) -> LosslessModel:
    """Return a lossless model ready for use; see `open_model`.

    Raises:
        UnknownModel, BadModelFile, WeightsMismatch, PluginError: see errors.py.
        ModelError: the model is of another kind.
    """
    return _open(name_or_info, LOSSLESS, LosslessModel)  # type: ignore[type-abstract]


def open_any(model_info: ModelInfo) -> InstalledModel:
    """Return a model of whatever kind its architecture has, ready for use; see `open_model`.

    Raises:
        UnknownModel, BadModelFile, WeightsMismatch, PluginError: see errors.py.
    """
    kind = catalog().kind_of(model_info)
    return _open(model_info, kind, BASES[kind])


def _open(name_or_info: str | ModelInfo, kind: str, base: type[_T], loader: Loader | None = None) -> _T:
    installed = catalog()
    if isinstance(name_or_info, str):
        model_info = installed.find(name_or_info, kind)
    else:
        model_info = installed.checked(name_or_info, kind)
    model = _open_by_digest(model_info.digest, loader)
    if not isinstance(model, base):
        reason = f"{type(model).__name__}, which it returned, is not a {base.__name__} subclass"
        raise installed.guard_of(model_info).error(reason)
    return model


@functools.lru_cache(maxsize=_OPEN_MODELS)
def _open_by_digest(digest: str, loader: Loader | None) -> InstalledModel | EngineDecoder:
    installed = catalog()
    model_info = installed.find_by_id(bytes.fromhex(digest), kind=None)
    model_file = read_model(model_info.path)
    if model_file.digest != digest:  # the file was replaced since the catalog was built
        raise WeightsMismatch(name=model_info.name, expected=digest[:16], found=model_file.digest[:16])
    model = build_model(model_file) if loader is None else build_decoder(model_file, loader)
    if isinstance(model, DecoderModel):
        check_contexts(model, model_file, installed.guard_of(model_info))
    return model


def build_model(model_file: ModelFile) -> InstalledModel:
    """Build a model of any kind from a file in memory, installed or not.

    Raises:
        ModelError: no installed plugin provides its architecture.
        BadModelFile, PluginError: see errors.py.
    """
    spec = _architecture_of(model_file)
    architecture = resolve(spec, spec.reference, BASES[spec.kind], model_file.name)
    return _built(model_file, lambda: architecture.from_file(model_file))


def build_decoder(model_file: ModelFile, loader: Loader) -> EngineDecoder:
    """Build a model that only decodes, without torch, from a file in memory.

    Raises:
        ModelError: the architecture has none, or no installed plugin provides it.
        BadModelFile, PluginError: see errors.py.
    """
    spec = _architecture_of(model_file)
    if not spec.decoder:
        raise ModelError(detail=f"models of architecture {spec.name} decode with PyTorch only")
    decoder = resolve(spec, spec.decoder, EngineDecoder, model_file.name)  # type: ignore[type-abstract]
    return _built(model_file, lambda: decoder.from_file(model_file, loader))


def _architecture_of(model_file: ModelFile) -> ArchitectureSpec:
    spec = catalog().architectures.get(model_file.architecture)
    if spec is None:
        raise catalog().without_architecture(model_file)
    return spec


def _built(model_file: ModelFile, build: Callable[[], _T]) -> _T:
    try:
        with code_of_plugins():
            model = build()
        problem = problem_with_traits(getattr(model, "traits", None)) if isinstance(model, _WITH_TRAITS) else None
    except NncError:
        raise
    except (Exception, SystemExit) as error:  # third-party code on an untrusted file: anything can happen
        raise BadModelFile(path=model_file.path, reason=f"{type(error).__name__}: {first_line(error)}") from error
    if problem:
        raise BadModelFile(path=model_file.path, reason=f"{problem} (architecture {model_file.architecture})")
    return model


def resolve(spec: ArchitectureSpec, reference: str, base: type[_T], model: str = "") -> type[_T]:
    """Import what a reference of an architecture points to.

    Args:
        spec: the architecture.
        reference: `"module:attribute"`, one of the spec's.
        base: the class that it must be a subclass of.
        model: the model it is needed for, for messages.

    Raises:
        PluginError: it cannot be imported, or is something else.
    """
    guard = catalog().guard_of_architecture(spec.name, model)
    module, _, attribute = reference.partition(":")
    if not attribute:
        raise guard.error(f"{reference!r} names a module and nothing in it; write 'module:attribute'")
    try:
        with quiet_import():
            target = getattr(importlib.import_module(module), attribute)
    except (Exception, SystemExit) as error:  # third-party code: anything can happen
        raise guard.error(f"{reference}: {type(error).__name__}: {first_line(error)}") from error
    if not (isinstance(target, type) and issubclass(target, base)):
        raise guard.error(f"{reference} is not a {base.__name__} subclass")
    return target


def install_model(path: Path) -> ModelInfo:
    """Copy a model file into the user's model folder, so that its name and the files made with it resolve.

    A copy of that name that cannot be used, because it is damaged or a link to nothing, is replaced.

    Returns:
        The installed model; the one that is there if it has this digest, under whatever name, and nothing is copied.

    Raises:
        BadModelFile: the file is unusable, or the model fails when it is tried; its name or the first four bytes of its
            digest are taken.
        WeightsMismatch: its tensors are not those of its digest.
        ModelError: the user's model folder is a file, or something in it is in the way.
    """
    model_file = read_model(path)
    installed, unusable = _without_unusable_copy(model_file)
    if known := _with_digest(model_file.digest, installed):
        return known
    refuse_clash(model_file, installed)
    if model_file.architecture in installed.architectures:
        try_model(build_model(model_file), model_file, installed.guard_of(model_file))
    folder = models_folder()
    if folder.exists() and not folder.is_dir():
        raise ModelError(detail=f"{folder} is a file, not a folder for models; set {MODELS_VARIABLE} to a folder")
    target = folder / f"{_stem_of(model_file.name)}.safetensors"
    if target not in unusable and _problem_with(target):
        unusable.append(target)
    for copy in unusable:
        if is_folder(copy) or is_special(copy):
            raise ModelError(detail=f"{copy} is in the way, and no file; remove it")
        copy.unlink(missing_ok=True)
    try:
        with creating(target) as temporary:
            shutil.copyfile(path, temporary)
            read_model(temporary)  # what was copied is what was tried, and complete
    except FileExistsError:  # another process was faster
        refresh()
        if known := _with_digest(model_file.digest, catalog()):
            return known
        refuse_clash(model_file, catalog())
        detail = f"{target} already exists, and holds another model than its name says; rename or remove that file"
        raise ModelError(detail=detail) from None
    refresh()
    return read_model_info(target)


def use_model(path: Path) -> ModelInfo:
    """Make a model file known to this process until `refresh`, without installing it.

    Returns:
        The model; the one that is known with this digest, if there is one.

    Raises:
        BadModelFile: the file is unusable, or its name or the first four bytes of its digest are taken.
        WeightsMismatch: its tensors are not those of its digest.
    """
    model_file = read_model(path)
    installed, _ = _without_unusable_copy(model_file)
    if known := _with_digest(model_file.digest, installed):
        return known
    refuse_clash(model_file, installed)
    model_info = read_model_info(path)
    catalog().models[model_info.name] = model_info
    return model_info


def _with_digest(digest: str, installed: Catalog) -> ModelInfo | None:
    """Return the installed model of a digest, if there is one; raises ModelError if its file is damaged."""
    known = next((known for known in installed.models.values() if known.digest == digest), None)
    if known is not None and (problem := _problem_with(known.path)):
        own = known.path.parent == models_folder()
        advice = f"remove it with 'nncodec models remove {known.name}'" if own else "reinstall the package it came with"
        raise ModelError(detail=f"the model is installed as {known.name}, which cannot be used ({problem}); {advice}")
    return known


def _without_unusable_copy(wanted: ModelInfo) -> tuple[Catalog, list[Path]]:
    """Return the catalog without the user's model of this name if its file is damaged, and the paths of such."""
    installed = catalog()
    known = installed.models.get(wanted.name)
    if known is None or known.path.parent != models_folder() or not _problem_with(known.path):
        return installed, []
    models = {name: model_info for name, model_info in installed.models.items() if name != wanted.name}
    return replace(installed, models=models), [known.path]


def _problem_with(path: Path) -> str:
    """Return why a file in a folder of models is no whole model; empty if it is one, or nothing is there."""
    if not os.path.lexists(path):
        return ""
    if is_special(path):
        return "it is no file"
    try:
        read_model(path)
    except NncError as error:
        return str(error)
    return ""


def _stem_of(name: str) -> str:
    """Return how the user's file of a model is called. No name holds a plus, so no two share a file."""
    return name.replace("/", "+")


def remove_model(name: str) -> Path:
    """Delete one of the user's own models, also one that cannot be used, and return its former path.

    Raises:
        UnknownModel: no model has this name.
        ModelError: it ships with a plugin.
        OSError: its file cannot be deleted.
    """
    path = _own_file(name)
    if path is None:
        model_info = catalog().find(name)
        raise ModelError(detail=f"{model_info.name} ships with a plugin; uninstall that package instead")
    path.unlink()
    refresh()
    return path


def _own_file(name: str) -> Path | None:
    """Return the user's file of a model: the one in the catalog, or one of that name which is not fit for it."""
    folder, models = models_folder(), catalog().models
    if name in models and models[name].path.parent == folder:
        return models[name].path
    others = {model_info.path for model_info in models.values()}
    candidates = folder.glob("*.safetensors") if folder.is_dir() else ()
    return next((path for path in candidates if path.stem == _stem_of(name) and path not in others), None)
