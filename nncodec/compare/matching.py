"""The quality at which a codec meets a given size, PSNR or SSIM on one picture."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

from PIL import Image

from nncodec import metrics
from nncodec.compare.codecs import Codec, open_codec
from nncodec.compare.results import MATCHED
from nncodec.errors import InvalidOption


class Coded(NamedTuple):
    """A picture after a codec: its file, the decoded picture in the original's mode, and the quality."""

    data: bytes
    image: Image.Image
    quality: int


def code_at_bytes(codec: Codec | str, image: Image.Image, target_bytes: int) -> Coded:
    """Code a picture into a file whose size comes as near as the codec's whole qualities allow.

    Args:
        codec: or its name, see `codecs`.
        image: mode L or RGB.
        target_bytes: of the whole file.

    Raises:
        InvalidOption: no such codec.
        NncError, OSError, ValueError: the codec refuses the picture.
    """
    return _code_at(codec, image, "bytes", target_bytes)


def code_at_psnr(codec: Codec | str, image: Image.Image, target_db: float) -> Coded:
    """Code a picture so that its PSNR comes as near to a target as the codec's whole qualities allow.

    Args, Raises: see `code_at_bytes`.
    """
    return _code_at(codec, image, "psnr", target_db)


def code_at_ssim(codec: Codec | str, image: Image.Image, target: float) -> Coded:
    """Code a picture so that its SSIM comes as near to a target as the codec's whole qualities allow.

    Args, Raises: see `code_at_bytes`.
    """
    return _code_at(codec, image, "ssim", target)


def matched_quality(
    codec: Codec, image: Image.Image, by: str, target: float, known: Mapping[int, float] | None = None
) -> int:
    """Return the quality at which a codec comes nearest to a target.

    Args:
        by: one of `MATCHED`.
        target: bytes, dB or SSIM.
        known: values at qualities that need not be tried again.

    Raises:
        InvalidOption: `by` is something else.
        NncError, OSError, ValueError: the codec refuses the picture.
    """
    check_matched(by)

    def value_at(quality: int) -> float:
        data = codec.encode(image, quality)
        if by == "bytes":
            return len(data)
        decoded = alike(codec.decode(data), image)
        return metrics.psnr(image, decoded) if by == "psnr" else metrics.ssim(image, decoded)

    return nearest_quality(codec.qualities, value_at, target, known or {})


def check_matched(by: str) -> None:
    """Raise InvalidOption where `by` is not one of `MATCHED`."""
    if by not in MATCHED:
        raise InvalidOption(option="match", reason=f"codecs are matched by {', '.join(MATCHED)}, not by {by!r}")


def alike(decoded: Image.Image, original: Image.Image) -> Image.Image:
    """Return a decoded picture in its original's mode: some formats have no grey."""
    return decoded if decoded.mode == original.mode else decoded.convert(original.mode)


def nearest_quality(
    qualities: range, value_at: Callable[[int], float], target: float, known: Mapping[int, float]
) -> int:
    """Return the quality whose value is nearest to a target, by bisection.

    Where the value does not rise with every step of quality, it is one of the nearest.
    """
    tried = {quality: value for quality, value in known.items() if quality in qualities}

    def value(quality: int) -> float:
        if quality not in tried:
            tried[quality] = value_at(quality)
        return tried[quality]

    # What is known narrows the search, and the answer is the first quality that reaches the target or the one before.
    low, high = 0, len(qualities) - 1
    reached = [quality for quality, known_value in tried.items() if known_value >= target]
    if reached:
        high = qualities.index(min(reached))
    below = [quality for quality, known_value in tried.items() if known_value < target and quality < qualities[high]]
    if below:
        low = qualities.index(max(below)) + 1
    while low < high:
        middle = (low + high) // 2
        if value(qualities[middle]) < target:
            low = middle + 1
        else:
            high = middle
    nearby = qualities[max(low - 1, 0) : low + 1]
    return min(nearby, key=lambda quality: 0.0 if value(quality) == target else abs(value(quality) - target))


def _code_at(codec: Codec | str, image: Image.Image, by: str, target: float) -> Coded:
    opened = open_codec(codec) if isinstance(codec, str) else codec
    quality = matched_quality(opened, image, by, target)
    data = opened.encode(image, quality)
    return Coded(data, alike(opened.decode(data), image), quality)
