"""The convolutional models and the contexts of the photo model."""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import skimage.data
import torch
from PIL import Image

import nncodec
from nncodec.nn.tensors import to_tensor, weights_of
from nncodec.plugin import registry
from nncodec.plugin.codec import AnySize
from nncodec.plugin.model_file import ModelFile, read_model
from nncodec.training.losses import loss_by_name
from nncodec.training.tasks import AutoencoderTask
from nncodec_conv.codec import StackCodec
from nncodec_conv.contexts import LEVELS, QUALITIES, ContextEntropy, ContextTables, smooth_stages
from nncodec_conv.digits import DigitsConfig
from nncodec_conv.fitting import fit_contexts
from nncodec_conv.networks import StackConfig, build_digits, build_stack
from nncodec_conv.photo import PhotoCodec
from nncodec_conv.photo_network import PhotoConfig, PhotoNetwork
from nncodec_conv.training import PhotoTask


def psnr_db(decoded: Image.Image, original: Image.Image) -> float:
    """Return the PSNR of two pictures of the same mode."""
    error = np.asarray(decoded, float) - np.asarray(original, float)
    return float(10 * np.log10(255**2 / np.square(error).mean()))


def photo() -> Image.Image:
    """Return a small photograph."""
    return Image.fromarray(skimage.data.chelsea()).crop((40, 20, 360, 260))


def tensor(image: Image.Image) -> torch.Tensor:
    """Return a picture as a batch (1, C, H, W) in 0..1."""
    return to_tensor(np.asarray(image)[None])


# --- digits and stacks --------------------------------------------------------------------------------------------


def test_the_digit_model_has_the_shapes_of_its_description() -> None:
    network = build_digits(DigitsConfig())
    pixels = torch.rand(2, 1, 28, 28)
    assert network.encoder(pixels).shape == (2, 8, 4, 4)
    assert network(pixels).shape == pixels.shape
    assert sum(p.numel() for p in network.encoder.parameters()) == 160 + 1160 + 584


