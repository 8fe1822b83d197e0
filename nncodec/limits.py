"""Bounds that a file must keep before anything is allocated for it."""

from __future__ import annotations

from dataclasses import dataclass

from nncodec.errors import LimitExceeded


@dataclass(frozen=True, slots=True)
class Limits:
    """What a decoder is willing to do for one file. Every entry can be set per call.

    Args:
        pixels: width x height x frames, and the same of the display size. The default is the size at which Pillow
            calls a picture a decompression bomb.
        frames: frames in one file.
        block_pixels: width x height x frames of one block, padded as its model pads: what is decoded at once. Encoders
            here keep to half of the default.
        blocks: independently coded blocks in one file.
        chunk_bytes: one chunk as stored, other than alpha, which `pixels` bounds.
        preview_pixels: the preview picture, which is decoded by Pillow.
        resampled_edge: coded and display width and height where they differ: Pillow's resampling takes some 50 bytes
            for each pixel of an edge.
    """

    pixels: int = 178_956_970
    frames: int = 1 << 20
    block_pixels: int = 1 << 23
    blocks: int = 1 << 18
    chunk_bytes: int = 1 << 26
    preview_pixels: int = 1 << 18
    resampled_edge: int = 1 << 20

    def check(self, quantity: str, value: int) -> None:
        """Raise LimitExceeded if `value` is above the limit of that name."""
        limit = getattr(self, quantity)
        if value > limit:
            raise LimitExceeded(quantity=quantity.replace("_", " "), value=value, limit=limit)


DEFAULT_LIMITS = Limits()
