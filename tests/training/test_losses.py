"""Losses against reference values, and losses as text."""

from __future__ import annotations

import logging
import math
from logging.handlers import QueueHandler
from pathlib import Path
from queue import SimpleQueue

import numpy as np
import pytest
import skimage.data
import torch
import torch.nn.functional as F
from pytorch_msssim.ssim import _fspecial_gauss_1d, _ssim, ms_ssim
from skimage.metrics import structural_similarity
from torch import Tensor

from nncodec.nn.vgg16 import LAYERS, VGG16, normalised, write_recogniser
from nncodec.training.losses import (
    Loss,
    PerceptualLoss,
    bce,
    dissimilarity,
    l1,
    log_error,
    loss_by_name,
    loss_from,
    mse,
    mse_edges,
    multiscale_dissimilarity,
    parts_of,
)


def pair(step: int = 4) -> tuple[Tensor, Tensor]:
    """Return a grey photograph and a noisy copy, (1, 1, H, W) in 0..1."""
    original = torch.from_numpy(skimage.data.camera()[::step, ::step] / 255.0)[None, None]
    noise = torch.from_numpy(np.random.default_rng(0).normal(0, 0.05, original.shape))
    return (original + noise).clamp(0, 1), original


@pytest.fixture(scope="module")
def vgg16() -> VGG16:
    torch.manual_seed(0)
    return VGG16(2, head="dense").eval()


