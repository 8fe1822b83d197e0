"""Products by oneDNN and by MKL."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from nncodec.nn.products import addmm

# One side and the other of where oneDNN begins.
SHAPES = [(3, 5, 2), (300, 96, 128), (32, 40, 9000), (1, 2000, 2000)]


def whole_numbers(*shape: int) -> Tensor:
    return torch.randint(-90, 90, shape, generator=torch.Generator().manual_seed(sum(shape))).float()


@pytest.mark.parametrize("onednn", [True, False])
@pytest.mark.parametrize(("rows", "inputs", "outputs"), SHAPES)
def test_sums_of_whole_numbers_are_those_of_torch(
    rows: int, inputs: int, outputs: int, onednn: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = whole_numbers(rows, inputs), whole_numbers(inputs, outputs)
    if not onednn:
        monkeypatch.setattr(torch.backends.mkldnn, "enabled", False)
    with torch.inference_mode():
        for sums in (whole_numbers(outputs), whole_numbers(rows, 1), whole_numbers(rows, outputs)):
            before = sums.clone()
            expected = torch.addmm(sums.double(), first.double(), second.double())
            assert torch.equal(addmm(sums, first, second).double(), expected)
            assert torch.equal(addmm(sums, first, second.t().contiguous().t()).double(), expected)
            assert torch.equal(sums, before)


def test_large_products_are_left_to_onednn(monkeypatch: pytest.MonkeyPatch) -> None:
    sums, first, second = whole_numbers(128), whole_numbers(300, 96), whole_numbers(96, 128)
    asked = []
    monkeypatch.setattr(torch, "addmm", lambda *terms: asked.append(terms))
    with torch.inference_mode():
        if not torch.backends.mkldnn.is_available():  # type: ignore[no-untyped-call]
            pytest.skip("this torch has no oneDNN")
        addmm(sums, first, second)
        assert not asked
        addmm(sums, first[:4], second)
        assert len(asked) == 1


def test_gradients_pass() -> None:
    first = whole_numbers(300, 96).requires_grad_()
    addmm(whole_numbers(128), first, whole_numbers(96, 128)).sum().backward()
    assert first.grad is not None
    assert torch.equal(first.grad, whole_numbers(96, 128).sum(1).expand(300, 96))


def test_other_types_and_empty_products_are_computed() -> None:
    sums, first, second = whole_numbers(128), whole_numbers(300, 96), whole_numbers(96, 128)
    with torch.inference_mode():
        assert addmm(sums.double(), first.double(), second.double()).dtype == torch.float64
        assert addmm(sums, first[:0], second).shape == (0, 128)
