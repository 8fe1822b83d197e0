"""Quantization surrogates and the bounded quantizer."""

from __future__ import annotations

import pytest
import torch

from nncodec.nn.quantize import BoundedQuantizer, add_uniform_noise, lower_bound, round_straight_through


def test_straight_through_rounds_forward_and_passes_the_gradient() -> None:
    values = torch.tensor([0.2, 1.6, -2.4], requires_grad=True)
    rounded = round_straight_through(values)
    rounded.sum().backward()
    assert rounded.tolist() == [0, 2, -2]
    assert values.grad is not None
    assert values.grad.tolist() == [1, 1, 1]


def test_noise_stays_within_half_a_step_and_repeats_with_its_generator() -> None:
    values = torch.zeros(1000)
    noisy = add_uniform_noise(values, torch.Generator().manual_seed(3))
    again = add_uniform_noise(values, torch.Generator().manual_seed(3))
    assert noisy.abs().max() <= 0.5
    assert noisy.std() == pytest.approx(12**-0.5, rel=0.1)
    assert torch.equal(noisy, again)


@pytest.mark.parametrize(("sign", "expected"), [(1.0, 0.0), (-1.0, -1.0)])
def test_a_bounded_value_only_feels_gradients_that_lift_it(sign: float, expected: float) -> None:
    value = torch.tensor([-3.0], requires_grad=True)
    (sign * lower_bound(value, 0.0)).sum().backward()
    assert value.grad is not None
    assert value.grad.item() == expected


def test_codes_come_back_within_half_a_level_inside_the_range() -> None:
    quantizer = BoundedQuantizer(3, 16)
    step = torch.exp(-quantizer.log_scale[0]).item()
    codes = torch.rand(5, 3, 4, 4, generator=torch.Generator().manual_seed(0)) * 15 * step
    assert (quantizer(codes) - codes).abs().max() <= step / 2 + 1e-6
    torch.testing.assert_close(quantizer(codes, rounded=False), codes)


def test_codes_outside_the_range_are_bounded_and_can_come_back() -> None:
    quantizer = BoundedQuantizer(1, 8)
    codes = torch.tensor([-5.0, 100.0], requires_grad=True)
    symbols = quantizer.symbols(codes[:, None, None, None])
    assert symbols.flatten().tolist() == [0, 7]
    (symbols[1] - symbols[0]).sum().backward()  # descending this moves both back inside
    assert codes.grad is not None
    assert codes.grad[0] < 0 < codes.grad[1]


@pytest.mark.parametrize("levels", [1, 257, 2.5, True])
def test_impossible_levels_are_refused(levels: int) -> None:
    with pytest.raises(ValueError, match="levels"):
        BoundedQuantizer(1, levels)