@pytest.mark.parametrize("layers", [3, 5, 7, 10])
def test_a_stack_has_its_layers_and_restores_the_size(layers: int) -> None:
    config = StackConfig(layers=layers, width=8, codes=4)
    network = build_stack(config)
    pixels = torch.rand(1, 3, 32, 48)
    codes = network.encoder(pixels)
    assert codes.shape == (1, 4, 32 // config.stride, 48 // config.stride)
    restored = network(pixels)
    assert restored.shape == pixels.shape
    assert 0 <= restored.min() <= restored.max() <= 1
    kinds = [type(layer) for layer in network.modules()]
    assert kinds.count(torch.nn.Conv2d) == kinds.count(torch.nn.ConvTranspose2d) == layers


@pytest.mark.parametrize("layers", [3, 5, 7, 10])
def test_the_halo_of_a_stack_covers_what_its_result_depends_on(layers: int) -> None:
    torch.manual_seed(0)
    config = StackConfig(layers=layers, width=4, codes=4)
    network = build_stack(config)
    file = ModelFile("conv-stack", config.as_dict(), "stack/test", {}, "", tensors=weights_of(network))
    codec = StackCodec.from_file(file)
    size = codec.traits.size
    assert isinstance(size, AnySize)
    edge = 2 * size.halo + size.multiple
    pixels = np.random.default_rng(0).integers(0, 256, (1, size.multiple, 2 * edge, 3), np.uint8)
    changed = pixels.copy()
    changed[:, :, : edge - size.halo] = 0
    whole, other = (codec.analysis(p, 0, 0)["code"] for p in (pixels, changed))
    start = edge // config.stride
    assert np.array_equal(whole[..., start:], other[..., start:])
    cut = whole.copy()
    cut[..., : start - size.halo // config.stride] = 0
    restored, again = (codec.synthesis({"code": codes}, 0) for codes in (whole, cut))
    assert np.array_equal(restored[:, :, edge:], again[:, :, edge:])


def test_the_ssim_loss_trains_a_stack() -> None:
    torch.manual_seed(0)
    task = AutoencoderTask(build_stack(StackConfig(layers=3, width=8, codes=8)), loss_by_name("ssim"))
    pixels = tensor(photo().resize((64, 48)))
    optimizer = torch.optim.Adam(task.parameters(), 3e-3)
    losses = []
    for _ in range(60):
        loss, _ = task.loss(pixels, 0.0, torch.Generator())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.8 * losses[0]


# --- the photo model ----------------------------------------------------------------------------------------------


def test_an_untrained_photo_network_already_restores_a_photograph() -> None:
    network = PhotoNetwork(PhotoConfig())
    pixels = tensor(photo())
    with torch.inference_mode():
        error = (network.synthesis(network.analysis(pixels), torch.tensor([50.0])) - pixels).square().mean()
    assert 10 * torch.log10(1 / error) > 25


def test_gains_interpolate_between_their_anchors() -> None:
    network = PhotoNetwork(PhotoConfig(latent_channels=4, fine_blocks=0, coarse_blocks=0, anchors=3))
    low, middle, high = (network.gain(torch.tensor([q]))[0, 0, 0, 0].log().item() for q in (0.0, 25.0, 50.0))
    assert middle == pytest.approx((low + high) / 2, abs=1e-5)
    assert torch.allclose(
        network.gain(torch.tensor([70.0])) * network.inverse_gain(torch.tensor([70.0])), torch.ones(1)
    )


def test_a_training_step_moves_every_parameter_that_matters() -> None:
    torch.manual_seed(0)
    task = PhotoTask(PhotoNetwork(PhotoConfig(latent_channels=24, fine_blocks=1, coarse_blocks=1)))
    pixels = tensor(photo().crop((0, 0, 64, 64)))
    for progress in (0.1, 0.99):  # noisy rate, then hard rounding
        loss, figures = task.loss(pixels, progress, torch.Generator().manual_seed(0))
        task.zero_grad()
        loss.backward()
        still = [name for name, p in task.named_parameters() if p.grad is None or not p.grad.abs().sum() > 0]
        assert still == []
        assert figures["rate_bpp"] > 0
        assert figures["psnr_db"] > 10
    grouped = [parameter for group in task.parameter_groups(1e-3) for parameter in group["params"]]  # type: ignore[attr-defined]
    assert len(grouped) == len(list(task.parameters()))


def test_quality_trades_size_for_error() -> None:
    image = photo()
    files = [nncodec.encode(image, "conv/photo", quality) for quality in (5, 30, 60, 90)]
    sizes = [len(data) for data in files]
    errors = [psnr_db(nncodec.decode(data), image) for data in files]
    assert sizes == sorted(sizes)
    assert errors == sorted(errors)
    assert sizes[-1] > 4 * sizes[0]


def test_photographs_are_smaller_than_jpeg_at_equal_error() -> None:
    image = photo()
    data = nncodec.encode(image, "conv/photo", 40)
    ours = psnr_db(nncodec.decode(data), image)
    for quality in range(5, 96, 5):
        buffer = io.BytesIO()
        image.save(buffer, "JPEG", quality=quality, optimize=True, progressive=True)
        if psnr_db(Image.open(buffer), image) >= ours:
            assert len(data) < 0.8 * len(buffer.getvalue())
            return
    pytest.fail("JPEG never reached the PSNR")


def test_grey_pictures_go_through_the_colour_model() -> None:
    image = photo().convert("L")
    data = nncodec.encode(image, "conv/photo", 60)
    decoded = nncodec.decode(data)
    assert decoded.mode == "L"
    assert psnr_db(decoded, image) > 30
    assert len(data) < len(nncodec.encode(photo(), "conv/photo", 60))


def test_the_halo_of_the_photo_model_covers_what_its_result_depends_on() -> None:
    model = registry.open_model("conv/photo")
    size = model.traits.size
    assert isinstance(size, AnySize)
    edge = 2 * size.halo
    pixels = np.asarray(photo().resize((4 * edge, 64)))[None]
    changed = pixels.copy()
    changed[:, :, : edge - size.halo] = 0
    whole, other = (model.analysis(p, 60, 0)["y"] for p in (pixels, changed))
    start = edge // 16
    assert np.array_equal(whole[..., start:], other[..., start:])
    cut = whole.copy()
    cut[..., : start - size.halo // 16] = 0
    restored, again = (model.synthesis({"y": latents}, 60) for latents in (whole, cut))
    assert np.array_equal(restored[:, :, edge:], again[:, :, edge:])


def test_a_model_file_with_one_tensor_changed_in_shape_is_refused() -> None:
    file = read_model(registry.catalog().find("conv/photo").path)
    for name, value in (
        ("order", file.tensors["order"][:-1]),
        ("order", np.zeros_like(file.tensors["order"])),
        ("contexts.choice", file.tensors["contexts.choice"] + np.uint8(200)),
        ("contexts.thresholds", file.tensors["contexts.thresholds"][:3]),
        ("network.synthesis_up.weight", file.tensors["network.synthesis_up.weight"][:5]),
    ):
        changed = ModelFile(
            file.architecture, file.config, file.name, file.card, file.digest, Path("x"), {**file.tensors, name: value}
        )
        with pytest.raises(ValueError, match=r"order|context|tensor"):
            PhotoCodec.from_file(changed)


# --- contexts -----------------------------------------------------------------------------------------------------


def pink(shape: tuple[int, ...], seed: int) -> np.ndarray:
    """Return latents with locally varying magnitude, int32 (1, C, h, w)."""
    rng = np.random.default_rng(seed)
    strength = np.kron(rng.gamma(0.5, 2, (shape[2] // 4, shape[3] // 4)), np.ones((4, 4)))
    falling = 3.0 / np.arange(1, shape[1] + 1)[:, None, None]
    values = rng.laplace(size=shape) * strength * falling
    values[:, :2] += np.add.outer(np.arange(shape[2]), np.arange(shape[3]))
    return np.round(values).astype(np.int32)


@pytest.fixture(scope="module")
def contexts() -> ContextTables:
    """Context tables fitted to synthetic latents."""
    return fit_contexts(lambda quality: [pink((1, 12, 16, 24), seed) for seed in range(4)], (2, 4, 6))


def ideal_bits(entropy: ContextEntropy, latents: np.ndarray, *, static: bool) -> float:
    """Return the ideal code length under the contexts, or under a single level."""
    bits = 0.0
    for number, stage in enumerate(entropy.stages({"y": latents.shape})):
        context = entropy.context(number, {"y": latents})
        symbols = latents[stage.where] - (0 if static else context.offsets)
        if static:
            _, counts = np.unique(symbols, return_counts=True)
            bits -= float((counts * np.log2(counts / counts.sum())).sum())
        else:
            column = np.clip(symbols - entropy.tables.minimum, 0, entropy.tables.frequencies.shape[1] - 1)
            bits -= float(np.log2(entropy.tables.frequencies[context.tables, column] / 65536).sum())
    return bits


def test_fitted_tables_are_valid_and_ordered_from_peaked_to_flat(contexts: ContextTables) -> None:
    frequencies = contexts.tables.frequencies
    assert (frequencies.sum(axis=1) == 1 << contexts.tables.precision).all()
    assert frequencies.min() >= 1
    assert frequencies[0].max() > frequencies[30].max() > frequencies[60].max()
    assert contexts.choice.shape == (len(QUALITIES), 12, LEVELS + 1)
    assert (np.diff(contexts.thresholds, axis=2) >= 0).all()


@pytest.mark.parametrize(
    "change",
    [
        lambda c: {"groups": ()},
        lambda c: {"groups": (*c.groups[:-1], c.groups[-1] - 0.5, 0.5)},
        lambda c: {"thresholds": c.thresholds.astype(np.float32)},
        lambda c: {"thresholds": c.thresholds[1:]},
        lambda c: {"choice": c.choice.astype(np.int8)},
        lambda c: {"choice": np.full_like(c.choice, 255)},
    ],
)
def test_contexts_that_are_not_whole_numbers_in_range_are_refused(
    contexts: ContextTables, change: Callable[[ContextTables], dict[str, Any]]
) -> None:
    with pytest.raises(ValueError, match="context"):
        replace(contexts, **change(contexts))


def test_contexts_save_bits_on_latents_that_come_in_patches(contexts: ContextTables) -> None:
    latents = pink((1, 12, 16, 24), seed=99)
    entropy = ContextEntropy(contexts, 50, "y")
    assert ideal_bits(entropy, latents, static=False) < 0.9 * ideal_bits(entropy, latents, static=True)


@pytest.mark.parametrize("size", [(1, 1), (1, 7), (5, 1), (16, 16), (33, 20)])
def test_the_smooth_stages_visit_every_position_once(size: tuple[int, int]) -> None:
    visits = np.zeros(size, int)
    for rows, columns, _ in smooth_stages():
        visits[rows, columns] += 1
    assert (visits == 1).all()


def test_a_smooth_plane_is_predicted_exactly(contexts: ContextTables) -> None:
    plane = np.broadcast_to(np.arange(16, dtype=np.int32)[:, None] * 4, (16, 24))
    latents = np.zeros((1, 12, 16, 24), np.int32)
    latents[:, :2] = plane
    entropy = ContextEntropy(contexts, 50, "y")
    prediction, _ = entropy.smooth_context(12, latents)
    rows, columns, _ = smooth_stages()[12]
    residual = latents[:, :2, rows, columns] - prediction
    assert np.abs(residual[:, :, :-1]).max() == 0
