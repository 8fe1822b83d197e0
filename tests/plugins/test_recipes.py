"""Recipes of bundled plugins: what they accept, sampling, and a dense model from training to file."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from trainings import (
    GREY,
    MIXED,
    exported,
    make_recipe,
    train_on,
)

import nncodec
from nncodec.nn.tensors import to_tensor
from nncodec.training.losses import mse
from nncodec.training.recipe import find_recipe
from nncodec.training.sampling import draw_pictures, padded_to_multiple
from nncodec.training.settings import settings_of
from nncodec.training.training_set import DataSummary


@pytest.mark.parametrize("architecture", ["dense", "conv-digits", "conv-stack", "conv-photo", "hyperprior", "lossless"])
def test_every_bundled_architecture_can_be_trained_and_explains_its_settings(architecture: str) -> None:
    settings = settings_of(find_recipe(architecture))
    assert all(setting.help for setting in settings.values())
    assert find_recipe(architecture).run.length in ("epochs", "minutes")


@pytest.mark.parametrize(
    ("architecture", "summary", "settings", "said"),
    [
        ("dense", DataSummary(9, None, None, grey=True), {}, "one size"),
        ("dense", DataSummary(9, 20, 12, grey=False), {}, "colour"),
        ("dense", DataSummary(9, 300, 12, grey=True), {}, "width is 300"),
        ("dense", GREY, {"latents": 0}, "latents is 0"),
        ("dense", GREY, {"loss": "lpips"}, "there is no loss 'lpips'"),
        ("dense", GREY, {"plain_share": 1.5}, "plain_share is 1.5"),
        ("conv-digits", GREY, {}, "28 x 28 pixels, these have 20 x 12"),
        ("conv-digits", DataSummary(9, 28, 28, grey=False), {}, "colour"),
        ("conv-digits", DataSummary(9, 28, 28, grey=True), {"levels": 1}, "levels is 1"),
        ("conv-stack", MIXED, {"layers": 4}, "layers is 4"),
        ("conv-stack", MIXED, {"loss": "0.5*ssim + 0.6*mse"}, "1.1, not 1"),
        ("conv-stack", MIXED, {"rate": -1.0}, "rate is -1.0"),
        ("conv-photo", MIXED, {"lambda_low": 0.5}, "0 < low < high"),
        ("conv-photo", MIXED, {"fine_blocks": 17}, "fine_blocks is 17"),
        ("hyperprior", MIXED, {"latent_channels": 12}, "multiple of 8"),
        ("hyperprior", MIXED, {"hidden": 5000}, "hidden is 5000"),
        ("hyperprior", MIXED, {"table_megapixels": 0.0}, "table_megapixels is 0.0"),
    ],
)
def test_what_does_not_suit_is_refused_in_one_line(
    architecture: str, summary: DataSummary, settings: dict[str, Any], said: str
) -> None:
    with pytest.raises(ValueError, match=re.escape(said)) as caught:
        make_recipe(architecture, summary, **settings)
    assert "\n" not in str(caught.value)


def test_a_sample_takes_windows_of_large_pictures_and_all_of_few() -> None:
    large = np.zeros((600, 700, 3), np.uint8)
    small = [np.full((10, 12, 1), value, np.uint8) for value in range(5)]
    taken = draw_pictures([large, *small], 10**9, edge=512)
    assert sorted(picture.shape for picture in taken) == sorted([(512, 512, 3), *[(10, 12, 3)] * 5])
    assert len(draw_pictures(small, 200)) == 2
    assert len(draw_pictures(small, 1)) == 1


def test_padding_repeats_the_lower_and_right_edges() -> None:
    picture = np.arange(6, dtype=np.uint8).reshape(2, 3, 1)
    assert padded_to_multiple(picture, 4)[:, :, 0].tolist() == [[0, 1, 2, 2], [3, 4, 5, 5], [3, 4, 5, 5], [3, 4, 5, 5]]
    assert padded_to_multiple(picture, 1).shape == picture.shape


def test_a_dense_model_is_trained_for_the_size_at_hand_and_gone_on_with(mine: Path) -> None:
    torch.manual_seed(0)
    rng = np.random.default_rng(0)
    pictures = np.repeat(np.repeat(rng.integers(0, 256, (64, 3, 5, 1), np.uint8), 4, axis=1), 4, axis=2)
    first = make_recipe("dense", GREY, latents=16, encoder_layers=1, decoder_layers=1)
    assert (first.size, first.mode) == ((20, 12), "L")
    task = first.task()
    losses = train_on(task, pictures, 300, 0.02)
    assert losses[-1] < losses[0] / 4
    model = exported(first, task, list(pictures), mine)
    data = nncodec.encode(Image.fromarray(pictures[0, :, :, 0]), "mine")
    error = np.square((np.asarray(nncodec.decode(data), float) - pictures[0, :, :, 0]) / 255).mean()
    shown = task.reconstruct(to_tensor(pictures[:1]))
    assert error == pytest.approx(mse(shown, to_tensor(pictures[:1])).item(), rel=0.1)
    second = make_recipe("dense", GREY, model, latents=32).task()  # the base fixes the latents
    assert second.loss(to_tensor(pictures), 0.0, torch.Generator())[0].item() < 1.1 * losses[-1]
    assert all(parameter.requires_grad for parameter in second.parameters())
    with pytest.raises(ValueError, match="takes pictures of 20 x 12 pixels, these have 12 x 20"):
        make_recipe("dense", DataSummary(9, 12, 20, grey=True), model)
