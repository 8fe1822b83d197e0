"""The preview chunk: a small WebP image, decoded without torch and without the model."""

from __future__ import annotations

import io

from PIL import Image

from nncodec.errors import Corrupt
from nncodec.limits import Limits

_QUALITY = 50


def make_preview(image: Image.Image, edge: int) -> bytes:
    """Return a preview of an image of mode L or RGB; its longest edge has at most `edge` pixels."""
    image = image.copy()
    image.thumbnail((edge, edge))
    buffer = io.BytesIO()
    image.save(buffer, "WEBP", quality=_QUALITY, method=6)
    return buffer.getvalue()


def read_preview(chunk: bytes, limits: Limits) -> Image.Image:
    """Return the preview of a chunk; raises Corrupt or LimitExceeded."""
    limits.check("preview_pixels", _declared_pixels(chunk))
    try:
        with Image.open(io.BytesIO(chunk), formats=["WEBP"]) as image:
            return image.convert("RGB") if image.mode != "L" else image.copy()
    except (OSError, SyntaxError, ValueError, EOFError, Image.DecompressionBombError) as error:
        raise Corrupt(detail="the preview is not a readable picture") from error


def _declared_pixels(chunk: bytes) -> int:
    """Return the pixels that a WebP file declares; Pillow would allocate the whole canvas first."""
    if chunk[:4] != b"RIFF" or chunk[8:12] != b"WEBP":
        raise Corrupt(detail="the preview is not a WebP picture")
    kind = chunk[12:16]
    if kind == b"VP8X":
        width, height = int.from_bytes(chunk[24:27], "little") + 1, int.from_bytes(chunk[27:30], "little") + 1
    elif kind == b"VP8L":
        packed = int.from_bytes(chunk[21:25], "little")
        width, height = (packed & 0x3FFF) + 1, (packed >> 14 & 0x3FFF) + 1
    else:
        width, height = (int.from_bytes(chunk[at : at + 2], "little") & 0x3FFF for at in (26, 28))
    return width * height
