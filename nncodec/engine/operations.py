"""The operations that networks without torch are written in.

A network is a function of `Operations` and of values of shape (N, C, H, W); what a value is depends on who carries the
operations out: an array in NumPy, the name of a tensor in an ONNX graph. Operations may overwrite the values that they
are given, except `convolve`, so other results are used once.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Generic, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

V = TypeVar("V")
FloatArray = NDArray[np.float32]


class Margins(NamedTuple):
    """Rows and columns that a convolution sees outside its input."""

    left: int = 0
    right: int = 0
    top: int = 0
    bottom: int = 0


NO_MARGINS = Margins()
AROUND = Margins(1, 1, 1, 1)
"""What a 3 x 3 kernel needs to keep the size."""


@dataclass(frozen=True, eq=False)
class ConvLayer:
    """A convolution of stride 1.

    Args:
        weight: (outputs, inputs, kernel height, kernel width) float32; of a depthwise layer (channels, 1, ...).
        bias: (outputs,) float32.
        depthwise: whether each channel is convolved by itself.
    """

    weight: FloatArray
    bias: FloatArray
    depthwise: bool = False


class Operations(ABC, Generic[V]):
    """What a network may do with its values."""

    @abstractmethod
    def convolve(self, values: V, layer: ConvLayer, margins: Margins = NO_MARGINS, *, replicate: bool = False) -> V:
        """Convolve; margins hold zeros, or copies of the edge with `replicate`. Leaves its input as it is."""

    @abstractmethod
    def leaky_relu(self, values: V, slope: float) -> V:
        """Multiply negative values by a slope from 0 to below 1; 0 makes it a ReLU."""

    @abstractmethod
    def sigmoid(self, values: V) -> V:
        """Return 1 / (1 + exp(-values))."""

    @abstractmethod
    def bounded(self, values: V, limit: int | None) -> V:
        """Round to whole numbers, ties to even, and clip to +-limit unless that is None."""

    @abstractmethod
    def add(self, first: V, second: V) -> V:
        """Add values of one shape; overwrites the first alone."""

    @abstractmethod
    def shuffle(self, values: V, factor: int) -> V:
        """Move channels to places: (N, C f f, H, W) to (N, C, H f, W f), as PyTorch's `pixel_shuffle`."""

    @abstractmethod
    def enlarge(self, values: V, factor: int) -> V:
        """Repeat every row and column: (N, C, H, W) to (N, C, H f, W f)."""

    @abstractmethod
    def channels(self, values: V, start: int, stop: int) -> V:
        """Return some channels."""
