"""The operations that networks without torch are written in, carried out by NumPy and by ONNX Runtime."""

from __future__ import annotations

import runpy
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from nncodec.engine.arrays import ArrayLoader
from nncodec.engine.operations import ConvLayer, Margins, Operations, V
from nncodec.engine.runtime import RuntimeLoader
from nncodec.plugin.engine import Loader

RANDOM = np.random.default_rng(4)
SHAPE = (2, 4, 5, 3)  # (N, C, H, W)


def layer(outputs: int, inputs: int, kernel: tuple[int, int] = (1, 1), *, depthwise: bool = False) -> ConvLayer:
    shape = (outputs, 1 if depthwise else inputs, *kernel)
    whole = RANDOM.integers(-5, 6, shape).astype(np.float32), RANDOM.integers(-5, 6, outputs).astype(np.float32)
    return ConvLayer(*whole, depthwise)


def in_torch(values: Tensor, own: ConvLayer, margins: Margins, *, replicate: bool) -> Tensor:
    padded = F.pad(values, tuple(margins), mode="replicate" if replicate else "constant")
    weight, bias = torch.from_numpy(own.weight), torch.from_numpy(own.bias)
    return F.conv2d(padded, weight, bias, groups=len(weight) if own.depthwise else 1)


def _convolutions() -> Iterator[tuple[ConvLayer, Margins, bool]]:
    yield layer(6, 4), Margins(), False
    yield layer(6, 4, (2, 1)), Margins(0, 0, 1, 0), False
    yield layer(6, 4, (2, 2)), Margins(1, 0, 0, 1), False
    yield layer(4, 4, (3, 3), depthwise=True), Margins(1, 1, 1, 1), False
    yield layer(4, 4, (3, 3), depthwise=True), Margins(1, 1, 1, 1), True


LAYERS = list(_convolutions())


def convolve(number: int) -> Callable[[Operations[V], V], tuple[V]]:
    own, margins, replicate = LAYERS[number]
    return lambda operations, values: (operations.convolve(values, own, margins, replicate=replicate),)


@pytest.fixture(params=[ArrayLoader(), RuntimeLoader()], ids=["numpy", "onnx"])
def loader(request: pytest.FixtureRequest) -> Loader:
    """Return what carries out networks, or skip where it is not installed."""
    if isinstance(request.param, RuntimeLoader):
        pytest.importorskip("onnxruntime")
        pytest.importorskip("onnx")
    found: Loader = request.param
    return found


def ran(loader: Loader, network: Callable[..., tuple[object, ...]], values: np.ndarray, channels: int) -> np.ndarray:
    """Run a network with one input and one result, on arrays (N, C, H, W)."""
    run = loader.load("test", network, {"values": channels}, ("result",))
    (result,) = run(np.ascontiguousarray(values.transpose(0, 2, 3, 1)))
    assert result.dtype == np.float32
    return result.transpose(0, 3, 1, 2)


@pytest.mark.parametrize("number", range(len(LAYERS)))
@pytest.mark.parametrize("size", [(5, 3), (1, 1), (40, 30)])
def test_convolutions_equal_those_of_torch(loader: Loader, number: int, size: tuple[int, int]) -> None:
    values = RANDOM.integers(-9, 10, (2, 4, *size)).astype(np.float32)
    own, margins, replicate = LAYERS[number]
    expected = in_torch(torch.from_numpy(values), own, margins, replicate=replicate)
    np.testing.assert_array_equal(ran(loader, convolve(number), values, 4), expected.numpy())


def test_other_operations_equal_those_of_torch(loader: Loader) -> None:
    values = (RANDOM.integers(-40, 41, SHAPE) / 4).astype(np.float32)  # with ties
    tensor = torch.from_numpy(values)
    cases: tuple[tuple[Callable[..., tuple[object, ...]], Tensor], ...] = (
        (lambda o, v: (o.leaky_relu(v, 0.125),), F.leaky_relu(tensor, 0.125)),
        (lambda o, v: (o.leaky_relu(v, 0),), F.relu(tensor)),
        (lambda o, v: (o.enlarge(v, 2),), F.interpolate(tensor, scale_factor=2)),
        (lambda o, v: (o.bounded(v, None),), tensor.round()),
        (lambda o, v: (o.bounded(v, 3),), tensor.round().clamp(-3, 3)),
        (lambda o, v: (o.shuffle(v, 2),), F.pixel_shuffle(tensor, 2)),
        (lambda o, v: (o.channels(v, 1, 3),), tensor[:, 1:3]),
        (lambda o, v: (o.add(o.convolve(v, LAYERS[4][0], Margins(1, 1, 1, 1)), v),), None),
    )
    for network, expected in cases:
        wanted = in_torch(tensor, *LAYERS[4][:2], replicate=False) + tensor if expected is None else expected
        np.testing.assert_array_equal(ran(loader, network, values, 4), wanted.numpy())


def test_a_sigmoid_is_that_of_torch_but_for_rounding(loader: Loader) -> None:
    values = np.linspace(-200, 200, 480, dtype=np.float32).reshape(2, 4, 6, 10)
    found = ran(loader, lambda o, v: (o.sigmoid(v),), values, 4)
    np.testing.assert_allclose(found, torch.from_numpy(values).sigmoid().numpy(), rtol=1e-5, atol=1e-7)


def test_the_example_in_the_documentation_runs() -> None:
    runpy.run_path(str(Path(__file__).parents[2] / "docs" / "examples" / "engine_network.py"))
