"""The preview chunk: a small WebP picture that needs neither torch nor the model."""

from __future__ import annotations

import io

import numpy as np
from PIL import Image

from nncodec.errors import Corrupt
from nncodec.limits import Limits
from nncodec.model import Pixels

_QUALITY = 50


def make_preview(colour: Pixels, edge: int) -> bytes:
    """Return a preview of one frame, uint8 (H, W, 1 or 3), at most `edge` pixels long."""
    image = Image.fromarray(np.ascontiguousarray(colour if colour.shape[2] == 3 else colour[..., 0]))
    image.thumbnail((edge, edge))
    buffer = io.BytesIO()
    image.save(buffer, "WEBP", quality=_QUALITY, method=6)
    return buffer.getvalue()


def read_preview(chunk: bytes, limits: Limits) -> Image.Image:
    """Return the preview of a chunk; raises Corrupt or LimitExceeded."""
    try:
        with Image.open(io.BytesIO(chunk), formats=["WEBP"]) as image:
            limits.check("preview_pixels", image.width * image.height)
            return image.convert("RGB") if image.mode != "L" else image.copy()
    except (OSError, SyntaxError, ValueError) as error:
        if isinstance(error, Corrupt):
            raise
        raise Corrupt(detail="the preview is not a readable picture") from error
