"""How long an encoding will take, by estimate."""

from __future__ import annotations

import math

from nncodec.plugin import registry
from nncodec.plugin.hooks import LOSSLESS


def expected_seconds(model: str, effort: int, megapixels: float) -> float:
    """Return how many seconds one processor core needs to encode pictures, by estimate; NaN if nobody measured it.

    Args:
        model: name or alias.
        effort: 0..9.
        megapixels: of all pictures, in millions of pixels.

    Raises:
        UnknownModel, BadModelFile, WeightsMismatch, PluginError: the model cannot be used.
    """
    catalog = registry.catalog()
    model_info = catalog.find(model)
    is_lossless = catalog.kind_of(model_info) == LOSSLESS
    traits = registry.open_lossless(model_info).traits if is_lossless else registry.open_model(model_info).traits
    level = max((level for level in traits.efforts if level <= effort), default=min(traits.efforts))
    return dict(zip(traits.efforts, traits.seconds_per_megapixel, strict=False)).get(level, math.nan) * megapixels
