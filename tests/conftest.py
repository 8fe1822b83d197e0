"""Setup and fixtures of all tests."""

from __future__ import annotations

import gc
import importlib.metadata
import logging
import os
import signal
import sys
from collections.abc import Callable, Generator, Iterator
from pathlib import Path

import chromium as browsers
import numpy as np
import pytest
import toys
from preloaded import LIGHT, Preloaded

from nncodec.plugin import discovery, registry
from nncodec.plugin.hooks import ModelSpec
from nncodec.plugin.model_file import write_model

# Images in tests are small: one thread is enough, and workers of pytest-xdist with several each would be slower.
# torch reads this when it is imported; processes that tests start inherit it.
os.environ.setdefault("OMP_NUM_THREADS", "1")
# Hundreds of processes import the same modules; each would compile torch again for seconds if none kept the result.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False
# A shell starts what runs in the background so that it ignores these, as nohup does; programs under test would too.
for _name in ("SIGINT", "SIGHUP", "SIGTERM"):
    if (_signal := getattr(signal, _name, None)) and signal.getsignal(_signal) is signal.SIG_IGN:
        signal.signal(_signal, signal.default_int_handler if _name == "SIGINT" else signal.SIG_DFL)
# What libraries log is not printed among what commands say.
logging.getLogger().addHandler(logging.NullHandler())


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Run files with slow tests first, so that no worker is left with one at the end."""
    slow = {item.path for item in items if item.get_closest_marker("slow")}
    items.sort(key=lambda item: (item.path not in slow, item.path))


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Keep torch and thousands of tests out of every search for garbage: those took a twentieth of the time."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.enable()
        gc.freeze()


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(
    collector: pytest.Collector,
) -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    """Import files from the last to the first in every second worker: what one compiles, the next one finds."""
    report = yield
    if isinstance(collector, pytest.Directory) and os.environ.get("PYTEST_XDIST_WORKER", "gw0")[-1] in "13":
        report.result.reverse()
    return report


@pytest.fixture(autouse=True)
def no_models_of_the_user(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """Hide the models that the user has installed, unless NNCODEC_MODELS is set."""
    if "NNCODEC_MODELS" not in os.environ:
        monkeypatch.setenv("NNCODEC_MODELS", str(tmp_path_factory.getbasetemp() / "no-models"))


@pytest.fixture(scope="session")
def preloaded() -> Iterator[Preloaded]:
    """Return what runs programs without importing torch for each."""
    with Preloaded() as programs:
        yield programs


@pytest.fixture(scope="session")
def light_programs() -> Iterator[Preloaded]:
    """Return what runs programs that have what nncodec loads without torch."""
    with Preloaded(LIGHT) as programs:
        yield programs


@pytest.fixture
def codecs_only(monkeypatch: pytest.MonkeyPatch) -> None:
    """Store no picture exactly unless it is asked for, as if no default lossless model were installed."""
    monkeypatch.setattr("nncodec.coding.choice.DEFAULT_LOSSLESS", "none-installed")


@pytest.fixture(scope="session")
def chromium(tmp_path_factory: pytest.TempPathFactory) -> Iterator[browsers.Chromium]:
    """Return a headless browser, or skip where there is none."""
    found = browsers.find()
    if found is None:
        pytest.skip("no chromium is installed (Debian: apt-get install chromium)")
    browser = browsers.Chromium(found, tmp_path_factory.mktemp("profile"))
    yield browser
    browser.close()


@pytest.fixture(scope="session")
def data_folder() -> Path:
    """Return the folder of data sets that NNCODEC_DATA names, or skip."""
    folder = os.environ.get("NNCODEC_DATA")
    if not folder:
        pytest.skip("NNCODEC_DATA is not set")
    return Path(folder)


_EXAMPLES = Path(__file__).parents[1] / "docs" / "examples"
_CODECS = ("conv", "dense", "hyperprior")
_SHARPENERS = {"sharp/keep": (1, "restore"), "sharp/double": (2, "x2"), "sharp/four": (4, "x4")}


def _write_sharpener(path: Path, name: str, factor: int, amounts: tuple[float, float] = (0.5, 4.0)) -> Path:
    tensors = {"amounts": np.array(amounts, np.float32)}
    write_model(path, architecture="sharpen", config={"factor": factor}, name=name, card={}, tensors=tensors)
    return path


@pytest.fixture
def write_sharpener(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Path]:
    """Return a writer of model files for the enhancer of `docs/examples`: (path, name, factor, amounts)."""
    monkeypatch.syspath_prepend(str(_EXAMPLES))
    return _write_sharpener


@pytest.fixture
def enhancers(
    tmp_path: Path, write_sharpener: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[[], None]]:
    """Install the enhancer of `docs/examples` beside the bundled codecs; return a function that removes it.

    Its models are sharp/keep (alias restore), sharp/double (x2) and sharp/four (x4).
    """
    folder = tmp_path / "sharp models"
    folder.mkdir()
    models = [
        ModelSpec(name, write_sharpener(folder / f"{factor}.safetensors", name, factor), (alias,))
        for name, (factor, alias) in _SHARPENERS.items()
    ]
    group = discovery.ENTRY_POINT_GROUP
    codecs = [plugin for plugin in importlib.metadata.entry_points(group=group) if plugin.name in _CODECS]
    example = importlib.metadata.EntryPoint("enhancer_plugin", "enhancer_plugin", group)
    toys.install(monkeypatch, *codecs, example, toys.plugin(monkeypatch, "sharp", models=models))
    yield lambda: toys.install(monkeypatch, *codecs)
    monkeypatch.undo()
    registry.refresh()
