"""Training with the hyperprior plugin: padding, fitted tables, and model files equal to the trained network."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from trainings import (
    MIXED,
    exported,
    make_recipe,
    photograph,
    train_on,
)

import nncodec
from nncodec.format.entropy import ideal_bits
from nncodec.nn.tensors import to_tensor
from nncodec.plugin import registry
from nncodec.plugin.model_file import ModelFile, read_model
from nncodec.training.training_set import DataSummary
from nncodec_hyperprior.codec import HyperpriorCodec, model_tensors
from nncodec_hyperprior.fitting import normal_tables
from nncodec_hyperprior.packing import packed_tensors
from nncodec_hyperprior.starting import network_from
from nncodec_hyperprior.training import HyperpriorTask

SMALL_HYPERPRIOR = {"latent_channels": 16, "fine_blocks": 1, "coarse_blocks": 0, "hyper_channels": 4, "width": 8}
SMALL_HYPERPRIOR |= {"hidden": 8, "table_megapixels": 0.01}


def test_a_hyperprior_model_is_trained_from_nothing_and_its_file_decodes(mine: Path) -> None:
    torch.manual_seed(0)
    kind = make_recipe("hyperprior", MIXED, **SMALL_HYPERPRIOR)
    assert (kind.size, kind.mode) == (32, "RGB")
    pictures = np.stack([photograph(128)[top : top + 64, :64] for top in range(0, 64, 8)])
    task = kind.task()
    losses = train_on(task, pictures, 30, 3e-3)
    assert losses[-1] < 0.9 * losses[0]
    model = exported(kind, task, [*pictures, photograph(50)], mine)
    image = Image.fromarray(photograph(75))
    sizes = [len(nncodec.encode(image, "mine", quality)) for quality in (10, 50, 90)]
    assert sizes == sorted(sizes)
    assert nncodec.decode(nncodec.encode(image, "mine")).size == image.size
    # The file continues the network, except for the rounding of its weights.
    again = make_recipe("hyperprior", MIXED, model).task()
    figures = [trained.loss(to_tensor(pictures), 1.0, torch.Generator().manual_seed(0))[1] for trained in (task, again)]
    assert figures[1]["rate_bpp"] == pytest.approx(figures[0]["rate_bpp"], rel=0.01)
    assert figures[1]["psnr_db"] == pytest.approx(figures[0]["psnr_db"], abs=0.05)


def test_fitted_tables_suit_the_pictures_better_than_normal_densities() -> None:
    base = read_model(registry.catalog().find("photo").path)
    network = network_from(base)
    picture = photograph(96)
    fitted = packed_tensors(network, [picture], lambda line: None, qualities=(20, 60))
    normal = model_tensors(network, normal_tables(network.config.prior.hyper_channels))
    bits = []
    for tensors in (fitted, normal):
        codec = HyperpriorCodec.from_file(ModelFile("hyperprior", base.config, "x", {}, "", tensors=tensors))
        latents = codec.quantize(codec.analysis(picture[None], 60, 0), picture[None], 60, 0)
        bits.append(ideal_bits(latents, codec.entropy(60), codec.traits.latents))
    assert bits[0] < 0.9 * bits[1]


def test_small_grey_pictures_are_trained_on_as_their_files_hold_them() -> None:
    """The task replicates and pads a picture of 28 x 28 like the encoder."""
    base = read_model(registry.catalog().find("photo").path)
    kind = make_recipe("hyperprior", DataSummary(9, 28, 28, grey=True), base)
    assert (kind.size, kind.mode) == ((28, 28), "L")
    grey = Image.fromarray(photograph(28)).convert("L")
    task = kind.task()
    pixels = to_tensor(np.asarray(grey)[None, :, :, None])
    shown = task.reconstruct(pixels)
    assert shown.shape == (1, 1, 28, 28)
    decoded = np.asarray(nncodec.decode(nncodec.encode(grey, "photo", 50)), float)
    # The encoder also weighs bits against error where it rounds: pictures differ a little, never by an edge's worth.
    assert np.abs(decoded - shown[0, 0].numpy() * 255).mean() < 2.0
    colour = pixels.expand(-1, 3, -1, -1)
    figures = [task.loss(batch, 1.0, torch.Generator().manual_seed(0))[1] for batch in (pixels, colour)]
    assert figures[0] == pytest.approx(figures[1])


def test_padding_counts_as_rate_but_not_as_distortion() -> None:
    base = read_model(registry.catalog().find("photo").path)
    task = HyperpriorTask(network_from(base))
    pixels = to_tensor(photograph(48)[None])
    whole = torch.nn.functional.pad(pixels, (0, 16, 0, 16), mode="replicate")
    cut, full = (task.loss(batch, 1.0, torch.Generator().manual_seed(0))[1] for batch in (pixels, whole))
    assert cut["rate_bpp"] * 48**2 == pytest.approx(full["rate_bpp"] * 64**2, rel=1e-4)
    assert cut["psnr_db"] < full["psnr_db"]  # the padding is easy, and would raise the mean


def test_a_base_that_is_not_one_is_refused_in_one_line() -> None:
    base = read_model(registry.catalog().find("photo").path)
    lacking = ModelFile("hyperprior", base.config, "x", {}, "", tensors={})
    with pytest.raises(ValueError, match="lacks the tensor"):
        network_from(lacking)
    with pytest.raises(ValueError, match="another config"):
        network_from(ModelFile("hyperprior", {}, "x", {}, "", tensors=base.tensors))
