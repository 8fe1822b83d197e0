"""Training a lossless model: it continues from a model without loss, and fits the pictures of a folder."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from nncodec.plugin.model_file import ModelFile, read_model
from nncodec.training.training_set import DataSummary
from nncodec_lossless import plugin
from nncodec_lossless.codec import model_tensors
from nncodec_lossless.recipe import LosslessRecipe, LosslessSettings

SUMMARY = DataSummary(9, None, None, grey=False)


@pytest.fixture(scope="module")
def base() -> ModelFile:
    return read_model(plugin.nncodec_models()[0].path)


def recipe(base: ModelFile | None = None, summary: DataSummary = SUMMARY) -> LosslessRecipe:
    return LosslessRecipe(LosslessSettings(), summary, base)


def test_a_base_comes_back_unchanged(base) -> None:
    made = recipe(base)
    exported = made.export(made.task(), [], print)
    assert exported.architecture == "lossless"
    assert exported.tensors.keys() == base.tensors.keys()
    for name, tensor in exported.tensors.items():
        np.testing.assert_array_equal(tensor, base.tensors[name])


@pytest.mark.parametrize("grey", [False, True])
def test_steps_lower_the_bits_of_pictures_of_one_kind(grey) -> None:
    torch.manual_seed(0)
    task = recipe(summary=DataSummary(9, None, None, grey=grey)).task()
    y, x = torch.meshgrid(torch.arange(32.0), torch.arange(32.0), indexing="ij")
    pixels = ((torch.sin(y / 3) + torch.cos(x / 4) + 2) * 60).round() / 255
    pixels = pixels.expand(1, 1 if grey else 3, 32, 32)
    optimizer = torch.optim.Adam(task.parameters(), 3e-3)
    generator = torch.Generator()
    losses = []
    for _ in range(8):
        loss, figures = task.loss(pixels, 0.0, generator)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(figures["bits_per_sample"])
    assert min(losses[-2:]) < 0.95 * losses[0]


def test_what_does_not_suit_is_refused_in_a_line(base) -> None:
    with pytest.raises(ValueError, match="plain_share is 2"):
        LosslessSettings(plain_share=2)
    with pytest.raises(ValueError, match="crops of 8 x 20 pixels"):
        recipe().task().require_size(20, 8)
    broken = ModelFile("lossless", {}, "model", {}, "", tensors={})
    with pytest.raises(ValueError, match="lacks the tensor"):
        recipe(broken).task()
    assert model_tensors(recipe(base).task().networks).keys() == base.tensors.keys()
