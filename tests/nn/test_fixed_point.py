"""Exact layers compute in integers, with gradients and without."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from nncodec.nn.fixed_point import ExactConv2d, activation, bounded, rounded


def test_an_exact_layer_computes_in_integers() -> None:
    random = np.random.default_rng(0)
    weight = random.integers(-600, 600, (3, 40, 1, 1)).astype(np.int16)
    bias = random.integers(-(1 << 20), 1 << 20, 3).astype(np.int32)
    layer = ExactConv2d(40, 3, 1)
    layer.set_steps(weight, bias)
    inputs = random.integers(-511, 512, (1, 40, 5, 7))
    sums = np.einsum("oi,nihw->nohw", weight[:, :, 0, 0].astype(np.int64), inputs) + bias[:, None, None]
    np.testing.assert_array_equal(layer(torch.from_numpy(inputs).float()).detach().numpy() * 512, sums)


@pytest.mark.parametrize("function", [rounded, bounded, activation])
def test_rounding_in_place_gives_what_training_computes(function: object) -> None:
    assert callable(function)
    # Halves to either side, quarters, what leaks down to a half, and what leaves the range.
    sums = torch.cat([torch.arange(-40, 40) / 4, torch.tensor([-4.0, -12.0, 510.5, 511.5, -511.5, 9000.0, -9000.0])])
    expected = function(sums.clone().requires_grad_())
    with torch.inference_mode():
        assert torch.equal(function(sums.clone()), expected)
    assert torch.equal(expected, expected.round())


def test_ties_go_to_even_and_bounds_hold() -> None:
    with torch.inference_mode():
        assert rounded(torch.tensor([0.5, 1.5, -2.5])).tolist() == [0, 2, -2]
        assert bounded(torch.tensor([511.4, 600.0, -1e6])).tolist() == [511, 511, -511]
        assert activation(torch.tensor([3.0, -4.0, -12.0, -1e6])).tolist() == [3, 0, -2, -511]
