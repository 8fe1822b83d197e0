"""The XMP of an image: found wherever Pillow leaves it, and with the size that the image has."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from nncodec.picture.exif import raw_xmp

_WIDTH = re.compile(rb"""((?:exif:PixelXDimension|tiff:ImageWidth)(?:=["']|>))\d+""")
_HEIGHT = re.compile(rb"""((?:exif:PixelYDimension|tiff:ImageLength)(?:=["']|>))\d+""")
_SECOND_PART = re.compile(
    rb"""<xmpNote:HasExtendedXMP>[^<]*</xmpNote:HasExtendedXMP>|\s+xmpNote:HasExtendedXMP=("[^"]*"|'[^']*')"""
)


def xmp_of(info: Mapping[Any, Any]) -> bytes | None:
    """Return the XMP in the `info` of an image, or None."""
    xmp = info.get("xmp") or info.get("XML:com.adobe.xmp")
    if isinstance(xmp, str):
        xmp = xmp.encode(errors="replace")  # a lone surrogate has no UTF-8 form
    return bytes(xmp) if xmp and isinstance(xmp, bytes | bytearray) else raw_xmp(info)


def xmp_with_size(xmp: bytes, size: tuple[int, int]) -> bytes:
    """Return XMP whose width and height, where it has them, say the size of the image."""
    for pattern, edge in zip((_WIDTH, _HEIGHT), size, strict=True):
        xmp = pattern.sub(rb"\g<1>%d" % edge, xmp)
    return xmp


def without_second_part(xmp: bytes) -> bytes:
    """Return XMP that does not refer to a second part, which JPEG files have if it is large; Pillow reads the first."""
    return _SECOND_PART.sub(b"", xmp)
