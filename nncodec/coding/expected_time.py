"""How long an encoding will take, by estimate."""

from __future__ import annotations

import math

from nncodec._support.numbers import real_number
from nncodec.coding.envelope import level_of, require_range
from nncodec.errors import InvalidOption
from nncodec.plugin import registry
from nncodec.plugin.hooks import LOSSLESS


def expected_seconds(model: str, effort: int, megapixels: float) -> float:
    """Return how many seconds one processor core needs to encode pictures, by estimate; NaN if nobody measured it.

    The command line announces this time before long encodings.

    Args:
        model: name or alias of a codec or a lossless model.
        effort: 0..9.
        megapixels: of all pictures, in millions of pixels.

    Raises:
        InvalidOption: the effort is out of range, or there are fewer pixels than none.
        UnknownModel, BadModelFile, WeightsMismatch, PluginError: the model cannot be used.
    """
    million_pixels = real_number(megapixels)
    if million_pixels is None or not 0 <= million_pixels < math.inf:
        raise InvalidOption(option="megapixels", reason=f"{megapixels!r} is not a number from 0")
    catalog = registry.catalog()
    model_info = catalog.find(model)
    is_lossless = catalog.kind_of(model_info) == LOSSLESS
    traits = registry.open_lossless(model_info).traits if is_lossless else registry.open_model(model_info).traits
    level = level_of(traits.efforts, require_range("effort", effort, 0, 9))
    return dict(zip(traits.efforts, traits.seconds_per_megapixel, strict=False)).get(level, math.nan) * million_pixels
