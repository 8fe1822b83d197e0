"""Reads the layers of a network from the tensors of a model file, and checks them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nncodec.engine.fixed_point import check_steps, exact_layer
from nncodec.engine.operations import ConvLayer, FloatArray


class WeightReader:
    """The tensors of a model file that a network consists of.

    Args:
        tensors: by name.
        prefix: of the names of tensors in floating point.
        exact_prefix: of the names of tensors of exact layers.
    """

    def __init__(self, tensors: Mapping[str, NDArray[Any]], prefix: str, exact_prefix: str = "") -> None:
        self._tensors, self._prefix, self._exact = tensors, prefix, exact_prefix
        self._read: set[str] = set()

    def floats(self, name: str, shape: tuple[int, ...]) -> FloatArray:
        """Return a tensor as float32; raises ValueError if it is missing, of another shape, or not finite."""
        stored = self._stored(self._prefix + name)
        if stored.shape != shape:
            raise ValueError(f"tensor {name!r} has shape {stored.shape}, expected {shape}")
        if not np.isfinite(stored).all():
            raise ValueError(f"tensor {name!r} holds values that are not finite")
        return stored.astype(np.float32)

    def layer(self, name: str, outputs: int, inputs: int, kernel: int = 1, *, depthwise: bool = False) -> ConvLayer:
        """Return a convolution; raises ValueError as `floats` does."""
        shape = (outputs, 1 if depthwise else inputs, kernel, kernel)
        return ConvLayer(self.floats(f"{name}.weight", shape), self.floats(f"{name}.bias", shape[:1]), depthwise)

    def dense(self, name: str, outputs: int, inputs: int) -> ConvLayer:
        """Return a dense layer as a 1 x 1 convolution; raises ValueError as `floats` does."""
        weight = self.floats(f"{name}.weight", (outputs, inputs))
        return ConvLayer(weight[:, :, None, None], self.floats(f"{name}.bias", (outputs,)))

    def exact(
        self, name: str, outputs: int, inputs: int, kernel: tuple[int, int] = (1, 1), *, share: float = 1.0
    ) -> ConvLayer:
        """Return an exact convolution, depthwise if it has 0 inputs; raises ValueError if sums might not be exact."""
        weight, bias = (self._stored(f"{self._exact}{name}.{part}") for part in ("weight", "bias"))
        check_steps(weight, bias, (outputs, inputs or 1, *kernel), share)
        return exact_layer(weight, bias, depthwise=not inputs)

    def refuse_others(self, *prefixes: str) -> None:
        """Raise ValueError for a tensor that was not read and whose name has none of these beginnings."""
        odd = [name for name in self._tensors if name not in self._read and not name.startswith(prefixes)]
        if odd:
            raise ValueError(f"tensor {min(odd)!r} is not part of this architecture")

    def _stored(self, name: str) -> NDArray[Any]:
        self._read.add(name)
        if name not in self._tensors:
            raise ValueError(f"tensor {name!r} is missing")
        return self._tensors[name]
