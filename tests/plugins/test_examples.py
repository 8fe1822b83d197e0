"""The codecs of docs/examples pass the contract that they show authors how to keep."""

from __future__ import annotations

import importlib
import importlib.metadata
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import toys
from numpy.typing import NDArray

from nncodec.plugin import discovery, registry
from nncodec.plugin.model_file import Tensors, write_model
from nncodec.testing import CodecModelContract

EXAMPLES = Path(__file__).parents[2] / "docs" / "examples"
_TESTS = [name for name in dir(CodecModelContract) if name.startswith("test_")]
_BLOCK, _CHANNELS = 4, 48


def _basis() -> NDArray[np.float32]:
    """Return an orthonormal transform of 4 x 4 RGB pixels: a DCT along both axes and across colours."""
    four, three = (
        np.cos((2 * np.arange(n) + 1) * np.arange(n)[:, None] * np.pi / (2 * n)) * np.sqrt(2 / n) for n in (4, 3)
    )
    four[0] /= np.sqrt(2)
    three[0] /= np.sqrt(2)
    return np.kron(np.kron(four, four), three).astype(np.float32)


def _frequencies(scales: list[float]) -> NDArray[np.uint32]:
    """Return Laplace-like tables of -127..127 and an escape."""
    rows = []
    for scale in scales:
        weights = np.append(np.exp(-np.abs(np.arange(-127, 128)) / scale), 1e-3)
        row = np.floor(weights / weights.sum() * ((1 << 16) - 256)).astype(np.int64) + 1
        row[127] += (1 << 16) - row.sum()
        rows.append(row)
    return np.array(rows, np.uint32)


def _decoder_weights() -> Tensors:
    torch.manual_seed(0)
    decoder = importlib.import_module("mean_scale_plugin").hyper_decoder()
    with torch.no_grad():  # scales rise with the hyper-latents, as training would have it
        for parameter in decoder.parameters():
            parameter.mul_(0.01)
        decoder[0].weight[0, 0] = 1
        decoder[2].weight[_CHANNELS::3, 0] = 0.4
        decoder[2].bias[_CHANNELS::3] = 2
        decoder[2].bias[_CHANNELS] = 12  # the mean of all pixels
    return {name: value.detach().numpy() for name, value in decoder.state_dict().items()}


def _model(name: str) -> tuple[dict[str, Any], Tensors]:
    if name == "dct":
        return {"coarsest": 40}, {}
    if name == "vq":
        return {}, {"codebook": np.random.default_rng(1).integers(0, 256, (64, _CHANNELS), np.uint8)}
    if name == "factorised":
        return {}, {"basis": _basis(), "frequencies": _frequencies([30.0] + [3.0] * (_CHANNELS - 1))}
    return {}, {"basis": _basis(), "frequencies": _frequencies([0.3 * 1.5**n for n in range(16)]), **_decoder_weights()}


class Contract(CodecModelContract):
    example = ""

    @classmethod
    def write_model(cls, folder: Path) -> None:
        config, tensors = _model(cls.example)
        path = folder / "example.safetensors"
        write_model(path, architecture=cls.example, config=config, name=f"{cls.example}/one", card={}, tensors=tensors)


@pytest.fixture
def example(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Install an example as the only plugin."""
    name = str(request.param)
    module = f"{name.replace('-', '_')}_plugin"
    monkeypatch.syspath_prepend(str(EXAMPLES))
    toys.install(monkeypatch, importlib.metadata.EntryPoint(module, module, discovery.ENTRY_POINT_GROUP))
    yield name
    monkeypatch.undo()
    registry.refresh()


@pytest.mark.parametrize("example", ["dct", "factorised", "mean-scale", "vq"], indirect=True)
@pytest.mark.parametrize("test", _TESTS)
def test_an_example_passes_the_contract(example: str, test: str) -> None:
    Contract.example = example
    Contract.setup_class()
    try:
        getattr(Contract(), test)()
    finally:
        Contract.teardown_class()


def test_the_factorised_example_has_at_most_50_lines_of_code() -> None:
    lines = (EXAMPLES / "factorised_plugin.py").read_text(encoding="utf-8").splitlines()
    assert sum(bool(line.strip()) for line in lines) <= 50
