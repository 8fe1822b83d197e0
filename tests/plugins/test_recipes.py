"""The recipes of the bundled plugins: what they accept, that what they train is what their model files hold."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import skimage.data
import torch
from PIL import Image

import nncodec
from nncodec.format.entropy import ideal_bits
from nncodec.nn.autoencoder import Autoencoder
from nncodec.nn.quantize import BoundedQuantizer
from nncodec.nn.tensors import to_tensor
from nncodec.plugin import discovery, registry
from nncodec.plugin.latents import Pixels
from nncodec.plugin.model_file import ModelFile, read_model, write_model
from nncodec.training.events import Advanced, Event
from nncodec.training.loop import fit
from nncodec.training.losses import mse
from nncodec.training.options import LoopOptions, Schedule
from nncodec.training.recipe import Recipe, find_recipe
from nncodec.training.sampling import ArraySampler, draw_pictures, padded_to_multiple
from nncodec.training.settings import settings_of
from nncodec.training.tasks import AutoencoderTask, ModelTask
from nncodec.training.training_set import DataSummary
from nncodec_conv.networks import StackConfig, build_stack
from nncodec_conv.starting import start_stack
from nncodec_hyperprior.codec import HyperpriorCodec, model_tensors
from nncodec_hyperprior.fitting import normal_tables
from nncodec_hyperprior.packing import packed_tensors
from nncodec_hyperprior.starting import network_from
from nncodec_hyperprior.training import HyperpriorTask

GREY = DataSummary(64, 20, 12, grey=True)
MIXED = DataSummary(8, None, None, grey=False)
SMALL_HYPERPRIOR = {"latent_channels": 16, "fine_blocks": 1, "coarse_blocks": 0, "hyper_channels": 4, "width": 8}
SMALL_HYPERPRIOR |= {"hidden": 8, "table_megapixels": 0.01}


def photograph(edge: int) -> Pixels:
    """Return a square piece of a photograph, (edge, edge, 3)."""
    picture = np.asarray(Image.open(Path(skimage.data.__file__).parent / "coffee.png").convert("RGB"))
    return np.ascontiguousarray(picture[100 : 100 + edge, 200 : 200 + edge])


def recipe(architecture: str, summary: DataSummary, base: ModelFile | None = None, **settings: Any) -> Recipe:
    """Return a recipe with some settings."""
    kind = find_recipe(architecture)
    return kind(kind.settings(**settings), summary, base)


def train(task: ModelTask, pictures: Pixels, steps: int, learning_rate: float = 1e-3) -> list[float]:
    """Train on whole pictures; return the mean losses of ten stretches."""
    losses: list[float] = []

    def note_loss(event: Event) -> None:
        if isinstance(event, Advanced) and event.fresh:
            losses.append(event.figures["loss"])

    fit(
        task,
        ArraySampler(pictures, 8, seed=0),
        Schedule(learning_rate, steps=steps, warmup_steps=2),
        LoopOptions(log_steps=max(1, steps // 10)),
        on_event=note_loss,
    )
    return losses


def exported(kind: Recipe, task: ModelTask, pictures: Sequence[Pixels], path: Path) -> ModelFile:
    """Write what a recipe exports and read it back."""
    before = {name: value.clone() for name, value in task.state_dict().items()}
    model = kind.export(task, pictures, lambda line: None)
    assert all(torch.equal(value, before[name]) for name, value in task.state_dict().items())
    write_model(path, architecture=model.architecture, config=model.config, name="mine", card={}, tensors=model.tensors)
    registry.refresh()
    return read_model(path)


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A user's model folder; gives the path at which a model called "mine" is installed."""
    monkeypatch.setenv(discovery.MODELS_VARIABLE, str(tmp_path))
    yield tmp_path / "mine.safetensors"
    registry.refresh()


@pytest.mark.parametrize("architecture", ["dense", "conv-digits", "conv-stack", "conv-photo", "hyperprior"])
def test_every_bundled_architecture_can_be_trained_and_explains_its_settings(architecture: str) -> None:
    settings = settings_of(find_recipe(architecture))
    assert all(one.help for one in settings.values())
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
        recipe(architecture, summary, **settings)
    assert "\n" not in str(caught.value)