@pytest.fixture
def own_weights(vgg16: VGG16, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Write weights of a digit recogniser, and name them in the environment."""
    path = tmp_path / "vgg16_digits.safetensors"
    write_recogniser(path, vgg16, "MNIST")
    monkeypatch.setenv("NNCODEC_VGG16", str(path))
    return path


@pytest.mark.parametrize(
    ("axis", "first", "weight"),
    [(2, 16, 1), (3, 16, 1), (3, 32, 1), (2, 8, 1 / 3), (3, 24, 1 / 3), (3, 17, 0), (2, 4, 0)],
)
def test_an_error_that_begins_at_the_edge_of_a_block_counts_more(axis: int, first: int, weight: float) -> None:
    original = torch.zeros(1, 3, 48, 40)
    restored = original.clone()
    restored.narrow(axis, first, original.shape[axis] - first)[:] = 0.1
    edges = {1: len(range(16, original.shape[axis], 16)), 1 / 3: len(range(8, original.shape[axis], 16))}
    expected = mse(restored, original) + 0.6 * weight * 0.1**2 / edges.get(weight, 1) / 2
    torch.testing.assert_close(mse_edges(restored, original), expected)


def test_pictures_without_an_edge_have_the_squared_error_alone() -> None:
    restored, original = torch.rand(2, 3, 8, 5), torch.rand(2, 3, 8, 5)
    torch.testing.assert_close(mse_edges(restored, original), mse(restored, original))


def test_ssim_agrees_with_scikit_image() -> None:
    restored, original = pair()
    _, reference = structural_similarity(
        restored[0, 0].numpy(),
        original[0, 0].numpy(),
        data_range=1,
        gaussian_weights=True,
        sigma=1.5,
        use_sample_covariance=False,
        full=True,
    )
    inside = reference[5:-5, 5:-5].mean()  # where the whole window lies inside the picture
    assert 1 - dissimilarity(restored, original).item() == pytest.approx(inside, abs=1e-3)


def test_ms_ssim_agrees_with_pytorch_msssim() -> None:
    restored, original = (
        torch.cat([image[..., :192, :], image[..., 64:, :]], 1) for image in pair(2)
    )  # (1, 2, 192, 256)
    expected = ms_ssim(restored, original, data_range=1.0).item()
    assert 0.5 < expected < 0.98
    assert 1 - multiscale_dissimilarity(restored, original).item() == pytest.approx(expected, abs=2e-5)


def test_ms_ssim_of_a_small_picture_uses_the_scales_that_fit() -> None:
    restored, original = (image[..., :21, :40] for image in pair())
    assert multiscale_dissimilarity(restored, original).item() == pytest.approx(
        dissimilarity(restored, original).item()
    )


def test_ms_ssim_of_three_scales_agrees_with_pytorch_msssims_parts() -> None:
    restored, original = (image[..., :44, :44] for image in pair())  # 44, 22 and 11 pixels
    window = _fspecial_gauss_1d(11, 1.5).double()[None]
    weights = np.array([0.0448, 0.2856, 0.3001]) / (0.0448 + 0.2856 + 0.3001)
    expected = 1.0
    for scale, weight in enumerate(weights):
        pooled = (F.avg_pool2d(image, 2**scale) for image in (restored, original))
        similarity, structure = _ssim(*pooled, data_range=1.0, win=window)
        expected *= (similarity if scale == 2 else structure).item() ** weight
    assert 1 - multiscale_dissimilarity(restored, original).item() == pytest.approx(expected, abs=2e-5)


def test_ms_ssim_of_opposites_has_a_gradient() -> None:
    _, original = pair()
    restored = (1 - original).requires_grad_()
    multiscale_dissimilarity(restored, original).backward()
    assert restored.grad is not None
    assert restored.grad.isfinite().all()


@pytest.mark.parametrize("loss", [dissimilarity, multiscale_dissimilarity])
def test_autocast_does_not_round_variances(loss: Loss) -> None:
    restored, original = (image.float() * 0.01 + 0.9 for image in pair())  # variances far below bfloat16's steps
    with torch.autocast("cpu", dtype=torch.bfloat16):
        inside = loss(restored, original).item()
    assert inside == loss(restored, original).item()


@pytest.mark.parametrize("loss", [mse, l1, dissimilarity, multiscale_dissimilarity])
def test_equal_pictures_have_no_error(loss: Loss) -> None:
    _, original = pair()
    assert loss(original, original).item() == pytest.approx(0, abs=1e-9)


def test_pointwise_losses_are_means_over_samples() -> None:
    restored, original = torch.tensor([[[[0.5, 0.25]]]]), torch.tensor([[[[0.0, 0.5]]]])
    assert mse(restored, original).item() == pytest.approx((0.25 + 0.0625) / 2)
    assert l1(restored, original).item() == pytest.approx((0.5 + 0.25) / 2)


def test_log_error_counts_pictures_by_ratios_except_those_with_tiny_errors() -> None:
    original = torch.zeros(2, 3, 4, 4)
    restored = torch.stack([torch.full((3, 4, 4), 0.5), torch.full((3, 4, 4), 0.01)])
    expected = (math.log(0.5**2 + 1e-3) + math.log(0.01**2 + 1e-3)) / 2
    assert log_error(restored, original).item() == pytest.approx(expected, rel=1e-5)
    assert math.isfinite(log_error(original, original).item())
    gains = []
    for error in (0.3, 0.15, 0.001):
        one, better = torch.full((1, 3, 4, 4), error), torch.full((1, 3, 4, 4), 0.9 * error)
        gains.append((log_error(one, original[:1]) - log_error(better, original[:1])).item())
    assert gains[0] == pytest.approx(gains[1], rel=0.05)
    assert gains[2] < 0.01 * gains[0]


def test_bce_of_certain_pixels_is_their_code_length() -> None:
    restored = torch.full((1, 1, 2, 2), 0.25)
    original = torch.tensor([[[[1.0, 1.0], [0.0, 0.0]]]])
    expected = -(np.log(0.25) + np.log(0.75)) / 2
    assert bce(restored, original).item() == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("loss", [dissimilarity, multiscale_dissimilarity])
def test_pictures_below_the_ssim_window_are_refused(loss: Loss) -> None:
    with pytest.raises(ValueError, match="11 x 11"):
        loss(torch.zeros(1, 1, 10, 20), torch.zeros(1, 1, 10, 20))


def test_perceptual_is_the_mean_square_of_each_layers_difference(vgg16: VGG16) -> None:
    restored, original = torch.rand(2, 3, 16, 16), torch.rand(2, 3, 16, 16)
    expected = 0.0
    for layer in ("relu1_2", "relu2_2", "relu3_3", "relu4_3"):
        cut = vgg16.features[: LAYERS[layer] + 1]
        expected += (cut(normalised(restored)) - cut(normalised(original))).square().mean().item() / 4
    assert PerceptualLoss(vgg16)(restored, original).item() == pytest.approx(expected, rel=1e-4)


def test_perceptual_has_gradients_for_the_picture_only(vgg16: VGG16) -> None:
    restored = torch.rand(1, 1, 16, 16, requires_grad=True)
    original = torch.rand(1, 1, 16, 16, requires_grad=True)
    PerceptualLoss(vgg16)(restored, original).backward()
    assert restored.grad is not None
    assert restored.grad.abs().max() > 0
    assert original.grad is None
    assert all(parameter.grad is None and not parameter.requires_grad for parameter in vgg16.parameters())


def test_perceptual_refuses_pictures_too_small_for_the_poolings(vgg16: VGG16) -> None:
    with pytest.raises(ValueError, match="8 x 8"):
        PerceptualLoss(vgg16)(torch.zeros(1, 1, 7, 9), torch.zeros(1, 1, 7, 9))


def test_features_of_other_data_warn_once(own_weights: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    logged: SimpleQueue[logging.LogRecord] = SimpleQueue()
    monkeypatch.setattr(logging.getLogger("nncodec"), "handlers", [QueueHandler(logged)])
    loss = loss_from("perceptual")
    assert loss_from("0.0*mse + 1*perceptual") is loss
    assert isinstance(loss, PerceptualLoss)
    assert loss.note == "VGG16 features trained on MNIST: not a perceptual measure of photographs"
    record = logged.get_nowait()
    assert (record.levelno, record.getMessage()) == (logging.WARNING, f"{loss.note} ({own_weights})")
    assert logged.empty()


def test_features_come_from_the_file_named_then_from_the_variable(
    own_weights: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NNCODEC_VGG16", "none.safetensors")
    with pytest.raises(ValueError, match=r"none\.safetensors"):
        loss_from("perceptual")
    assert isinstance(loss_from("perceptual", features=own_weights), PerceptualLoss)


def test_without_features_the_perceptual_loss_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NNCODEC_VGG16", raising=False)
    with pytest.raises(ValueError, match=r"name a file .* with features=FILE or in \$NNCODEC_VGG16"):
        loss_from("0.5*perceptual + 0.5*mse")
    assert loss_from("0*perceptual + mse") is mse


def test_a_weighted_sum_is_the_sum_of_its_weighted_parts(own_weights: Path) -> None:
    restored, original = (image.float() for image in pair(16))
    parts = {"ssim": 0.3, "perceptual": 0.2, "mse": 0.5}
    text = "0.3*ssim + 0.2 * perceptual+.5*mse"
    assert parts_of(text) == parts
    expected = sum(weight * loss_from(name)(restored, original).item() for name, weight in parts.items())
    assert loss_from(text)(restored, original).item() == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (
            "lpips",
            "no loss 'lpips'; there are mse, mse-edges, bce, l1, log-error, ssim, ms-ssim, ssimulacra2, perceptual",
        ),
        ("0.5*ssim + 0.4*mse", r"add up to 0\.9, not 1"),
        ("0.5*ssim + 0.500002*mse", r"add up to 1\.000002, not 1"),
        ("mse + ssim", "add up to 2"),
        ("0.5*mse", r"add up to 0\.5"),
        ("1.5*mse + -0.5*ssim", "weight of ssim .* negative"),
        ("0.5*mse + 0.5*mse", "names mse twice"),
        ("", "cannot read ''"),
        ("nan*mse", "cannot read"),
        ("0.5*mse + + 0.5*ssim", "cannot read ''"),
        ("0.5 mse + 0.5*ssim", "cannot read '0.5 mse'"),
    ],
)
def test_invalid_losses_are_refused_in_one_line(text: str, problem: str) -> None:
    with pytest.raises(ValueError, match=problem) as caught:
        loss_from(text)
    assert "\n" not in str(caught.value)


def test_an_unknown_name_lists_the_known_ones() -> None:
    with pytest.raises(ValueError, match="mse, mse-edges, bce, l1, log-error, ssim"):
        loss_by_name("lpips")
