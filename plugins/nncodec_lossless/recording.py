"""What the model needs to decode in a browser: its networks, and JavaScript modules."""

from __future__ import annotations

from pathlib import Path

from nncodec.engine.fixed_point import activation, exact_layer
from nncodec.engine.operations import Operations, V
from nncodec.plugin.engine import BrowserPart, Loader
from nncodec.plugin.model_file import Tensors
from nncodec_lossless.natural.layers import Layer, layers

_PARTS = 4  # layers of a stage's network
_MODULES = ("decoding", "natural", "density", "synthetic", "decisions")


def browser_part(tensors: Tensors, loader: Loader) -> BrowserPart:
    """Load the networks as `stage_0` to `stage_8`, see `natural.network`, and return the modules.

    Args:
        tensors: of a model file, checked.
        loader: records the networks.
    """
    every = list(layers())
    for number in range(len(every) // _PARTS):
        _load(f"stage_{number}", every[number * _PARTS : (number + 1) * _PARTS], tensors, loader)
    folder = Path(__file__).parent / "browser"
    return BrowserPart(tuple(folder / f"{name}.js" for name in _MODULES))


def _load(name: str, parts: list[Layer], tensors: Tensors, loader: Loader) -> None:
    inner, middle, outer, linear = (
        exact_layer(tensors[f"{part.name}.weight"], tensors[f"{part.name}.bias"]) for part in parts
    )

    def network(operations: Operations[V], features: V) -> tuple[V, V]:
        hidden = activation(operations, operations.convolve(features, inner))
        hidden = activation(operations, operations.convolve(hidden, middle))
        return operations.add(operations.convolve(hidden, outer), operations.convolve(features, linear)), hidden

    # Blocks may change the outputs by what they add of the hidden layer.
    loader.load(name, network, {"features": parts[0].inputs}, ("outputs", "hidden"))
