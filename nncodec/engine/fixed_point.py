"""The numbers of networks that are exact, see `nncodec.nn.fixed_point`, and such networks without torch."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from nncodec.engine.operations import ConvLayer, Operations, V

ACTIVATION_STEPS = 16
WEIGHT_STEPS = 512
ACTIVATION_LIMIT = 511
# A power of two, so that the product is exact.
LEAK = 1 / 8
EXACT_STEPS = 2**24


def check_steps(weight: NDArray[Any], bias: NDArray[Any], shape: tuple[int, ...], share: float) -> None:
    """Check the parameters of an exact layer in a model file.

    Args:
        weight, bias: in steps.
        shape: that the weight must have.
        share: part of the exact range that the layer may use.

    Raises:
        ValueError: wrong shapes or types, or sums that might not be exact.
    """
    if weight.shape != shape or bias.shape != shape[:1]:
        raise ValueError(f"fixed-point parameters have shapes {weight.shape} and {bias.shape}")
    if weight.dtype != np.int16 or bias.dtype != np.int32:
        raise ValueError(f"fixed-point parameters are {weight.dtype} and {bias.dtype}, not int16 and int32")
    sums = np.abs(weight.astype(np.int64)).sum(axis=(1, 2, 3)) * ACTIVATION_LIMIT
    if (sums + np.abs(bias.astype(np.int64)) >= share * EXACT_STEPS).any():
        raise ValueError("fixed-point weights are so large that sums would not be exact")


def exact_layer(weight: NDArray[np.int16], bias: NDArray[np.int32], *, depthwise: bool = False) -> ConvLayer:
    """Return an exact layer from its checked parameters."""
    scale = np.float32(1 / WEIGHT_STEPS)
    return ConvLayer(weight.astype(np.float32) * scale, bias.astype(np.float32) * scale, depthwise)


def activation(operations: Operations[V], sums: V) -> V:
    """Return leaky ReLU, rounded and bounded."""
    return operations.bounded(operations.leaky_relu(sums, LEAK), ACTIVATION_LIMIT)
