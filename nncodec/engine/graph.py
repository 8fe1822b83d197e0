"""Networks as ONNX models: float32 (N, C, H, W), opset 17, for any other runtime."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from nncodec._support import extras
from nncodec.engine.operations import NO_MARGINS, ConvLayer, Margins, Operations
from nncodec.plugin.engine import Network

EXTRA = "onnx"
# Old enough for every runtime of the last years.
_OPSET = 17
_IR_VERSION = 8


class GraphOperations(Operations[str]):
    """Records operations as nodes; a value is the name of a tensor."""

    def __init__(self) -> None:
        self._helper = extras.require("onnx.helper", EXTRA, "an ONNX model")
        self._numpy_helper = extras.require("onnx.numpy_helper", EXTRA, "an ONNX model")
        self.nodes: list[Any] = []
        self.constants: list[Any] = []

    def convolve(self, values: str, layer: ConvLayer, margins: Margins = NO_MARGINS, *, replicate: bool = False) -> str:
        left, right, top, bottom = margins
        if replicate and margins != NO_MARGINS:
            pads = self._constant(np.array([0, 0, top, left, 0, 0, bottom, right], np.int64))
            values = self._node("Pad", values, pads, mode="edge")
            left = right = top = bottom = 0
        weight, bias = self._constant(layer.weight), self._constant(layer.bias)
        group = len(layer.weight) if layer.depthwise else 1
        return self._node("Conv", values, weight, bias, pads=[top, left, bottom, right], group=group)

    def leaky_relu(self, values: str, slope: float) -> str:
        return self._node("LeakyRelu", values, alpha=float(slope))

    def sigmoid(self, values: str) -> str:
        return self._node("Sigmoid", values)

    def bounded(self, values: str, limit: int | None) -> str:
        whole = self._node("Round", values)
        if limit is None:
            return whole
        bounds = (self._constant(np.array(bound, np.float32)) for bound in (-limit, limit))
        return self._node("Clip", whole, *bounds)

    def add(self, first: str, second: str) -> str:
        return self._node("Add", first, second)

    def shuffle(self, values: str, factor: int) -> str:
        return self._node("DepthToSpace", values, blocksize=factor, mode="CRD")

    def enlarge(self, values: str, factor: int) -> str:
        scales = self._constant(np.array([1, 1, factor, factor], np.float32))
        nearest = {"mode": "nearest", "coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"}
        return self._node("Resize", values, "", scales, **nearest)

    def channels(self, values: str, start: int, stop: int) -> str:
        bounds = (self._constant(np.array([number], np.int64)) for number in (start, stop, 1))
        return self._node("Slice", values, *bounds)

    def name_result(self, values: str, name: str) -> None:
        """Give a value the name of a result."""
        self.nodes.append(self._helper.make_node("Identity", [values], [name]))

    def _node(self, kind: str, *inputs: str, **attributes: Any) -> str:
        name = f"v{len(self.nodes)}"
        self.nodes.append(self._helper.make_node(kind, inputs, [name], **attributes))
        return name

    def _constant(self, values: Any) -> str:
        name = f"c{len(self.constants)}"
        self.constants.append(self._numpy_helper.from_array(np.ascontiguousarray(values), name))
        return name


def onnx_model(name: str, network: Network, inputs: Mapping[str, int], outputs: tuple[str, ...]) -> bytes:
    """Return a network as an ONNX model; arguments: see `nncodec.plugin.engine.Loader.load`.

    Raises:
        NncError: onnx is not installed.
    """
    operations = GraphOperations()
    for values, result in zip(network(operations, *inputs), outputs, strict=True):
        operations.name_result(values, result)
    onnx = extras.require("onnx", EXTRA, "an ONNX model")
    helper, kind = onnx.helper, onnx.TensorProto.FLOAT
    given = [helper.make_tensor_value_info(key, kind, ["n", size, "h", "w"]) for key, size in inputs.items()]
    results = [helper.make_tensor_value_info(key, kind, ["n", None, None, None]) for key in outputs]
    graph = helper.make_graph(operations.nodes, name, given, results, operations.constants)
    opsets = [helper.make_opsetid("", _OPSET)]
    model = helper.make_model(graph, opset_imports=opsets, ir_version=_IR_VERSION, producer_name="nncodec")
    return bytes(model.SerializeToString())
