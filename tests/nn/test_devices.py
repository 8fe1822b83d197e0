"""Networks on another device than the processor, by a pretended GPU: what goes there, and what comes back."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import skimage.data
import torch
from fake_gpu import GPU, FakeGpu, OnGpu, fake_gpu
from PIL import Image
from torch import nn

import nncodec
from nncodec.nn import precision as nn_precision
from nncodec.nn.devices import OnDevices, pixel_device
from nncodec.nn.fixed_point import ExactConv2d
from nncodec.nn.precision import pixel_precision, whole_float32
from nncodec.torch import decode_batch
from nncodec_hyperprior import quantization

PICTURE = Image.fromarray(skimage.data.astronaut()).crop((180, 60, 228, 92))
DIGIT = PICTURE.convert("L").resize((28, 28))
MODELS = {"hyperprior/photo": PICTURE, "conv/photo": PICTURE, "conv/digits": DIGIT, "dense/fashion": DIGIT}


@pytest.fixture
def gpu(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeGpu]:
    nn_precision._gpu_multiplies_bfloat16.cache_clear()
    with fake_gpu(monkeypatch) as found:
        yield found
    nn_precision._gpu_multiplies_bfloat16.cache_clear()


def pixels_of(image: Any) -> Any:
    return np.asarray(image, int)


@pytest.mark.parametrize("model", MODELS)
def test_transforms_run_on_the_device_and_only_their_results_come_back(model: str, gpu: FakeGpu) -> None:
    picture = MODELS[model]
    expected = nncodec.encode(picture, model, lossless=False, precision="float32")
    assert nncodec.encode(picture, model, lossless=False, precision="float32", device="cuda") == expected
    (latents,) = gpu.downloads
    assert latents[0][0] == 1
    gpu.downloads.clear()
    decoded = nncodec.decode(expected, precision="float32", device="cuda:0")
    np.testing.assert_array_equal(decoded, nncodec.decode(expected, precision="float32"))
    ((shape, kind),) = gpu.downloads
    assert kind == torch.uint8
    assert shape[3] == len(picture.getbands())


def test_bfloat16_is_used_where_the_gpu_multiplies_it(gpu: FakeGpu, monkeypatch: pytest.MonkeyPatch) -> None:
    data = nncodec.encode(PICTURE, "conv/photo", 90, lossless=False)
    exact = pixels_of(nncodec.decode(data, precision="float32"))
    for is_fast, kinds in ((False, {torch.float32}), (True, {torch.float32, torch.bfloat16})):
        monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation=True, fast=is_fast: fast)
        nn_precision._gpu_multiplies_bfloat16.cache_clear()
        gpu.computed.clear()
        assert np.abs(pixels_of(nncodec.decode(data, device="cuda")) - exact).max() <= 2
        assert gpu.computed == kinds
    gpu.computed.clear()
    nncodec.decode(data, device="cuda", precision="float32")
    assert gpu.computed == {torch.float32}


def test_float32_on_a_gpu_is_not_rounded_to_tf32(gpu: FakeGpu, monkeypatch: pytest.MonkeyPatch) -> None:
    settings: list[Any] = [torch.backends.cudnn.conv, torch.backends.cuda.matmul]  # type: ignore[attr-defined]
    before = [setting.fp32_precision for setting in settings]
    with nncodec.device("cuda"), nncodec.precision("float32"), pixel_precision():
        with whole_float32():
            pass
        assert [setting.fp32_precision for setting in settings] == ["ieee"] * 2
    assert [setting.fp32_precision for setting in settings] == before
    with nncodec.device("cuda"), pixel_precision():
        assert torch.is_autocast_enabled("cuda")
        assert [setting.fp32_precision for setting in settings] == before


def test_exact_layers_compute_in_float64_where_a_gpu_would_round_to_tf32(gpu: FakeGpu) -> None:
    layer = ExactConv2d(2, 3, 1)
    layer.set_steps(np.full((3, 2, 1, 1), 4001, np.int16), np.zeros(3, np.int32))
    values = torch.arange(-9.0, 9).view(1, 2, 3, 3)
    expected = layer(values)
    on_gpu = OnDevices(layer)
    with torch.inference_mode(), nncodec.device("cuda"):
        assert torch.equal(on_gpu.current()(values.to(GPU)).cpu(), expected)
        assert gpu.computed == {torch.float64}
        gpu.computed.clear()
        with whole_float32():
            assert torch.equal(on_gpu.current()(values.to(GPU)).cpu(), expected)
    assert gpu.computed == {torch.float32}


def test_a_network_is_copied_once_for_each_device(gpu: FakeGpu) -> None:
    held = OnDevices(nn.Conv2d(3, 4, 1).requires_grad_(False))
    assert held.current() is held.module
    with nncodec.device("cuda"):
        assert pixel_device() == GPU
        with torch.inference_mode():
            copied = held.current()
        assert held.current() is copied
        assert copied is not held.module
    with nncodec.device("cuda:0"):
        assert held.current() is copied
    assert isinstance(copied.weight, OnGpu)
    assert not copied.weight.is_inference()  # else nothing could be trained through it
    assert held.module.weight.device.type == "cpu"
    assert torch.equal(copied.weight.inner, held.module.weight)


def test_refinement_runs_on_the_device(gpu: FakeGpu, monkeypatch: pytest.MonkeyPatch) -> None:
    given: list[Any] = []

    def refine(network: nn.Module, *tensors: Any) -> Any:
        given.extend([*network.parameters(), *tensors[:3]])
        return tensors[:2]

    monkeypatch.setattr(quantization, "refine", refine)
    data = nncodec.encode(PICTURE, effort=3, lossless=False, device="cuda", precision="float32")
    assert all(isinstance(tensor, OnGpu) and not tensor.is_inference() for tensor in given)
    assert nncodec.decode(data).size == PICTURE.size


@pytest.mark.parametrize(("enhancer", "strength"), [("restore", 0), ("x4", 0.5)])
def test_enhancers_run_on_the_device(gpu: FakeGpu, enhancer: str, strength: float) -> None:
    enhanced = nncodec.enhance(PICTURE, enhancer, strength=strength, precision="float32", device="cuda")
    assert [kind for _, kind in gpu.downloads] == [torch.uint8]
    expected = nncodec.enhance(PICTURE, enhancer, strength=strength, precision="float32")
    np.testing.assert_array_equal(enhanced, expected)


def test_tensors_of_a_batch_stay_on_the_device(gpu: FakeGpu) -> None:
    pictures = [PICTURE, PICTURE.rotate(180), PICTURE.convert("L")]
    files = nncodec.encode_batch(pictures, "conv/photo", 60, lossless=False)
    tensors = decode_batch(files, device="cuda:0", precision="float32")
    assert gpu.downloads == []
    for tensor, data in zip(tensors, files, strict=True):
        assert isinstance(tensor, OnGpu)
        expected = nncodec.decode(data, precision="float32", as_array=True)
        np.testing.assert_array_equal(np.squeeze(tensor.inner.permute(1, 2, 0).numpy()), expected)
    box = decode_batch(files[:1], device="cuda:0", dtype=torch.float32, precision="float32", box=(3, 5, 20, 30))[0]
    assert gpu.downloads == []
    expected = nncodec.decode(files[0], precision="float32", as_array=True, box=(3, 5, 20, 30))
    np.testing.assert_array_equal(box.inner.permute(1, 2, 0).numpy(), expected.astype(np.float32) / 255)


def test_pictures_with_alpha_and_exact_ones_go_to_the_device_from_memory(gpu: FakeGpu) -> None:
    with_alpha, exact = PICTURE.convert("RGBA").rotate(5), PICTURE.resize((12, 8)).quantize(4)
    files = [
        nncodec.encode(with_alpha, "conv/photo", lossless=False),
        nncodec.encode(exact, lossless=True),
        nncodec.encode(PICTURE, "conv/photo", lossless=False, downscale=2),
    ]
    tensors = decode_batch(files, device="cuda:0", precision="float32", mode="RGB")
    for tensor, data in zip(tensors, files, strict=True):
        assert isinstance(tensor, OnGpu)
        expected = nncodec.decode(data, precision="float32").convert("RGB")
        np.testing.assert_array_equal(tensor.inner.permute(1, 2, 0).numpy(), expected)
