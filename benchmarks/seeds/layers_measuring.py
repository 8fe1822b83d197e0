"""Codecs on the crops of system C: rates, distortions, times, and qualities that reach an SSIM."""

from __future__ import annotations

import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image

from nncodec import metrics
from nncodec.compare import Codec
from nncodec.plugin.latents import Pixels

EDGE = 128
RAW_BYTES = 3 * EDGE**2

_TIMED = 20


@dataclass(frozen=True)
class Measured:
    """A codec's results on every crop at one quality."""

    quality: int
    psnr_db: list[float]
    ssim: list[float]
    ratio: list[float]
    bytes: list[int]

    @property
    def mean_ssim(self) -> float:
        """Mean over crops."""
        return statistics.fmean(self.ssim)

    def figures(self) -> dict[str, float]:
        """Return means over crops, and the ratio of all bytes."""
        return {
            "quality": self.quality,
            "psnr_db": round(statistics.fmean(self.psnr_db), 3),
            "ssim": round(self.mean_ssim, 5),
            "ratio": round(statistics.fmean(self.ratio), 3),
            "ratio_of_all_bytes": round(RAW_BYTES * len(self.bytes) / sum(self.bytes), 3),
            "bytes_a_file": round(statistics.fmean(self.bytes), 1),
        }


def measure(codec: Codec, quality: int, crops: Sequence[Pixels]) -> Measured:
    """Encode every crop to a file of its own, decode it, and compare."""
    originals = [_image(crop) for crop in crops]
    files = [codec.encode(image, quality) for image in originals]
    pairs = [(image, codec.decode(data).convert("RGB")) for image, data in zip(originals, files, strict=True)]
    return Measured(
        quality,
        [metrics.psnr(*pair) for pair in pairs],
        [metrics.ssim(*pair) for pair in pairs],
        [RAW_BYTES / len(data) for data in files],
        [len(data) for data in files],
    )


def seconds_a_picture(codec: Codec, quality: int, crops: Sequence[Pixels]) -> float:
    """Return the median time to encode and decode a crop, after one that is not counted."""
    seconds = []
    for crop in [crops[0], *crops[:_TIMED]]:
        image = _image(crop)
        start = time.perf_counter()
        codec.decode(codec.encode(image, quality))
        seconds.append(time.perf_counter() - start)
    return round(statistics.median(seconds[1:]), 5)


class Search:
    """Finds qualities of a codec over a set of crops and remembers every measurement.

    Args:
        codec: the codec.
        crops: the set.
    """

    def __init__(self, codec: Codec, crops: Sequence[Pixels]) -> None:
        self.codec = codec
        self._crops = crops
        self._known: dict[int, Measured] = {}

    def at(self, quality: int) -> Measured:
        """Return the results at a quality."""
        if quality not in self._known:
            self._known[quality] = measure(self.codec, quality, self._crops)
        return self._known[quality]

    def at_least(self, ssim: float) -> Measured | None:
        """Return the results at the lowest quality whose mean SSIM reaches a value; None if no quality does."""
        qualities = self.codec.qualities
        low, high = 0, len(qualities) - 1
        best: Measured | None = None
        while low <= high:
            middle = (low + high) // 2
            measured = self.at(qualities[middle])
            if measured.mean_ssim >= ssim:
                best, high = measured, middle - 1
            else:
                low = middle + 1
        return best


def _image(crop: Pixels) -> Image.Image:
    return Image.fromarray(np.ascontiguousarray(crop))
