"""The networks that decode, as files for other runtimes."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from nncodec.engine.graph import onnx_model
from nncodec.plugin import registry
from nncodec.plugin.engine import Network, Run
from nncodec.plugin.model_file import ModelFile

INDEX = "model.json"
"""Name of the file that describes the others."""


class _Collector:
    """Collects the networks of a model as ONNX models instead of making them ready."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        self.networks: dict[str, dict[str, Any]] = {}

    def load(self, name: str, network: Network, inputs: Mapping[str, int], outputs: tuple[str, ...]) -> Run:
        """See `Loader.load`; the result cannot be called."""
        file = f"{name}.onnx"
        self.files[file] = onnx_model(name, network, inputs, outputs)
        self.networks[name] = {"file": file, "inputs": dict(inputs), "outputs": list(outputs)}
        return _refuse


def _refuse(*_: object) -> Any:
    raise TypeError("this network was exported, not made ready to run")


def exported_files(model_file: ModelFile) -> dict[str, bytes]:
    """Return the files of a model for other runtimes, by name; the last one describes the others.

    Each network is an ONNX model that takes and gives float32 (N, C, H, W). `model.json` holds what the model file says
    about itself (name, architecture, config, digest) and under "networks" the file, the inputs with their channels and
    the outputs of each network.

    Raises:
        ModelError: models of this architecture decode in torch only.
        NncError: onnx is not installed.
        BadModelFile, PluginError: see errors.py.
    """
    collector = _Collector()
    registry.build_decoder(model_file, collector)
    facts = {name: getattr(model_file, name) for name in ("name", "architecture", "config", "digest")}
    index = json.dumps({**facts, "networks": collector.networks}, indent=1) + "\n"
    return {**collector.files, INDEX: index.encode()}
