"""What makes networks without torch ready to run, for models that can decode without it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

Network = Callable[..., tuple[Any, ...]]
"""`network(operations, *values)` returns a tuple of values; see `nncodec.engine.operations.Operations`."""

Run = Callable[..., tuple[NDArray[np.float32], ...]]
"""A network that is ready to run: maps arrays (N, H, W, C), channels last, to such arrays; may overwrite its input."""


class Loader(Protocol):
    """Makes the networks of a model ready to run: in plain NumPy, or by ONNX Runtime. Hashable."""

    def __hash__(self) -> int: ...

    def load(self, name: str, network: Network, inputs: Mapping[str, int], outputs: tuple[str, ...]) -> Run:
        """Return a network ready to run.

        Args:
            name: of the network within its model.
            network: the network.
            inputs: names of its values and their channels.
            outputs: names of its results.
        """


@dataclass(frozen=True)
class BrowserPart:
    """What a decoder brings to the page of `nncodec viewer`, beside its networks and its traits.

    Args:
        modules: JavaScript modules of the architecture, which find each other in one folder. docs/viewer.md describes
            what the first one exports.
        facts: for that module, as JSON.
        arrays: for that module, by name; of the types that a model file may have.
    """

    modules: tuple[Path, ...]
    facts: Mapping[str, Any] = field(default_factory=dict)
    arrays: Mapping[str, NDArray[Any]] = field(default_factory=dict)
