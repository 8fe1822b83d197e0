"""Networks as lists of operations with their numbers, for an engine in another language."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nncodec.engine.fixed_point import WEIGHT_STEPS
from nncodec.engine.operations import NO_MARGINS, ConvLayer, FloatArray, Margins, Operations
from nncodec.plugin.engine import Network, Run


class NetworkRecorder:
    """A `Loader` that records networks instead of making them ready.

    Attributes:
        networks: by name. A network has the number of its `inputs`, `nodes`, and the numbers of the values that are its
            `outputs`. Values are numbered: first the inputs, then the result of each node. A node holds its operation
            (`op`, a method of `Operations`), the values that it takes (`of`), and its other arguments.
        layers: of all networks, by the numbers in their nodes: the shape of the weight, and whether it is depthwise.
        tensors: `layer.N.weight` and `layer.N.bias` of each layer, see `packed`.
    """

    def __init__(self) -> None:
        self.networks: dict[str, dict[str, Any]] = {}
        self.layers: list[dict[str, Any]] = []
        self.tensors: dict[str, NDArray[Any]] = {}
        self._numbers: dict[ConvLayer, int] = {}

    def load(self, name: str, network: Network, inputs: Mapping[str, int], outputs: tuple[str, ...]) -> Run:
        """See `Loader.load`; the result cannot be called."""
        operations = _Recording(self, len(inputs))
        results = network(operations, *range(len(inputs)))
        self.networks[name] = {"inputs": len(inputs), "nodes": operations.nodes, "outputs": list(results)}
        return _refuse

    def number_of(self, layer: ConvLayer) -> int:
        """Return the number of a layer; networks may share layers."""
        if layer not in self._numbers:
            number = self._numbers[layer] = len(self.layers)
            self.layers.append({"shape": list(layer.weight.shape), "depthwise": layer.depthwise})
            self.tensors[f"layer.{number}.weight"] = packed(layer.weight)
            self.tensors[f"layer.{number}.bias"] = layer.bias
        return self._numbers[layer]


def packed(weight: FloatArray) -> NDArray[Any]:
    """Return weights in the shortest type that holds them exactly: int16 counts steps of 1/512, float16, or float32."""
    steps = weight * np.float32(WEIGHT_STEPS)
    if (steps == np.rint(steps)).all() and np.abs(steps).max(initial=0) <= np.iinfo(np.int16).max:
        return steps.astype(np.int16)
    with np.errstate(over="ignore"):
        half = weight.astype(np.float16)
    return half if (half == weight).all() else weight


def _refuse(*_: object) -> Any:
    raise TypeError("this network was recorded, not made ready to run")


class _Recording(Operations[int]):
    """Records operations as nodes; a value is its number."""

    def __init__(self, recorder: NetworkRecorder, inputs: int) -> None:
        self._recorder, self._inputs = recorder, inputs
        self.nodes: list[dict[str, Any]] = []

    def convolve(self, values: int, layer: ConvLayer, margins: Margins = NO_MARGINS, *, replicate: bool = False) -> int:
        number = self._recorder.number_of(layer)
        return self._node("convolve", values, layer=number, margins=list(margins), replicate=replicate)

    def leaky_relu(self, values: int, slope: float) -> int:
        return self._node("leaky_relu", values, slope=slope)

    def sigmoid(self, values: int) -> int:
        return self._node("sigmoid", values)

    def bounded(self, values: int, limit: int | None) -> int:
        return self._node("bounded", values, limit=limit)

    def add(self, first: int, second: int) -> int:
        return self._node("add", first, second)

    def shuffle(self, values: int, factor: int) -> int:
        return self._node("shuffle", values, factor=factor)

    def enlarge(self, values: int, factor: int) -> int:
        return self._node("enlarge", values, factor=factor)

    def channels(self, values: int, start: int, stop: int) -> int:
        return self._node("channels", values, start=start, stop=stop)

    def _node(self, operation: str, *values: int, **options: Any) -> int:
        self.nodes.append({"op": operation, "of": list(values), **options})
        return self._inputs + len(self.nodes) - 1
