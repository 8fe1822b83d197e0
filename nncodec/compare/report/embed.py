"""Pictures inside the page: lossless, cropped if the page would get too large."""

from __future__ import annotations

import base64
import io
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw, features

from nncodec.compare.crops import Crop, window_sums

MOST_BYTES = 12_000_000
"""Limit for all pictures in a page, as text; a crop of the smallest size may exceed it."""

_MOST_PIXELS, _LEAST_PIXELS = 1 << 20, 96 * 96
_LEAST_SIDE = 96
_MOST_SEARCHED = 4_000_000
_THUMBNAIL_SIDE = 240
_MARK_COLOUR = (255, 214, 0)


@dataclass(frozen=True)
class Embedded:
    """Versions of one picture as data URIs, all of the same crop.

    Args:
        crop: the part that is shown.
        whole: whether the crop is the whole picture.
        uris: one for each version, in the order given.
        thumbnail: the whole first version, small, with the crop outlined.
    """

    crop: Crop
    whole: bool
    uris: tuple[str, ...]
    thumbnail: str


def embed(pictures: Sequence[Sequence[Image.Image]], most_bytes: int = MOST_BYTES) -> list[Embedded]:
    """Return pictures as lossless data URIs that take at most so many bytes together.

    If they would take more, every picture is cropped to its most detailed part.

    Args:
        pictures: the versions of each picture, the original first, all of one size.
    """
    if not pictures:
        return []
    pixels = _MOST_PIXELS
    while True:
        crops = [_detailed_crop(versions[0], pixels) for versions in pictures]
        uris = [
            tuple(_uri(_cropped(v, crop)) for v in versions) for versions, crop in zip(pictures, crops, strict=True)
        ]
        total = sum(len(uri) for group in uris for uri in group)
        if total <= most_bytes or pixels <= _LEAST_PIXELS:
            break
        # Bytes grow with the area, a little less than in proportion: smaller crops are more detailed.
        largest = max(crop.width * crop.height for crop in crops)
        pixels = max(_LEAST_PIXELS, int(0.9 * min(pixels, largest) * most_bytes / total))
    return [
        Embedded(
            crop,
            (crop.width, crop.height) == versions[0].size,
            group,
            _thumbnail(versions[0], crop),
        )
        for versions, crop, group in zip(pictures, crops, uris, strict=True)
    ]


def data_uri(data: bytes, kind: str) -> str:
    """Return bytes as a data URI of this MIME type."""
    return f"data:{kind};base64,{base64.b64encode(data).decode('ascii')}"


def _detailed_crop(picture: Image.Image, pixels: int) -> Crop:
    """Return the crop of about so many pixels with the largest sum of differences between neighbours.

    It has the picture's shape unless an edge gets too short. It depends on the original only, so it favours no codec.
    """
    scale = min(1.0, (pixels / (picture.width * picture.height)) ** 0.5)
    height = min(picture.height, max(_LEAST_SIDE, round(picture.height * scale)))
    width = min(picture.width, max(_LEAST_SIDE, round(pixels / height)))
    if (width, height) == picture.size:
        return Crop(0, 0, width, height)
    # Large pictures are searched at a smaller size to bound memory.
    factor = math.ceil(max(1.0, picture.width * picture.height / _MOST_SEARCHED) ** 0.5)
    levels = np.asarray(picture.convert("L").reduce(factor), np.float32)  # H W
    detail = np.zeros_like(levels)
    detail[:, 1:] += np.abs(np.diff(levels, axis=1))
    detail[1:, :] += np.abs(np.diff(levels, axis=0))
    windows = window_sums(detail, max(1, height // factor), max(1, width // factor))
    top, left = (int(place) * factor for place in np.unravel_index(int(windows.argmax()), windows.shape))
    left, top = min(left, picture.width - width), min(top, picture.height - height)
    return Crop(left, top, left + width, top + height)


def _cropped(picture: Image.Image, crop: Crop) -> Image.Image:
    part = picture.crop(crop.box)
    part = part if part.mode in ("L", "RGB") else part.convert("RGB")
    part.info.clear()  # a colour profile on one side only would look like a difference
    return part


def _uri(picture: Image.Image) -> str:
    buffer = io.BytesIO()
    if features.check("webp"):
        picture.save(buffer, "WEBP", lossless=True, quality=40, method=2)
        return data_uri(buffer.getvalue(), "image/webp")
    picture.save(buffer, "PNG", optimize=True)
    return data_uri(buffer.getvalue(), "image/png")


def _thumbnail(picture: Image.Image, crop: Crop) -> str:
    small = picture.convert("RGB")
    small.info.clear()
    small.thumbnail((_THUMBNAIL_SIDE, _THUMBNAIL_SIDE), Image.Resampling.LANCZOS)
    if (crop.width, crop.height) != picture.size:
        across, down = small.width / picture.width, small.height / picture.height
        outline = (crop.left * across, crop.top * down, crop.right * across - 1, crop.bottom * down - 1)
        ImageDraw.Draw(small).rectangle(outline, outline=_MARK_COLOUR, width=2)
    buffer = io.BytesIO()
    small.save(buffer, "PNG", optimize=True)
    return data_uri(buffer.getvalue(), "image/png")
