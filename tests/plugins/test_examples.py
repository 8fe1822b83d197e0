"""The codecs of docs/examples pass the contract that they show authors how to keep."""

from __future__ import annotations

import importlib
import importlib.metadata
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import skimage.data
import torch
import toys
from click.testing import CliRunner
from numpy.typing import NDArray
from PIL import Image

from nncodec.cli import main
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


def _codebook(size: int) -> NDArray[np.uint8]:
    """Return blocks of photographs, more of them for a higher rate."""
    photo = skimage.data.chelsea()[::2, ::2]
    blocks = photo[:148, :224].reshape(37, 4, 56, 4, 3).transpose(0, 2, 1, 3, 4).reshape(-1, _CHANNELS)
    return np.ascontiguousarray(blocks[:: len(blocks) // size][:size])


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
    if name == "rates":
        return {"rates": 3}, {f"codebook.{number}": _codebook(4 << 2 * number) for number in range(3)}
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


@pytest.mark.parametrize("example", ["rates"], indirect=True)
@pytest.mark.parametrize(
    "test",
    [
        "test_quality_means_what_the_traits_say",
        "test_synthesis_returns_pixels_for_any_latents_in_range",
        "test_every_quality_and_effort_makes_a_file",
        "test_a_model_file_that_lacks_a_tensor_is_refused",
        "test_a_hostile_config_opens_or_is_refused",
    ],
)
def test_codecs_of_one_rate_each_make_one_with_qualities(example: str, test: str) -> None:
    test_an_example_passes_the_contract(example, test)


@pytest.mark.parametrize("example", ["vq"], indirect=True)
def test_models_of_one_rate_each_are_compared_as_one_curve(
    example: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(discovery.MODELS_VARIABLE, str(tmp_path))
    sizes = {"low": 4, "mid": 16, "high": 64}
    for name, size in sizes.items():
        path = tmp_path / f"{name}.safetensors"
        write_model(
            path, architecture="vq", config={}, name=f"vq/{name}", card={}, tensors={"codebook": _codebook(size)}
        )
    registry.refresh()
    curve, other, photo = "vq/low+vq/mid+vq/high", "vq/low+vq/high", tmp_path / "photo.png"
    Image.fromarray(skimage.data.chelsea()[:96, :128]).save(photo)
    arguments = ["compare", str(photo), "--codecs", f"{curve},{other},vq/mid", "--json"]
    run = CliRunner().invoke(main, [*arguments, "--bd", curve, other, "--bd", "vq/mid", other], catch_exceptions=False)
    assert run.exit_code == 0
    joined, single = json.loads(run.stdout)["bd"]
    assert (joined["test"], joined["reason"], joined["overlap"]) == (curve, "", 1)
    assert joined["bd_psnr_db"] is not None
    assert "a curve needs 2 points with PSNR at least" in single["reason"]


def test_the_factorised_example_has_at_most_50_lines_of_code() -> None:
    lines = (EXAMPLES / "factorised_plugin.py").read_text(encoding="utf-8").splitlines()
    assert sum(bool(line.strip()) for line in lines) <= 50