def test_a_dense_model_is_trained_for_the_size_at_hand_and_gone_on_with(installed: Path) -> None:
    torch.manual_seed(0)
    rng = np.random.default_rng(0)
    pictures = np.repeat(np.repeat(rng.integers(0, 256, (64, 3, 5, 1), np.uint8), 4, axis=1), 4, axis=2)
    first = recipe("dense", GREY, latents=16, encoder_layers=1, decoder_layers=1)
    assert (first.size, first.mode) == ((20, 12), "L")
    task = first.task()
    losses = train(task, pictures, 300, 0.02)
    assert losses[-1] < losses[0] / 4
    model = exported(first, task, list(pictures), installed)
    data = nncodec.encode(Image.fromarray(pictures[0, :, :, 0]), "mine")
    error = np.square((np.asarray(nncodec.decode(data), float) - pictures[0, :, :, 0]) / 255).mean()
    shown = task.reconstruct(to_tensor(pictures[:1]))
    assert error == pytest.approx(mse(shown, to_tensor(pictures[:1])).item(), rel=0.1)
    second = recipe("dense", GREY, model, latents=32).task()  # the base fixes the latents
    assert second.loss(to_tensor(pictures), 0.0, torch.Generator())[0].item() < 1.1 * losses[-1]
    assert all(parameter.requires_grad for parameter in second.parameters())
    with pytest.raises(ValueError, match="takes pictures of 20 x 12 pixels, these have 12 x 20"):
        recipe("dense", DataSummary(9, 12, 20, grey=True), model)


def test_the_digit_model_goes_on_from_the_bundled_one() -> None:
    summary = DataSummary(8, 28, 28, grey=True)
    base = read_model(registry.catalog().find("conv/digits").path)
    fresh, tuned = (recipe("conv-digits", summary, start).task() for start in (None, base))
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
    """All 48 values of 4 x 4 pixels are kept by 3 layers; the last hidden layer meets the sigmoid in so many pieces."""
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


def test_a_stack_is_trained_by_parts_of_a_loss_and_its_file_holds_it(installed: Path) -> None:
    torch.manual_seed(0)
    kind = recipe("conv-stack", MIXED, layers=3, width=24, codes=12, loss="0.5*ssim + 0.5*mse", rate=0.01)
    assert (kind.size, kind.mode) == (4, "RGB")
    pictures = np.stack([photograph(64)[top : top + 24, :24] for top in range(0, 40, 5)])
    task = kind.task()
    losses = train(task, pictures, 60)
    assert losses[-1] < 0.9 * losses[0]
    model = exported(kind, task, list(pictures), installed)
    image = Image.fromarray(pictures[0])
    decoded = np.asarray(nncodec.decode(nncodec.encode(image, "mine")))
    shown = task.reconstruct(to_tensor(pictures[:1]))[0].permute(1, 2, 0).numpy() * 255
    assert np.abs(decoded - shown).mean() < 1.0  # float16 weights, and pixels rounded to bytes
    going_on = recipe("conv-stack", MIXED, model, layers=10, loss="0.5*ssim + 0.5*mse").task()
    figures = [one.loss(to_tensor(pictures), 0.0, torch.Generator())[1] for one in (going_on, task)]
    assert figures[0]["distortion"] == pytest.approx(figures[1]["distortion"], rel=0.1)  # float16 moves some symbols


def test_the_photo_network_of_conv_gets_contexts_for_its_pictures(installed: Path) -> None:
    torch.manual_seed(0)
    kind = recipe("conv-photo", MIXED, fine_blocks=1, coarse_blocks=0, table_megapixels=0.01)
    pictures = np.stack([photograph(128)[top : top + 64, :64] for top in range(0, 64, 8)])
    task = kind.task()
    losses = train(task, pictures, 60)
    assert losses[-1] < 0.95 * losses[0]
    model = exported(kind, task, list(pictures), installed)
    image = Image.fromarray(pictures[0])
    sizes = [len(nncodec.encode(image, "mine", quality)) for quality in (10, 50, 90)]
    assert sizes == sorted(sizes)
    error = np.square(np.asarray(nncodec.decode(nncodec.encode(image, "mine", 90)), float) - pictures[0]).mean()
    assert 10 * np.log10(255**2 / error) > 30
    going_on = recipe("conv-photo", MIXED, model).task()
    figures = [one.loss(to_tensor(pictures), 1.0, torch.Generator())[1] for one in (going_on, task)]
    assert figures[0]["psnr_db"] == pytest.approx(figures[1]["psnr_db"], abs=0.05)


