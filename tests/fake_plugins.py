"""Plugins that tests write as modules of their own, and model files for them."""

from __future__ import annotations

from collections.abc import Callable
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest
from toys import write_toy

from nncodec.plugin import registry
from nncodec.plugin.catalog import Catalog
from nncodec.plugin.model_file import read_model

Plugin = Callable[..., EntryPoint]

HOOKS = """
from pathlib import Path
from nncodec.plugin import ArchitectureSpec, ModelSpec, hookimpl

@hookimpl
def nncodec_architectures():
    return {architectures}

@hookimpl
def nncodec_models():
    return {models}
"""


def model_file(folder: Path, name: str, *, seed: int = 0, architecture: str = "grey", **config: object) -> Path:
    path = folder / f"{name.replace('/', '_')}{seed}.safetensors"
    return write_toy(path, name, architecture, config, fill=seed)


def forge_digest(path: Path, digest: str) -> None:
    """Make a model file claim another digest."""
    data = path.read_bytes()
    path.write_bytes(data.replace(read_model(path).digest.encode(), digest.encode()))


def install(monkeypatch: pytest.MonkeyPatch, *entry_points: EntryPoint) -> Catalog:
    """Make these the installed plugins."""
    monkeypatch.setattr("nncodec.plugin.registry.importlib.metadata.entry_points", lambda group: entry_points)
    registry.refresh()
    return registry.catalog()
