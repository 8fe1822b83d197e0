"""Products by oneDNN and by MKL."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from nncodec.nn.precision import is_bfloat16_fast
from nncodec.nn.products import addmm, convolved

needs_onednn = pytest.mark.skipif(
    not torch.backends.mkldnn.is_available(),  # type: ignore[no-untyped-call]
    reason="this torch has no oneDNN",
)
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


@needs_onednn
def test_large_products_are_left_to_onednn(monkeypatch: pytest.MonkeyPatch) -> None:
    sums, first, second = whole_numbers(128), whole_numbers(300, 96), whole_numbers(96, 128)
    asked = []
    monkeypatch.setattr(torch, "addmm", lambda *terms: asked.append(terms))
    with torch.inference_mode():
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


@pytest.mark.parametrize("leak", [1.0, 0.01])
@pytest.mark.parametrize("kind", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("size", [(1, 1), (5, 7), (40, 64)])
def test_a_convolution_is_that_of_torch(size: tuple[int, int], kind: torch.dtype, leak: float) -> None:
    features = whole_numbers(2, 24, *size).to(kind).contiguous(memory_format=torch.channels_last)
    weight, bias = whole_numbers(32, 24, 1, 1).to(kind) / 64, whole_numbers(32).to(kind)
    expected = F.leaky_relu(F.conv2d(features.double(), weight.double(), bias.double()), leak)
    with torch.inference_mode():
        for rows in (features, features[:, :, : max(1, size[0] // 2)]):
            found = convolved(rows, weight, bias, leak)
            assert found.dtype == kind
            tolerance = 1e-5 if kind == torch.float32 else 0.02
            torch.testing.assert_close(found.double(), expected[:, :, : rows.shape[2]], rtol=tolerance, atol=tolerance)


@needs_onednn
def test_large_convolutions_are_left_to_onednn(monkeypatch: pytest.MonkeyPatch) -> None:
    features, weight, bias = whole_numbers(1, 64, 40, 64), whole_numbers(64, 64, 1, 1), whole_numbers(64)
    with torch.inference_mode():
        expected = convolved(features, weight, bias, 0.01)
        monkeypatch.setattr(F, "conv2d", None)
        assert torch.equal(convolved(features, weight, bias, 0.01), expected)
        if is_bfloat16_fast():
            convolved(*(part.bfloat16() for part in (features, weight, bias)))
        monkeypatch.undo()
        monkeypatch.setattr(torch.backends.mkldnn, "enabled", False)
        assert torch.equal(convolved(features, weight, bias, 0.01), expected)


@needs_onednn
@pytest.mark.skipif(not is_bfloat16_fast(), reason="this processor does not multiply bfloat16")
def test_a_picture_in_bfloat16_is_the_same_in_any_batch() -> None:
    features = torch.randn(6, 64, 24, 40, generator=torch.Generator().manual_seed(0)).bfloat16()
    features = features.contiguous(memory_format=torch.channels_last)
    weight, bias = torch.randn(64, 64, 1, 1).bfloat16(), torch.randn(64).bfloat16()
    with torch.inference_mode():
        together = convolved(features, weight, bias, 0.01)
        alone = torch.cat([convolved(features[:1, :, :2], weight, bias, 0.01), together[:1, :, 2:]], 2)
    assert torch.equal(alone, together[:1])
