"""Quantized latents: named integer arrays, and their shapes for a size of image."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.uint8]
"""Images, uint8 (N, H, W, C) unless another shape is given."""

IntArray = NDArray[np.int32]
"""One array of latents, int32 (N, C, h, w)."""

VALUE_LIMIT = 1 << 30
"""Bound on the magnitude of latents (inclusive) and offsets (exclusive), so that their differences fit 32 bits."""

Latents = dict[str, IntArray]
"""Array name to int32 array (N, C, h, w)."""


@dataclass(frozen=True)
class LatentSpec:
    """One array of latents.

    Args:
        name: its name within the model.
        channels: C.
        stride: pixels that a latent covers along each axis; for a model of fixed size up to the whole image.
        minimum, maximum: range of values, inclusive.
        step: a value is its offset plus a multiple of this, see `entropy.StageContext`. With a step of 16, for example,
            latents count sixteenths, and symbols are whole numbers around means that are known to a sixteenth.
    """

    name: str
    channels: int
    stride: int
    minimum: int
    maximum: int
    step: int = 1

    def __post_init__(self) -> None:
        if not -VALUE_LIMIT <= self.minimum <= self.maximum <= VALUE_LIMIT:
            raise ValueError(f"latents {self.name!r} range over {self.minimum}..{self.maximum}, beyond +-{VALUE_LIMIT}")
        if not 1 <= self.step <= VALUE_LIMIT:
            raise ValueError(f"latents {self.name!r} have a step of {self.step}, not 1 to {VALUE_LIMIT}")

    def shape(self, frames: int, height: int, width: int) -> tuple[int, int, int, int]:
        """Return the array's shape for images of this size."""
        return frames, self.channels, math.ceil(height / self.stride), math.ceil(width / self.stride)


def problem_with_analysis(
    arrays: Mapping[str, NDArray[Any]], specs: tuple[LatentSpec, ...], shape: tuple[int, int, int]
) -> str | None:
    """Return what is wrong with the result of an analysis for (frames, height, width), or None."""
    if problem := _problem_with_types("its analysis", arrays):
        return problem
    declared = {spec.name: spec.shape(*shape) for spec in specs}
    if not arrays or not arrays.keys() <= declared.keys():
        return f"its analysis gives {sorted(arrays)}, declared {sorted(declared)}"
    for name, array in arrays.items():
        if array.shape != declared[name]:
            return f"analysis gives {name!r} of shape {array.shape}, declared {declared[name]}"
        if array.dtype.kind not in "iuf":
            return f"analysis gives {name!r} as {array.dtype}, not numbers"
    return None


def problem_with(
    latents: Mapping[str, IntArray], specs: tuple[LatentSpec, ...], shape: tuple[int, int, int]
) -> str | None:
    """Return what is wrong with a model's latents for (frames, height, width), or None."""
    if problem := _problem_with_types("its rounding", latents):
        return problem
    if latents.keys() != {spec.name for spec in specs}:
        return f"its latents are {sorted(latents)}, declared {sorted(spec.name for spec in specs)}"
    for spec in specs:
        array = latents[spec.name]
        if array.shape != spec.shape(*shape):
            return f"latents {spec.name!r} have shape {array.shape}, declared {spec.shape(*shape)}"
        if array.dtype != np.int32:
            return f"latents {spec.name!r} are {array.dtype}, not int32"
        if array.size and (array.min() < spec.minimum or array.max() > spec.maximum):
            return f"latents {spec.name!r} leave {spec.minimum}..{spec.maximum}"
    return None


def kind_of_array(value: object) -> str:
    """Return what an array is, or is instead, for a message: "uint8 (1, 8, 8, 3)", or "a Tensor, not a NumPy array"."""
    return f"{value.dtype} {value.shape}" if isinstance(value, np.ndarray) else f"a {_type(value)}, not a NumPy array"


def _problem_with_types(what: str, arrays: object) -> str | None:
    if not isinstance(arrays, Mapping):
        return f"{what} gives a {_type(arrays)}, not a dictionary of arrays"
    other = next((name for name, array in arrays.items() if not isinstance(array, np.ndarray)), None)
    return None if other is None else f"{what} gives {other!r} as {kind_of_array(arrays[other])}"


def _type(value: object) -> str:
    return type(value).__name__
