"""The layers of the networks in a model file: names and shapes, known without torch."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from numpy.typing import NDArray

from nncodec.engine.fixed_point import check_steps
from nncodec_lossless.natural.neighbours import EARLIER, PHASES, feature_count

HIDDEN = 32
OUTPUTS = 3
# Parts of the exact range that the two layers which end in the outputs may use, and what blocks change of them.
OUTER_SHARE, LINEAR_SHARE, CHANGE_SHARE = 0.45, 0.25, 0.3


class Layer(NamedTuple):
    """A layer: its name in model files, the shape of its weight, and its part of the exact range."""

    name: str
    outputs: int
    inputs: int
    share: float = 1.0


def layers() -> Iterator[Layer]:
    """Yield all layers of the networks, which `network.Networks` has in the same order."""
    stages = [(plane, phase) for plane in range(EARLIER + 1) for phase in range(1, len(PHASES))]
    for number, (plane, phase) in enumerate(stages):
        inputs, name = feature_count(plane, phase), f"stages.{number}"
        yield Layer(f"{name}.inner", HIDDEN, inputs)
        yield Layer(f"{name}.middle", HIDDEN, HIDDEN)
        yield Layer(f"{name}.outer", OUTPUTS, HIDDEN, OUTER_SHARE)
        yield Layer(f"{name}.linear", OUTPUTS, inputs, LINEAR_SHARE)


def check_tensors(tensors: Mapping[str, NDArray[Any]]) -> None:
    """Check the tensors of a model file.

    Raises:
        ValueError: one is missing, does not fit or is not part of the networks, or sums might not be exact.
    """
    left = dict(tensors)
    for layer in layers():
        parts = [left.pop(f"{layer.name}.{part}", None) for part in ("weight", "bias")]
        if parts[0] is None or parts[1] is None:
            raise ValueError(f"the weight or bias of {layer.name!r} is missing")
        check_steps(parts[0], parts[1], (layer.outputs, layer.inputs, 1, 1), layer.share)
    if left:
        raise ValueError(f"tensor {min(left)!r} is not part of this architecture")
