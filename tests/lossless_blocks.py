"""The lossless model, and blocks that come back from it."""

from __future__ import annotations

import numpy as np

from nncodec.plugin.registry import open_lossless
from nncodec_lossless.codec import LosslessCodec


def lossless_codec() -> LosslessCodec:
    """Return the bundled lossless model."""
    opened = open_lossless("lossless")
    assert isinstance(opened, LosslessCodec)
    return opened


def coded(model: LosslessCodec, samples: np.ndarray, bits: int = 8) -> bytes:
    """Return the payload of a block, which comes back."""
    payload = model.encode(samples, bits, 0)
    np.testing.assert_array_equal(model.decode(payload, samples.shape, bits), samples)
    return payload
