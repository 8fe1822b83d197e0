"""The bundled photo model: any picture, every quality, and golden files by an independent decoder."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pytest
import skimage.data
import torch
from hyperprior_reference import ReferenceEntropy
from PIL import Image, ImageDraw
from rans_reference import PageDecoder

import nncodec
from nncodec import metrics
from nncodec.coding.decoder import block_latents, open_file_model
from nncodec.format.container import Container
from nncodec.format.header import CoderId
from nncodec.nn.tensors import to_tensor
from nncodec.plugin import registry
from nncodec.plugin.model_file import read_model
from nncodec_hyperprior.objective import LOOKS, Distortion

MODEL = "hyperprior/photo"
GOLDEN = sorted((Path(__file__).parents[1] / "golden" / "v1").glob("hyper-*.nnc"))


# At quality 100. A model of photographs can keep little of white noise.
_LEAST_DB = {
    "flat": 40,
    "black": 45,
    "noise": 10,
    "black and white noise": 6,
    "text": 38,
    "lines": 20,
    "1 x 1": 20,
    "17 x 3": 12,
    "1100 x 16": 30,
    "16 x 1100": 40,
}


def _odd_pictures() -> dict[str, Image.Image]:
    noise = np.random.default_rng(0).integers(0, 256, (70, 90, 3), np.uint8)
    lines = Image.new("RGB", (130, 80), "white")
    draw = ImageDraw.Draw(lines)
    for step in range(0, 130, 9):
        draw.line((step, 0, 129 - step, 79), "black")
    return {
        "flat": Image.new("RGB", (100, 60), (13, 200, 77)),
        "black": Image.new("RGB", (64, 64)),
        "noise": Image.fromarray(noise),
        "black and white noise": Image.fromarray((noise > 127).astype(np.uint8) * 255),
        "text": Image.fromarray(skimage.data.page()).crop((0, 0, 190, 100)),
        "lines": lines,
        "1 x 1": Image.new("RGB", (1, 1), (255, 0, 255)),
        "17 x 3": Image.fromarray(noise[:3, :17]),
        "1100 x 16": Image.fromarray(skimage.data.coffee()).resize((1100, 16)),
        "16 x 1100": Image.fromarray(skimage.data.camera()).resize((16, 1100)),
    }


@pytest.mark.parametrize("name", _odd_pictures())
def test_odd_pictures_come_back_and_never_grow(name: str) -> None:
    picture = _odd_pictures()[name]
    raw_bytes = picture.width * picture.height * len(picture.getbands())
    for quality in (0, 50, 100):
        data = nncodec.encode(picture, MODEL, quality)
        assert len(data) <= raw_bytes + 64
        decoded = nncodec.decode(data)
        assert (decoded.mode, decoded.size) == (picture.mode, picture.size)
    assert metrics.psnr(picture, decoded) > _LEAST_DB[name]


def test_size_and_fidelity_rise_with_quality() -> None:
    picture = Image.fromarray(skimage.data.astronaut()).crop((160, 40, 288, 168))
    files = [nncodec.encode(picture, MODEL, quality) for quality in range(0, 101, 5)]
    fidelity = [metrics.psnr(picture, nncodec.decode(data)) for data in files]
    assert all(len(lower) < len(higher) for lower, higher in itertools.pairwise(files))
    assert all(lower < higher for lower, higher in itertools.pairwise(fidelity))
    assert len(files[0]) * 12 < len(files[-1])


def test_effort_makes_smaller_or_better_files_of_the_same_format() -> None:
    picture = Image.fromarray(skimage.data.astronaut()).crop((160, 40, 224, 104))
    distortion, weight = Distortion(LOOKS), torch.tensor([0.0005 * (0.8 / 0.0005) ** 0.5])
    original = to_tensor(np.asarray(picture)[None].copy())
    costs = []
    for effort in (0, 3, 7):
        data = nncodec.encode(picture, MODEL, 50, effort=effort)
        decoded = to_tensor(np.asarray(nncodec.decode(data))[None].copy())
        error = distortion(decoded, original, weight).item()
        costs.append(8 * len(data) / (picture.width * picture.height) + error)
    assert costs[2] < costs[1] < costs[0]


def test_half_precision_changes_pixels_a_little_and_latents_not_at_all() -> None:
    picture = Image.fromarray(skimage.data.astronaut()).crop((96, 0, 352, 256))
    for quality in (30, 80):
        data = nncodec.encode(picture, MODEL, quality)
        container = Container(data)
        latents = block_latents(container, open_file_model(container), 0)
        plain, reduced = nncodec.decode(data, precision="float32"), nncodec.decode(data)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            again = block_latents(container, open_file_model(container), 0)
            assert nncodec.decode(data, precision="float32") == plain  # a caller's autocast does not reach transforms
        assert all(np.array_equal(latents[name], again[name]) for name in latents)
        assert np.abs(np.asarray(plain, int) - np.asarray(reduced)).max() <= 2
        assert metrics.psnr(picture, plain) - metrics.psnr(picture, reduced) < 0.02


def test_range_coding_beats_zstandard() -> None:
    picture = Image.fromarray(skimage.data.coffee()).crop((100, 100, 356, 356))
    by_coder = {coder: len(nncodec.encode(picture, MODEL, 50, coder=coder)) for coder in ("rans", "zstd")}
    assert by_coder["rans"] < 0.9 * by_coder["zstd"]
    assert nncodec.encode(picture, MODEL, 50) == nncodec.encode(picture, MODEL, 50, coder="rans")


@pytest.mark.parametrize("path", GOLDEN, ids=lambda path: path.stem)
def test_golden_files_decode_to_the_same_latents_by_integers_alone(path: Path) -> None:
    """Decode without torch, constriction and the plugin: with NumPy contexts and the decoder of docs/format.md."""
    container = Container(path.read_bytes())
    assert container.header.coder is CoderId.RANS
    model_info = registry.catalog().find_by_id(container.header.model_id)
    model_file = read_model(model_info.path)
    model = registry.open_model(model_info)
    tables = model.entropy(container.header.quality or 0).tables
    assert tables is not None
    for index in range(container.block_count):
        expected = block_latents(container, model, index)
        reference = ReferenceEntropy(model_file.tensors, model_file.config, container.header.quality or 0)
        reader = PageDecoder(container.block(index), tables)
        z = np.zeros(expected["z"].shape[1:], np.int64)
        y = np.zeros(expected["y"].shape[1:], np.int64)
        for number, (chosen, offsets) in enumerate(reference.contexts(z, y)):
            symbols = np.zeros(chosen.shape, np.int64)
            symbols[chosen >= 0] = reader.stage(chosen[chosen >= 0].tolist())
            if number == 0:
                z[...] = symbols + offsets
            else:
                target = y[model.entropy(0).stages({})[number].where[1:]]
                target[...] = 16 * symbols + offsets
        assert reader.at_end
        np.testing.assert_array_equal(z, expected["z"][0])
        np.testing.assert_array_equal(y, expected["y"][0])


def test_there_are_golden_files() -> None:
    assert len(GOLDEN) >= 5
