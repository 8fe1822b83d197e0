"""The installed models of this process: looked up in a catalog that is built once, opened, installed and removed."""

from __future__ import annotations

import functools
import importlib
import importlib.metadata
import os
import shutil
import tempfile
from pathlib import Path
from typing import TypeVar

from nncodec.errors import BadModelFile, ModelError, NncError, PluginError, WeightsMismatch, first_line
from nncodec.plugin.catalog import Catalog, refuse_clash
from nncodec.plugin.codec import CodecModel
from nncodec.plugin.discovery import ENTRY_POINT_GROUP, build_catalog, models_folder
from nncodec.plugin.enhancer import EnhancerModel
from nncodec.plugin.hooks import CODEC, ENHANCER, ArchitectureSpec
from nncodec.plugin.model_file import ModelFile, ModelHead, read_head, read_model

_OPEN_MODELS = 4
_T = TypeVar("_T")


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
    architecture = resolve(spec, spec.reference, base)
    try:
        return architecture.from_file(model_file)
    except NncError:
        raise
    except Exception as error:  # a third party's code on an untrusted file: anything can happen
        raise BadModelFile(path=model_file.path, reason=f"{type(error).__name__}: {first_line(error)}") from error


def resolve(spec: ArchitectureSpec, reference: str, base: type[_T]) -> type[_T]:
    module, _, attribute = reference.partition(":")
    try:
        found = getattr(importlib.import_module(module), attribute)
    except (Exception, SystemExit) as error:  # a third party's code: anything can happen
        raise PluginError(plugin=spec.name, reason=f"{type(error).__name__}: {first_line(error)}") from error
    if not (isinstance(found, type) and issubclass(found, base)):
        raise PluginError(plugin=spec.name, reason=f"{reference} is not a {base.__name__} subclass")
    return found


def install_model(path: Path) -> ModelHead:
    """Copy a model file into the user's model folder, so that its name and its files resolve.

    Raises:
        BadModelFile: the file is unusable, or its name or the first four bytes of its digest are taken.
        WeightsMismatch: its tensors are not those of its digest.
    """
    head: ModelHead = read_model(path)
    installed = catalog()
    refuse_clash(head, installed)
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
