"""The folder of a viewer: the page, its modules, and the models that ship, in a form for the browser."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from importlib import resources
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import save

from nncodec.errors import ModelError
from nncodec.plugin import registry
from nncodec.plugin.codec import AnySize, CodecTraits
from nncodec.plugin.hooks import LOSSLESS
from nncodec.plugin.lossless import LosslessModel
from nncodec.plugin.model_file import ModelFile, ModelInfo, read_model
from nncodec.web.viewer.networks import NetworkRecorder

MODELS = "models/index.json"
"""Name of the file that lists the models."""
_KEY = "nncodec.viewer"


@dataclass(frozen=True)
class ViewerModel:
    """A model in the form for the browser.

    Args:
        info: the model.
        kind: "codec" or "lossless".
        bundled: whether it ships with a plugin.
        traits: of the model, as JSON.
        modules: JavaScript modules of its architecture by their names; the first one opens the model.
        data: a safetensors file: the layers of its networks, its part's arrays as `part.NAME`, and all else as JSON
            under `nncodec.viewer` in the metadata.
    """

    info: ModelInfo
    kind: str
    bundled: bool
    traits: Mapping[str, Any]
    modules: Mapping[str, bytes]
    data: bytes

    @property
    def file_name(self) -> str:
        """Name of its file, unique among installed models."""
        return f"{self.info.digest[:16]}.safetensors"


def viewer_files(model_names: tuple[str, ...] = ()) -> dict[str, bytes]:
    """Return the files of a viewer by their paths, with slashes.

    Args:
        model_names: of the models to include; none for all that ship with plugins and can decode in a browser.

    Raises:
        ModelError: a model that is asked for cannot decode in a browser.
        UnknownModel, BadModelFile, WeightsMismatch, PluginError: see errors.py.
    """
    files = dict(_static_files())
    listed: list[dict[str, Any]] = []
    for model in _models(model_names):
        folder = f"models/{model.info.architecture}"
        files |= {f"{folder}/{name}": module for name, module in model.modules.items()}
        module = f"{folder}/{next(iter(model.modules))}"
        files[f"models/{model.file_name}"] = model.data
        facts = {"kind": model.kind, "bundled": model.bundled, "traits": model.traits}
        names = {"name": model.info.name, "digest": model.info.digest, "file": model.file_name, "module": module}
        listed.append(names | facts)
    files[MODELS] = (json.dumps(listed, indent=1) + "\n").encode()
    return files


def _static_files() -> Iterator[tuple[str, bytes]]:
    root = resources.files("nncodec.web.viewer") / "static"
    for entry in root.iterdir():
        if entry.is_file():
            yield entry.name, entry.read_bytes()
        else:
            yield from ((f"{entry.name}/{inner.name}", inner.read_bytes()) for inner in entry.iterdir())
    yield "icon.svg", (resources.files("nncodec.web") / "static" / "icon.svg").read_bytes()


def _models(names: tuple[str, ...]) -> Iterator[ViewerModel]:
    catalog = registry.catalog()
    if names:
        infos = [catalog.find(name) for name in names]
    else:
        infos = [info for info in catalog.models.values() if catalog.is_bundled(info)]
    for info in infos:
        model = _viewer_model(read_model(info.path), bundled=catalog.is_bundled(info))
        if model is not None:
            yield model
        elif names:
            raise ModelError(detail=f"{info.name} cannot decode in a browser")


def _viewer_model(model_file: ModelFile, *, bundled: bool) -> ViewerModel | None:
    """Return a model in the form for the browser, or None if it has no such form."""
    spec = registry.catalog().architectures[model_file.architecture]
    recorder = NetworkRecorder()
    traits: dict[str, Any]
    if spec.kind == LOSSLESS:
        model = registry.build_model(model_file)
        assert isinstance(model, LosslessModel)
        part, traits = model.browser_part(recorder), asdict(model.traits)
    elif spec.decoder:
        decoder = registry.build_decoder(model_file, recorder)
        part, traits = decoder.browser_part(), _codec_traits(decoder.traits)
    else:
        return None
    if part is None:
        return None
    facts = {"networks": recorder.networks, "layers": recorder.layers, "facts": part.facts}
    arrays: dict[str, NDArray[Any]] = {f"part.{name}": array for name, array in part.arrays.items()}
    tensors = {name: np.ascontiguousarray(array) for name, array in (recorder.tensors | arrays).items()}
    modules = {path.name: path.read_bytes() for path in part.modules}
    data = save(tensors, {_KEY: json.dumps(facts)})
    return ViewerModel(model_file, spec.kind, bundled, traits, modules, data)


def _codec_traits(traits: CodecTraits) -> dict[str, Any]:
    return {
        "modes": traits.modes,
        "size": asdict(traits.size) | {"fixed": not isinstance(traits.size, AnySize)},
        "latents": [asdict(spec) for spec in traits.latents],
        "qualities": traits.qualities,
        "divisible": traits.divisible,
    }
