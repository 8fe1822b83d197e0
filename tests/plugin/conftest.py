"""Plugins and models for the tests of the catalog, of discovery and of the registry."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest
from fake_plugins import HOOKS, Plugin, install, model_file

from nncodec.plugin import discovery, registry
from nncodec.plugin.catalog import Catalog


@pytest.fixture
def plugin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Plugin:
    """Return a maker of entry points, each of a module of its own."""
    folder = tmp_path / "modules"
    folder.mkdir()
    monkeypatch.syspath_prepend(str(folder))

    def make(name: str, source: str = "", *, architectures: str = "[]", models: str = "[]") -> EntryPoint:
        module = f"fake_plugin_{tmp_path.name}_{name}"
        (folder / f"{module}.py").write_text(source or HOOKS.format(architectures=architectures, models=models))
        return EntryPoint(name, module, discovery.ENTRY_POINT_GROUP)

    return make


@pytest.fixture(autouse=True)
def user_models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An empty folder of the user's own models, not yet there."""
    folder = tmp_path / "user" / "models"
    monkeypatch.setenv(discovery.MODELS_VARIABLE, str(folder))
    monkeypatch.delenv(discovery.DISABLED_VARIABLE, raising=False)
    registry.refresh()
    yield folder
    registry.refresh()


@pytest.fixture
def good(plugin: Plugin, tmp_path: Path) -> EntryPoint:
    """A plugin with an architecture and a model with an alias."""
    path = model_file(tmp_path, "good/one")
    return plugin(
        "good",
        architectures="[ArchitectureSpec('grey', 'toys:BlockMeans')]",
        models=f"[ModelSpec('good/one', Path({str(path)!r}), aliases=('one',))]",
    )


@pytest.fixture
def installed(good: EntryPoint, monkeypatch: pytest.MonkeyPatch) -> Catalog:
    """The catalog of a process in which only the good plugin is installed."""
    return install(monkeypatch, good)


@pytest.fixture
def both(plugin: Plugin, good: EntryPoint, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Catalog:
    """The catalog of a process in which the good plugin and one with enhancers are installed."""
    paths = [
        model_file(tmp_path, f"same/{name}", seed=seed, architecture="same", **config)
        for seed, (name, config) in enumerate({"one": {}, "odd": {"odd": 1}}.items(), 5)
    ]
    one, odd = (f"Path({str(path)!r})" for path in paths)
    same = plugin(
        "same",
        architectures="[ArchitectureSpec('same', 'toys:Negative', kind='enhancer')]",
        models=f"[ModelSpec('same/one', {one}, ('x1',)), ModelSpec('same/odd', {odd})]",
    )
    return install(monkeypatch, good, same)
