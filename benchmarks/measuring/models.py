"""Models from files, for this process and the processes it starts."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from nncodec.nn.autoencoder import Autoencoder
from nncodec.nn.tensors import weights_of
from nncodec.plugin import discovery, registry
from nncodec.plugin.model_file import write_model


def use_models(folder: Path) -> None:
    """Make the model files of a folder usable by name: it becomes the user's model folder."""
    os.environ[discovery.MODELS_VARIABLE] = str(folder)
    registry.refresh()


def install(folder: Path, architecture: str, config: Mapping[str, Any], name: str, network: Autoencoder) -> None:
    """Write a trained network as a model file in a folder and make it usable by name."""
    folder.mkdir(parents=True, exist_ok=True)
    card = {"summary": "trained by benchmarks/seeds"}
    path = folder / f"{name.replace('/', '_')}.safetensors"
    write_model(path, architecture=architecture, config=config, name=name, card=card, tensors=weights_of(network))
    use_models(folder)
