"""Pictures inside the page: lossless, cropped where they would make it too large."""

from __future__ import annotations

import base64
import io
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw, features

MOST_BYTES = 12_000_000
"""What all pictures shown in a page take at most, as text, unless a single one of the smallest size takes more."""

_MOST_PIXELS, _LEAST_PIXELS = 1 << 20, 96 * 96
_LEAST_SIDE = 96
_MOST_SEARCHED = 4_000_000
_THUMBNAIL_SIDE = 240
_MARK_COLOUR = (255, 214, 0)


@dataclass(frozen=True)
class Box:
    """A crop in pixels: left and top inside, right and bottom outside."""

    left: int
    top: int
    right: int
    bottom: int

    @property
    def width(self) -> int:
        """Pixels across."""
        return self.right - self.left

    @property
    def height(self) -> int:
        """Pixels down."""
        return self.bottom - self.top


@dataclass(frozen=True)
class Embedded:
    """Versions of one picture as data URIs, all of the same crop.

    Args:
        box: the crop.
        whole: whether it is the whole picture.
        uris: one for each version, in the order in which they were given.
        thumbnail: the first version in whole, small, with the crop outlined.
    """

    box: Box
    whole: bool
    uris: tuple[str, ...]
    thumbnail: str


def embed(pictures: Sequence[Sequence[Image.Image]], most_bytes: int = MOST_BYTES) -> list[Embedded]:
    """Return pictures as lossless data URIs that together take at most so many bytes.

    Where they would take more, every picture is cropped to a smaller box at its most detailed place.

    Args:
        pictures: for each picture its versions, the original first, all of one size.
    """
    if not pictures:
        return []
    pixels = _MOST_PIXELS
    while True:
        boxes = [_detailed_box(versions[0], pixels) for versions in pictures]
        uris = [tuple(_uri(_cropped(v, box)) for v in versions) for versions, box in zip(pictures, boxes, strict=True)]
        total = sum(len(uri) for group in uris for uri in group)
        if total <= most_bytes or pixels <= _LEAST_PIXELS:
            break
        # Bytes go with the area; a little less, since smaller boxes are the more detailed ones.
        largest = max(box.width * box.height for box in boxes)
        pixels = max(_LEAST_PIXELS, int(0.9 * min(pixels, largest) * most_bytes / total))
    return [
        Embedded(
            box,
            (box.width, box.height) == versions[0].size,
            group,
            _thumbnail(versions[0], box),
        )
        for versions, box, group in zip(pictures, boxes, uris, strict=True)
    ]


def data_uri(data: bytes, kind: str) -> str:
    """Return bytes as a data URI of this MIME type."""
    return f"data:{kind};base64,{base64.b64encode(data).decode('ascii')}"


def _detailed_box(picture: Image.Image, pixels: int) -> Box:
    """Return the box of about so many pixels with the greatest sum of differences between neighbours.

    It has the picture's shape where that leaves it a sensible height and width, and depends on the original only, so
    that no codec is favoured.
    """
    scale = min(1.0, (pixels / (picture.width * picture.height)) ** 0.5)
    height = min(picture.height, max(_LEAST_SIDE, round(picture.height * scale)))
    width = min(picture.width, max(_LEAST_SIDE, round(pixels / height)))
    if (width, height) == picture.size:
        return Box(0, 0, width, height)
    # Large pictures are searched at a smaller size, to bound memory.
    factor = math.ceil(max(1.0, picture.width * picture.height / _MOST_SEARCHED) ** 0.5)
    levels = np.asarray(picture.convert("L").reduce(factor), np.float32)  # H W
    detail = np.zeros_like(levels)
    detail[:, 1:] += np.abs(np.diff(levels, axis=1))
    detail[1:, :] += np.abs(np.diff(levels, axis=0))
    sums = np.zeros((levels.shape[0] + 1, levels.shape[1] + 1))
    sums[1:, 1:] = detail.cumsum(0, np.float64).cumsum(1)
    down, across = max(1, height // factor), max(1, width // factor)
    windows = sums[down:, across:] - sums[:-down, across:] - sums[down:, :-across] + sums[:-down, :-across]
    top, left = (int(place) * factor for place in np.unravel_index(int(windows.argmax()), windows.shape))
    left, top = min(left, picture.width - width), min(top, picture.height - height)
    return Box(left, top, left + width, top + height)


def _cropped(picture: Image.Image, box: Box) -> Image.Image:
    crop = picture.crop((box.left, box.top, box.right, box.bottom))
    crop = crop if crop.mode in ("L", "RGB") else crop.convert("RGB")
    crop.info.clear()  # a colour profile on one side only would look like a difference
    return crop


def _uri(picture: Image.Image) -> str:
    buffer = io.BytesIO()
    if features.check("webp"):
        picture.save(buffer, "WEBP", lossless=True, quality=40, method=2)
        return data_uri(buffer.getvalue(), "image/webp")
    picture.save(buffer, "PNG", optimize=True)
    return data_uri(buffer.getvalue(), "image/png")


def _thumbnail(picture: Image.Image, box: Box) -> str:
    small = picture.convert("RGB")
    small.info.clear()
    small.thumbnail((_THUMBNAIL_SIDE, _THUMBNAIL_SIDE), Image.Resampling.LANCZOS)
    if (box.width, box.height) != picture.size:
        across, down = small.width / picture.width, small.height / picture.height
        outline = (box.left * across, box.top * down, box.right * across - 1, box.bottom * down - 1)
        ImageDraw.Draw(small).rectangle(outline, outline=_MARK_COLOUR, width=2)
    buffer = io.BytesIO()
    small.save(buffer, "PNG", optimize=True)
    return data_uri(buffer.getvalue(), "image/png")