def test_a_hyperprior_model_is_trained_from_nothing_and_its_file_decodes(installed: Path) -> None:
    torch.manual_seed(0)
    kind = recipe("hyperprior", MIXED, **SMALL_HYPERPRIOR)
    assert (kind.size, kind.mode) == (32, "RGB")
    pictures = np.stack([photograph(128)[top : top + 64, :64] for top in range(0, 64, 8)])
    task = kind.task()
    losses = train(task, pictures, 30, 3e-3)
    assert losses[-1] < 0.9 * losses[0]
    model = exported(kind, task, [*pictures, photograph(50)], installed)
    image = Image.fromarray(photograph(75))
    sizes = [len(nncodec.encode(image, "mine", quality)) for quality in (10, 50, 90)]
    assert sizes == sorted(sizes)
    assert nncodec.decode(nncodec.encode(image, "mine")).size == image.size
    # Going on from the file is going on with the network, but for the rounding of its weights.
    again = recipe("hyperprior", MIXED, model).task()
    figures = [one.loss(to_tensor(pictures), 1.0, torch.Generator().manual_seed(0))[1] for one in (task, again)]
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
    """A picture of 28 x 28 is replicated and padded_to_multiple as the encoder does it."""
    base = read_model(registry.catalog().find("photo").path)
    kind = recipe("hyperprior", DataSummary(9, 28, 28, grey=True), base)
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
    figures = [task.loss(one, 1.0, torch.Generator().manual_seed(0))[1] for one in (pixels, colour)]
    assert figures[0] == pytest.approx(figures[1])


def test_padding_counts_as_rate_but_not_as_distortion() -> None:
    base = read_model(registry.catalog().find("photo").path)
    task = HyperpriorTask(network_from(base))
    pixels = to_tensor(photograph(48)[None])
    whole = torch.nn.functional.pad(pixels, (0, 16, 0, 16), mode="replicate")
    cut, full = (task.loss(one, 1.0, torch.Generator().manual_seed(0))[1] for one in (pixels, whole))
    assert cut["rate_bpp"] * 48**2 == pytest.approx(full["rate_bpp"] * 64**2, rel=1e-4)
    assert cut["psnr_db"] < full["psnr_db"]  # the padding is easy, and would raise the mean


def test_a_base_that_is_not_one_is_refused_in_one_line() -> None:
    base = read_model(registry.catalog().find("photo").path)
    lacking = ModelFile("hyperprior", base.config, "x", {}, "", tensors={})
    with pytest.raises(ValueError, match="lacks the tensor"):
        network_from(lacking)
    with pytest.raises(ValueError, match="another config"):
        network_from(ModelFile("hyperprior", {}, "x", {}, "", tensors=base.tensors))


def test_a_sample_takes_windows_of_large_pictures_and_all_of_few() -> None:
    large = np.zeros((600, 700, 3), np.uint8)
    small = [np.full((10, 12, 1), value, np.uint8) for value in range(5)]
    taken = draw_pictures([large, *small], 10**9, edge=512)
    assert sorted(one.shape for one in taken) == sorted([(512, 512, 3), *[(10, 12, 3)] * 5])
    assert len(draw_pictures(small, 200)) == 2
    assert len(draw_pictures(small, 1)) == 1


def test_padding_repeats_the_lower_and_right_edges() -> None:
    picture = np.arange(6, dtype=np.uint8).reshape(2, 3, 1)
    assert padded_to_multiple(picture, 4)[:, :, 0].tolist() == [[0, 1, 2, 2], [3, 4, 5, 5], [3, 4, 5, 5], [3, 4, 5, 5]]
    assert padded_to_multiple(picture, 1).shape == picture.shape
