"""The filter across the lines where blocks of 16 pixels meet."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from nncodec.engine import deblocking as without_torch
from nncodec.nn.deblocking import Deblocking
from nncodec.nn.margins import Surrounded
from nncodec.plugin import Margins

_QUALITY = torch.tensor([25.0])


def _filter(strength: float = 0.3, tolerance: float = 0.02) -> Deblocking:
    module = Deblocking(5)
    with torch.no_grad():
        module.strength.fill_(strength)
        module.tolerance.fill_(tolerance)
    return module


def _filtered(module: Deblocking, pixels: torch.Tensor) -> torch.Tensor:
    with torch.no_grad():
        return module(Surrounded(pixels.clone()), _QUALITY).features


def _columns(values: torch.Tensor) -> torch.Tensor:
    """Return a picture of 32 rows whose columns have these values."""
    return values.expand(1, 3, 32, -1).contiguous(memory_format=torch.channels_last)


def test_a_step_between_flat_blocks_shrinks_from_both_sides() -> None:
    step = torch.cat([torch.zeros(16), torch.full((16,), 0.1)])
    for pixels, axis in ((_columns(step), 3), (_columns(step).transpose(2, 3), 2)):
        found = _filtered(_filter(), pixels).movedim(axis, 3)[0, 0, 0]
        expected = step.clone()
        expected[15:17] = torch.tensor([0.03, 0.07])
        torch.testing.assert_close(found, expected)


@pytest.mark.parametrize(
    "columns", [torch.linspace(0, 1, 48), torch.full((48,), 0.4), (torch.arange(48) >= 24) * 0.5, torch.rand(16)]
)
def test_slopes_flat_pictures_and_steps_inside_blocks_stay(columns: torch.Tensor) -> None:
    pixels = _columns(columns)
    torch.testing.assert_close(_filtered(_filter(), pixels), pixels, atol=1e-6, rtol=0)


def test_the_more_pixels_beside_a_step_differ_the_less_it_shrinks() -> None:
    left = []
    for contrast in (0.0, 0.02, 0.2):
        columns = contrast * (torch.arange(32) % 2) + 0.1 * (torch.arange(32) >= 16)
        pixels = _columns(columns)
        left.append((_filtered(_filter(), pixels) - pixels).abs().max().item())
    assert left[0] == pytest.approx(0.03)
    assert left[0] > 1.5 * left[1] > 15 * left[2]


def test_anchors_are_interpolated() -> None:
    module = _filter()
    with torch.no_grad():
        module.strength[1] = 0.1
    step = _columns(torch.cat([torch.zeros(16), torch.full((16,), 0.1)]))
    moved = [module(Surrounded(step), torch.tensor([q])).features[0, 0, 0, 15].item() for q in (0.0, 12.5, 25.0)]
    assert moved == pytest.approx([0.03, 0.02, 0.01])


def test_with_gradients_the_input_stays_and_the_result_is_the_same() -> None:
    torch.manual_seed(0)
    pixels = torch.rand(2, 3, 48, 64).contiguous(memory_format=torch.channels_last)
    module, before = _filter(tolerance=0.5), pixels.clone()
    found = module(Surrounded(pixels.requires_grad_()), _QUALITY).features
    torch.testing.assert_close(pixels, before)
    torch.testing.assert_close(found, _filtered(module, before))
    assert torch.autograd.gradcheck(
        lambda values: module(Surrounded(values), _QUALITY).features,
        torch.rand(1, 1, 32, 32, dtype=torch.float64, requires_grad=True),
        fast_mode=True,
    )
    found.square().sum().backward()
    assert all(parameter.grad is not None and parameter.grad.any() for parameter in module.parameters())


@pytest.mark.parametrize("margins", [Margins(0, 0, 0, 0), Margins(8, 8, 8, 8), Margins(8, 0, 0, 8)])
def test_a_part_of_a_picture_is_filtered_as_the_whole(margins: Margins) -> None:
    torch.manual_seed(1)
    pixels = torch.rand(1, 3, 96, 80).contiguous(memory_format=torch.channels_last)
    whole = _filtered(_filter(tolerance=0.5), pixels)
    rows, columns = (
        slice(32 - before if before else 0, 64 + after if after else None)
        for before, after in ((margins.top, margins.bottom), (margins.left, margins.right))
    )
    with torch.no_grad():
        part = _filter(tolerance=0.5)(Surrounded(pixels[:, :, rows, columns].clone(), margins), _QUALITY)
    seen = slice(rows.start + margins.top, 64 if margins.bottom else None)
    beside = slice(columns.start + margins.left, 64 if margins.right else None)
    torch.testing.assert_close(part.trimmed(0).features, whole[:, :, seen, beside])


@pytest.mark.parametrize("shape", [(2, 48, 64, 3), (1, 16, 32, 3), (1, 16, 16, 3)])
def test_the_filter_without_torch_computes_the_same(shape: tuple[int, ...]) -> None:
    pixels = np.random.default_rng(2).random(shape, np.float32)
    expected = _filtered(_filter(0.25, 0.4), torch.from_numpy(pixels).permute(0, 3, 1, 2))
    without_torch.Deblocking(0.25, 0.4).apply(pixels)
    torch.testing.assert_close(torch.from_numpy(pixels), expected.permute(0, 2, 3, 1), atol=1e-6, rtol=0)


@pytest.mark.parametrize(("strength", "tolerance"), [(0.3, 0.0), (0.3, 1e30), (1e30, 0.1)])
def test_absurd_weights_do_no_harm(strength: float, tolerance: float) -> None:
    pixels = np.full((1, 32, 32, 3), 0.5, np.float32)
    without_torch.Deblocking(strength, tolerance).apply(pixels)
    found = _filtered(_filter(strength, tolerance), _columns(torch.full((32,), 0.5)))
    for values in (pixels, found.numpy()):
        assert ((values == 0.5) | np.isnan(values)).all()
