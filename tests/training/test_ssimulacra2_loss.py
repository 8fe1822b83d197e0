"""The differentiable SSIMULACRA 2 against the exact one."""

from __future__ import annotations

import io

import numpy as np
import pytest
import skimage.data
import torch
from PIL import Image
from torch import Tensor

from nncodec.metrics.ssimulacra2 import score
from nncodec.training.losses import loss_from, ssimulacra2_distance, ssimulacra2_loss


def as_tensor(image: np.ndarray) -> Tensor:
    return torch.from_numpy(image.copy()).permute(2, 0, 1)[None].float() / 255


def as_jpeg(image: np.ndarray, quality: int) -> np.ndarray:
    stream = io.BytesIO()
    Image.fromarray(image).save(stream, "JPEG", quality=quality)
    return np.asarray(Image.open(stream).convert("RGB"))


@pytest.mark.parametrize(
    ("photograph", "window"), [("astronaut", (0, 0)), ("coffee", (40, 100)), ("chelsea", (10, 30))]
)
def test_it_agrees_with_the_score_to_a_twentieth_of_a_point(photograph: str, window: tuple[int, int]) -> None:
    top, left = window
    # 256 is the smallest edge with all six scales; odd edges try the last row and column of every scale.
    original = np.ascontiguousarray(getattr(skimage.data, photograph)()[top : top + 277, left : left + 301])
    scores = []
    for quality in (8, 25, 80, 100):
        decoded = as_jpeg(original, quality)
        exact = score(original, decoded)
        assert 100 - ssimulacra2_distance(as_tensor(decoded), as_tensor(original)).item() == pytest.approx(
            exact, abs=0.05
        )
        scores.append(exact)
    assert min(scores) < 25
    assert max(scores) > 88


def test_close_pictures_agree_up_to_a_score_of_95() -> None:
    original = skimage.data.astronaut()
    noise = np.random.default_rng(0).integers(-1, 2, original.shape)
    decoded = np.clip(original + noise, 0, 255).astype(np.uint8)
    exact = score(original, decoded)
    assert 93 < exact < 97
    assert 100 - ssimulacra2_distance(as_tensor(decoded), as_tensor(original)).item() == pytest.approx(exact, abs=0.05)


def test_each_picture_of_a_batch_counts_by_itself() -> None:
    original = np.ascontiguousarray(skimage.data.coffee()[:64, :96])
    worse, better = as_jpeg(original, 10), as_jpeg(original, 80)
    batch = torch.cat([as_tensor(worse), as_tensor(better)])
    apart = torch.cat([ssimulacra2_distance(as_tensor(one), as_tensor(original)) for one in (worse, better)])
    together = ssimulacra2_distance(batch, as_tensor(original).expand(2, -1, -1, -1))
    assert torch.allclose(together, apart, atol=1e-3)
    assert together[0] > together[1] + 10
    assert ssimulacra2_loss(batch, as_tensor(original).expand(2, -1, -1, -1)).item() == pytest.approx(
        apart.mean().item() / 100
    )


def test_descent_on_it_raises_the_exact_score() -> None:
    original = np.ascontiguousarray(skimage.data.chelsea()[:96, :96])
    target = as_tensor(original)
    restored = as_tensor(as_jpeg(original, 15)).requires_grad_()
    before = score(original, as_jpeg(original, 15))
    optimizer = torch.optim.Adam([restored], lr=2e-3)
    loss = loss_from("0.9*ssimulacra2 + 0.1*mse")
    for _ in range(30):
        optimizer.zero_grad()
        loss(restored, target).backward()
        optimizer.step()
    decoded = (restored.detach().clamp(0, 1) * 255).round()[0].permute(1, 2, 0).numpy().astype(np.uint8)
    assert score(original, decoded) > before + 10


def test_gradients_are_finite_where_pictures_are_flat_equal_or_out_of_range() -> None:
    flat = torch.zeros(1, 3, 32, 32)
    for restored in (flat.clone(), flat - 0.5, flat + 1.5):
        restored.requires_grad_()
        ssimulacra2_distance(restored, flat).sum().backward()
        assert restored.grad is not None
        assert torch.isfinite(restored.grad).all()
    assert ssimulacra2_distance(flat, flat).item() < 0.05


def test_autocast_does_not_reach_it() -> None:
    original = as_tensor(np.ascontiguousarray(skimage.data.astronaut()[:128, :128]))
    restored = (original + 0.004 * torch.randn(original.shape, generator=torch.Generator().manual_seed(1))).clamp(0, 1)
    plain = ssimulacra2_distance(restored, original)
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(ssimulacra2_distance(restored, original), plain)


def test_small_and_grey_pictures_are_refused() -> None:
    with pytest.raises(ValueError, match="at least 8 x 8"):
        ssimulacra2_distance(torch.zeros(1, 3, 7, 32), torch.zeros(1, 3, 7, 32))
    with pytest.raises(ValueError, match="colour"):
        ssimulacra2_distance(torch.zeros(1, 1, 32, 32), torch.zeros(1, 1, 32, 32))
