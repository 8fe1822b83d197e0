"""The dense family."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import nncodec
from nncodec.plugin.model_file import write_model
from nncodec.testing.support import models_folder
from nncodec.training.loop import fit
from nncodec.training.losses import loss_by_name
from nncodec.training.options import LoopOptions, Schedule
from nncodec.training.sampling import ArraySampler
from nncodec.training.tasks import AutoencoderTask
from nncodec_dense.config import DenseConfig
from nncodec_dense.network import build


@pytest.mark.parametrize(
    ("name", "encoder", "decoder"),
    [
        ("LD16E1D1", [784, 16], [16, 784]),
        ("LD32E3D3", [784, 128, 64, 32], [32, 196, 392, 784]),
        ("LD64E4D4", [784, 512, 256, 128, 64], [64, 98, 196, 392, 784]),
    ],
)
def test_a_name_gives_the_layers_of_the_family(name: str, encoder: list[int], decoder: list[int]) -> None:
    config = DenseConfig.named(name)
    assert (config.encoder_widths, config.decoder_widths) == (encoder, decoder)
    linear = [layer for layer in build(config).modules() if isinstance(layer, torch.nn.Linear)]
    assert [layer.in_features for layer in linear] == encoder[:-1] + decoder[:-1]


@pytest.mark.parametrize("name", ["LD32", "LD0E1D1", "LD16E9D1", "ld16e1d1", "LD16E1D1x"])
def test_a_name_outside_the_family_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match=r"not of the form|not a whole number"):
        DenseConfig.named(name)


@pytest.mark.parametrize("setting", [{"width": 0}, {"levels": 1}, {"levels": "64"}, {"latents": 1e9}])
def test_a_hostile_config_is_refused_before_anything_is_built(setting: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="not a whole number"):
        DenseConfig(**setting)  # type: ignore[arg-type]


def test_a_config_without_its_weights_costs_no_memory(tmp_path: Path) -> None:
    """Its tensors would take 137 GB."""
    config = DenseConfig(width=256, height=256, latents=4096, encoder_layers=8, decoder_layers=8)
    path = tmp_path / "vast.safetensors"
    tensors = {"encoder.1.weight": np.zeros(1, np.float16)}
    write_model(path, architecture="dense", config=config.as_dict(), name="vast", card={}, tensors=tensors)
    with models_folder(tmp_path), pytest.raises(nncodec.BadModelFile, match="tensor"):
        nncodec.encode(Image.new("L", (256, 256)), "vast")


def test_a_small_member_learns_pictures_of_another_size() -> None:
    torch.manual_seed(0)
    rng = np.random.default_rng(0)
    ramps = (np.linspace(0, 255, 12)[None, None, :] * rng.random((64, 1, 1))).astype(np.uint8)
    pictures = np.repeat(ramps, 8, axis=1)[..., None]  # (64, 8, 12, 1)
    network = build(DenseConfig.named("LD4E1D1", width=12, height=8, levels=32))
    task = AutoencoderTask(network, loss_by_name("mse"))
    sampler = ArraySampler(pictures, 16, seed=0)
    before = task.loss(torch.from_numpy(pictures).permute(0, 3, 1, 2) / 255, 0, torch.Generator())[0].item()
    report = fit(task, sampler, Schedule(0.02, steps=300, warmup_steps=10), LoopOptions(log_steps=100))
    assert report.figures["distortion"] < before / 20


@pytest.mark.usefixtures("codecs_only")
def test_clothing_like_pictures_fit_in_less_than_their_latents_and_24_bytes() -> None:
    image = Image.new("L", (28, 28))
    image.paste(180, (8, 6, 20, 24))
    data = nncodec.encode(image, "dense/fashion")
    info = nncodec.inspect(data)
    assert len(data) <= info.payload_bytes + 24
    assert len(data) <= 56
    error = np.asarray(nncodec.decode(data), float) - np.asarray(image, float)
    assert np.sqrt(np.square(error).mean()) < 40


def test_a_stack_is_smaller_than_its_pictures_alone_and_decodes_the_same() -> None:
    rng = np.random.default_rng(1)
    images = []
    for _ in range(64):
        image = Image.new("L", (28, 28))
        left, top = rng.integers(2, 10, 2)
        image.paste(int(rng.integers(90, 250)), (int(left), int(top), 22, 26))
        images.append(image)
    alone = nncodec.encode_batch(images, "dense/fashion")
    stack = nncodec.encode(images, "dense/fashion")
    assert len(stack) < 0.6 * sum(map(len, alone))
    for single, framed in zip(nncodec.decode_batch(alone), nncodec.decode_frames(stack), strict=True):
        assert np.array_equal(single, framed)
