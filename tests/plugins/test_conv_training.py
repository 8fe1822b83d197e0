"""Training with the conv plugin: initialization, rate, and model files equal to the trained network."""

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
from nncodec.nn.autoencoder import Autoencoder
from nncodec.nn.quantize import BoundedQuantizer
from nncodec.nn.tensors import to_tensor
from nncodec.plugin import registry
from nncodec.plugin.model_file import read_model
from nncodec.training.losses import mse
from nncodec.training.tasks import AutoencoderTask
from nncodec.training.training_set import DataSummary
from nncodec_conv.networks import StackConfig, build_stack
from nncodec_conv.starting import start_stack


def test_the_digit_model_goes_on_from_the_bundled_one() -> None:
    summary = DataSummary(8, 28, 28, grey=True)
    base = read_model(registry.catalog().find("conv/digits").path)
    fresh, tuned = (make_recipe("conv-digits", summary, start).task() for start in (None, base))
    picture = np.zeros((1, 28, 28, 1), np.uint8)
    picture[:, 4:24, 12:16] = 255
    before, after = (task.loss(to_tensor(picture), 0.0, torch.Generator())[0].item() for task in (fresh, tuned))
    assert after < before / 3


def test_the_weight_of_the_rate_leads_to_codes_that_few_bits_tell() -> None:
    pixels = to_tensor(photograph(48)[None])
    rates = []
    for weight in (1e-6, 0.3):
        torch.manual_seed(0)
        config = StackConfig(3, 24, 12, 64)
        network = build_stack(config)
        start_stack(network, config)
        task = AutoencoderTask(network, mse, rate=weight)
        optimizer = torch.optim.Adam(task.parameter_groups(2e-3))
        for step in range(40):
            loss, figures = task.loss(pixels, 0.0, torch.Generator().manual_seed(step))
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        rates.append(figures["rate_bpp"])
    assert rates[1] < 0.8 * rates[0]


def test_the_rate_is_that_of_the_codes_under_their_densities() -> None:
    network = Autoencoder(torch.nn.Identity(), BoundedQuantizer(1, 4), torch.nn.Identity())
    task = AutoencoderTask(network, mse, rate=1.0)
    assert task.prior is not None
    with torch.no_grad():
        task.prior.log_scale.fill_(10.0)  # far wider than the codes: every symbol costs the same
    pixels = torch.rand(2, 1, 4, 4)
    noisy = task.loss(pixels, 0.0, torch.Generator().manual_seed(0))[1]["rate_bpp"]
    step = 16 / 4
    assert noisy == pytest.approx(-np.log2(step * np.exp(-10.0) / 4), abs=0.01)  # the density at its middle is 1/(4 s)


@pytest.mark.parametrize(
    ("layers", "width", "codes", "least_db"), [(3, 192, 48, 45.0), (3, 96, 48, 36.0), (10, 64, 32, 20.0)]
)
def test_a_stack_starts_as_a_transform_and_its_inverse(layers: int, width: int, codes: int, least_db: float) -> None:
    """3 layers keep all 48 values of 4 x 4 pixels; pieces of the last hidden layer approximate the inverse sigmoid."""
    torch.manual_seed(0)
    config = StackConfig(layers, width, codes, 256)
    network = build_stack(config)
    with torch.no_grad():
        for layer in (*network.encoder.modules(), *network.decoder.modules()):
            if isinstance(layer, torch.nn.Conv2d | torch.nn.ConvTranspose2d):
                layer.weight.zero_()  # what is random would hide whether the rest is right
    start_stack(network, config)
    pixels = to_tensor(photograph(64)[None])
    with torch.inference_mode():
        restored = network(pixels, quantized=False)
    assert -10 * torch.log10(mse(restored, pixels)).item() > least_db


def test_a_stack_without_room_for_a_transform_stays_as_it_is() -> None:
    config = StackConfig(3, 23, 8, 64)
    network = build_stack(config)
    before = {name: value.clone() for name, value in network.state_dict().items()}
    start_stack(network, config)
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())


def test_a_stack_is_trained_by_parts_of_a_loss_and_its_file_holds_it(mine: Path) -> None:
    torch.manual_seed(0)
    kind = make_recipe("conv-stack", MIXED, layers=3, width=24, codes=12, loss="0.5*ssim + 0.5*mse", rate=0.01)
    assert (kind.size, kind.mode) == (4, "RGB")
    pictures = np.stack([photograph(64)[top : top + 24, :24] for top in range(0, 40, 5)])
    task = kind.task()
    losses = train_on(task, pictures, 60)
    assert losses[-1] < 0.9 * losses[0]
    model = exported(kind, task, list(pictures), mine)
    image = Image.fromarray(pictures[0])
    decoded = np.asarray(nncodec.decode(nncodec.encode(image, "mine")))
    shown = task.reconstruct(to_tensor(pictures[:1]))[0].permute(1, 2, 0).numpy() * 255
    assert np.abs(decoded - shown).mean() < 1.0  # float16 weights, and pixels rounded to bytes
    resumed = make_recipe("conv-stack", MIXED, model, layers=10, loss="0.5*ssim + 0.5*mse").task()
    figures = [trained.loss(to_tensor(pictures), 0.0, torch.Generator())[1] for trained in (resumed, task)]
    assert figures[0]["distortion"] == pytest.approx(figures[1]["distortion"], rel=0.1)  # float16 moves some symbols


def test_the_photo_network_of_conv_gets_contexts_for_its_pictures(mine: Path) -> None:
    torch.manual_seed(0)
    kind = make_recipe("conv-photo", MIXED, fine_blocks=1, coarse_blocks=0, table_megapixels=0.01)
    pictures = np.stack([photograph(128)[top : top + 64, :64] for top in range(0, 64, 8)])
    task = kind.task()
    losses = train_on(task, pictures, 60)
    assert losses[-1] < 0.95 * losses[0]
    model = exported(kind, task, list(pictures), mine)
    image = Image.fromarray(pictures[0])
    sizes = [len(nncodec.encode(image, "mine", quality)) for quality in (10, 50, 90)]
    assert sizes == sorted(sizes)
    error = np.square(np.asarray(nncodec.decode(nncodec.encode(image, "mine", 90)), float) - pictures[0]).mean()
    assert 10 * np.log10(255**2 / error) > 30
    resumed = make_recipe("conv-photo", MIXED, model).task()
    figures = [trained.loss(to_tensor(pictures), 1.0, torch.Generator())[1] for trained in (resumed, task)]
    assert figures[0]["psnr_db"] == pytest.approx(figures[1]["psnr_db"], abs=0.05)
