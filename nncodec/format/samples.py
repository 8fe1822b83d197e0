"""How the samples of an exact picture are stored: bits, planes, and the error that is permitted."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nncodec.plugin.lossless import Samples

MAX_BITS = 16
MAX_PLANES = 32
SampleArray = NDArray[np.uint8 | np.uint16]
"""Samples of a picture as users have them: uint8 for up to 8 bits, else uint16."""

_BYTE_BITS = 8
# Bytes of a pixel that count as one pixel against a limit; more of them count as several.
_PIXEL_BYTES = 4


@dataclass(frozen=True)
class SampleFormat:
    """The samples of a picture that is stored exactly, or nearly so.

    Args:
        bits: of each sample, 1..16.
        planes: samples of each pixel, 1..32.
        max_error: the most by which a decoded sample differs from the original, 0 for none, below 2^bits.
    """

    bits: int
    planes: int
    max_error: int = 0

    @property
    def dtype(self) -> type[np.uint8 | np.uint16]:
        """Type of the decoded samples."""
        return np.uint8 if self.bits <= _BYTE_BITS else np.uint16

    @property
    def weight(self) -> int:
        """How many pixels one pixel counts as where pixels are limited: one for each 4 bytes."""
        return -(-self.planes * np.dtype(self.dtype).itemsize // _PIXEL_BYTES)

    @property
    def coded_bits(self) -> int:
        """Bits of a sample as a model codes it: fewer, if an error is permitted."""
        return max(1, int(self.quantized(np.array([self._top], np.uint16))[0]).bit_length())

    def quantized(self, samples: NDArray[Any]) -> Samples:
        """Return samples of the picture as a model codes them: the multiple of 2 max_error + 1 that is nearest."""
        if not self.max_error:
            return samples.astype(np.uint16, copy=False)
        return ((samples.astype(np.uint32) + self.max_error) // self._step).astype(np.uint16)

    def restored(self, coded: Samples) -> SampleArray:
        """Return the samples of the picture from those that a model decoded."""
        if not self.max_error:
            return coded.astype(self.dtype, copy=False)
        return np.minimum(coded.astype(np.uint32) * self._step, self._top).astype(self.dtype)

    @property
    def _step(self) -> int:
        return 2 * self.max_error + 1

    @property
    def _top(self) -> int:
        return (1 << self.bits) - 1
