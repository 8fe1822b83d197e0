"""Networks that are made exact compute the same numbers in any order of summation, close to those of the original."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from nncodec.nn.exact import exact_network
from nncodec.nn.fixed_point import ExactConv2d, exact_addmm


def _decoder() -> nn.Sequential:
    torch.manual_seed(1)
    up = nn.ConvTranspose2d(6, 8, 5, stride=2, padding=2, output_padding=1)
    inner = nn.Sequential(nn.Conv2d(8, 12, 3, padding=1, groups=2), nn.LeakyReLU(0.01))
    return nn.Sequential(up, nn.ReLU(), inner, nn.PixelShuffle(2), nn.Conv2d(3, 2, 1))


def test_it_stays_close_to_the_trained_network_and_changes_nothing_of_it() -> None:
    trained = _decoder()
    before = {name: value.clone() for name, value in trained.state_dict().items()}
    exact = exact_network(trained)
    latents = torch.randint(-20, 21, (2, 6, 4, 5))
    with torch.no_grad():
        assert (exact(latents) - trained(latents.float())).abs().max() < 2e-3
    assert all(torch.equal(value, before[name]) for name, value in trained.state_dict().items())


def test_results_are_whole_steps_and_do_not_depend_on_how_they_are_summed() -> None:
    exact = exact_network(_decoder())
    latents = torch.randint(-20, 21, (2, 6, 4, 5))
    with torch.no_grad():
        result = exact(latents)
        assert torch.equal(result * 2**12, (result * 2**12).round())
        with torch.autocast("cpu", torch.bfloat16):
            assert torch.equal(exact(latents.float()), result)
    layer = exact[0]._layer  # one layer, summed in whole numbers
    weight = (layer.weight * 2**16).long().numpy().astype(object)
    assert np.array_equal((layer.weight * 2**16).numpy(), weight.astype(float))


def test_what_cannot_be_exact_is_refused() -> None:
    with pytest.raises(ValueError, match="GELU cannot be made exact"):
        exact_network(nn.Sequential(nn.Conv2d(1, 1, 1), nn.GELU()))
    with pytest.raises(ValueError, match="padding with 'reflect'"):
        exact_network(nn.Sequential(nn.Conv2d(1, 1, 3, padding=1, padding_mode="reflect")))
    large = nn.Linear(2, 2)
    large.weight.data.fill_(9000)
    with pytest.raises(ValueError, match="weights are so large"):
        exact_network(nn.Sequential(large))
    large.weight.data.fill_(float("nan"))
    with pytest.raises(ValueError, match="weights are so large"):
        exact_network(nn.Sequential(large))


def test_a_fixed_point_layer_is_exact_under_autocast_and_reduced_float32() -> None:
    random = np.random.default_rng(0)
    layer = ExactConv2d(40, 3, 1)
    layer.set_steps(random.integers(-600, 600, (3, 40, 1, 1)).astype(np.int16), np.zeros(3, np.int32))
    inputs = torch.from_numpy(random.integers(-511, 512, (1, 40, 5, 7))).float()
    with torch.inference_mode():
        expected = layer(inputs)
        with torch.autocast("cpu", torch.bfloat16):
            found = layer(inputs)
        assert found.dtype == torch.float32
        assert torch.equal(found, expected)
        conv = getattr(torch.backends.mkldnn, "conv", None)
        if not hasattr(conv, "fp32_precision"):
            pytest.skip("this version of torch has no such setting")
        before = conv.fp32_precision
        conv.fp32_precision = "bf16"
        try:
            assert torch.equal(layer(inputs), expected)
        finally:
            conv.fp32_precision = before


@pytest.mark.parametrize("how", ["autocast", "bf16", "tf32", "medium"])
def test_an_exact_product_is_computed_in_float64_where_float32_might_be_reduced(
    how: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    random = np.random.default_rng(0)
    sums, first, second = (
        torch.from_numpy(random.integers(-511, 512, shape)).float() / 512 for shape in ((3,), (5, 40), (40, 3))
    )
    expected = torch.addmm(sums.double(), first.double(), second.double()).float()
    addmm, kinds = torch.addmm, []
    monkeypatch.setattr(torch, "addmm", lambda *terms: (kinds.extend(term.dtype for term in terms), addmm(*terms))[1])
    assert torch.equal(exact_addmm(sums, first, second), expected)
    assert set(kinds) == {torch.float32}
    kinds.clear()
    matmul, before = getattr(torch.backends.mkldnn, "matmul", None), torch.get_float32_matmul_precision()
    if how != "autocast" and not hasattr(matmul, "fp32_precision"):
        pytest.skip("this version of torch has no such setting")
    try:
        if how == "medium":
            torch.set_float32_matmul_precision("medium")
        elif how != "autocast":
            matmul.fp32_precision = how
        with torch.autocast("cpu", torch.bfloat16, enabled=how == "autocast"):
            found = exact_addmm(sums, first, second)
    finally:
        torch.set_float32_matmul_precision(before)
    assert found.dtype == torch.float32
    assert torch.equal(found, expected)
    assert set(kinds) == {torch.float64}
