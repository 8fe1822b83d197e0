"""Training a lossless model: it continues from a model without loss, and fits the pictures of a folder."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from nncodec.nn.tensors import to_tensor
from nncodec.plugin.model_file import ModelFile, read_model
from nncodec.training.engine import Run, train
from nncodec.training.events import Event, Note
from nncodec.training.training_set import DataSummary
from nncodec_lossless import plugin
from nncodec_lossless.natural.network import model_tensors
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


def test_deep_samples_reach_the_loss_unchanged() -> None:
    task = recipe(summary=DataSummary(1, None, None, grey=False, top=65535)).task()
    planes = np.random.default_rng(0).integers(0, 65536, (1, 16, 16, 5)).astype(np.uint16)
    restored = (to_tensor(planes) * task.top).round()
    assert np.array_equal(restored.permute(0, 2, 3, 1).numpy(), planes)
    loss, _ = task.loss(to_tensor(planes), 0.0, torch.Generator())
    assert 10 < loss.item() < 24  # noise of 16 bits, less the coarsest grid
    assert task.sample_rows(to_tensor(planes))[0].shape == (1, 3, 16, 16)


def test_a_folder_of_arrays_trains_a_model(tmp_path: Path, base: ModelFile) -> None:
    np.save(tmp_path / "stack.npy", np.arange(4 * 16 * 16 * 2, dtype=np.uint16).reshape(4, 16, 16, 2))
    events: list[Event] = []
    settings = {"steps": 1, "batch_size": 1, "crop": 16}
    run = Run("lossless", tmp_path, tmp_path / "mine.safetensors", "mine", tmp_path / "run", [settings], base)
    result = train(run, events.append)
    assert result.figures["bits_per_sample"] > 0
    notes = [event.text for event in events if isinstance(event, Note)]
    assert any("4 pictures with 2 planes of 11 bits" in note for note in notes)


def test_what_does_not_suit_is_refused_in_a_line(base) -> None:
    with pytest.raises(ValueError, match="plain_share is 2"):
        LosslessSettings(plain_share=2)
    with pytest.raises(ValueError, match="crops of 8 x 20 pixels are too small; at least 16 x 16 are needed"):
        recipe().task().require_size(20, 8)
    broken = ModelFile("lossless", {}, "model", {}, "", tensors={})
    with pytest.raises(ValueError, match="lacks the tensor"):
        recipe(broken).task()
    assert model_tensors(recipe(base).task().networks).keys() == base.tensors.keys()
