"""Losses against reference values."""

from __future__ import annotations

import numpy as np
import pytest
import skimage.data
import torch
from skimage.metrics import structural_similarity

from nncodec.training.losses import bce, dissimilarity, loss_by_name, mse


def pair() -> tuple[torch.Tensor, torch.Tensor]:
    """Return a grey photograph and a noisy copy, (1, 1, H, W) in 0..1."""
    original = torch.from_numpy(skimage.data.camera()[::4, ::4] / 255.0)[None, None]
    noise = torch.from_numpy(np.random.default_rng(0).normal(0, 0.05, original.shape))
    return (original + noise).clamp(0, 1), original


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


def test_equal_pictures_have_no_error() -> None:
    _, original = pair()
    assert mse(original, original).item() == 0
    assert dissimilarity(original, original).item() == pytest.approx(0, abs=1e-9)


def test_bce_of_certain_pixels_is_their_code_length() -> None:
    restored = torch.full((1, 1, 2, 2), 0.25)
    original = torch.tensor([[[[1.0, 1.0], [0.0, 0.0]]]])
    expected = -(np.log(0.25) + np.log(0.75)) / 2
    assert bce(restored, original).item() == pytest.approx(expected, rel=1e-6)


def test_pictures_below_the_ssim_window_are_refused() -> None:
    with pytest.raises(ValueError, match="11 x 11"):
        dissimilarity(torch.zeros(1, 1, 10, 20), torch.zeros(1, 1, 10, 20))


def test_an_unknown_loss_names_the_known_ones() -> None:
    with pytest.raises(ValueError, match="mse, bce, ssim"):
        loss_by_name("lpips")
