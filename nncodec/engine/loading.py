"""What makes a network ready to run: in plain NumPy, or by ONNX Runtime."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import Protocol

from nncodec.engine.arrays import ArrayOperations
from nncodec.engine.operations import Network, Run
from nncodec.plugin.engine import Engine
from nncodec.plugin.model_file import ModelFile


class Loader(Protocol):
    """Makes the networks of one model ready to run."""

    def load(self, name: str, network: Network, inputs: Mapping[str, int], outputs: tuple[str, ...]) -> Run:
        """Return a network ready to run.

        Args:
            name: of the network within its model.
            network: the network.
            inputs: names of its values and their channels.
            outputs: names of its results.
        """


class ArrayLoader:
    """Runs networks in plain NumPy."""

    def load(self, name: str, network: Network, inputs: Mapping[str, int], outputs: tuple[str, ...]) -> Run:
        """See `Loader.load`."""
        return functools.partial(network, ArrayOperations())


def loader_of(engine: Engine, model_file: ModelFile) -> Loader:
    """Return what makes the networks of a model ready for an engine."""
    return ArrayLoader()
