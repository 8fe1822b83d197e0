"""Networks carried out by ONNX Runtime."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from nncodec._support import extras
from nncodec._support.threads import allowed_threads
from nncodec.engine.graph import EXTRA, onnx_model
from nncodec.engine.operations import FloatArray
from nncodec.plugin.engine import Network, Run

_ERRORS_ONLY = 3


class RuntimeLoader:
    """Runs networks in ONNX Runtime on the processor.

    A graph is made from the weights each time that a model opens, in memory: that takes milliseconds, and nothing is
    kept on disk that could be out of date or forged.
    """

    def load(self, name: str, network: Network, inputs: Mapping[str, int], outputs: tuple[str, ...]) -> Run:
        """See `Loader.load`.

        Raises:
            NncError: ONNX Runtime is not installed.
        """
        runtime: Any = extras.require("onnxruntime", EXTRA, "the engine 'onnx'")
        options = runtime.SessionOptions()
        options.intra_op_num_threads = allowed_threads()
        options.inter_op_num_threads = 1
        # A model has many small networks, each with its own threads, which must not wait busily for the next call.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        options.log_severity_level = _ERRORS_ONLY
        data = onnx_model(name, network, inputs, outputs)
        session = runtime.InferenceSession(data, options, providers=["CPUExecutionProvider"])

        def run(*values: FloatArray) -> tuple[FloatArray, ...]:
            given = {key: np.ascontiguousarray(v.transpose(0, 3, 1, 2)) for key, v in zip(inputs, values, strict=True)}
            results = session.run(None, given)
            return tuple(np.ascontiguousarray(result.transpose(0, 2, 3, 1)) for result in results)

        return run
