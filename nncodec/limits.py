"""Limits on what a file may ask for, checked before anything is allocated."""

from __future__ import annotations

from dataclasses import dataclass

from nncodec.errors import LimitExceeded


@dataclass(frozen=True, slots=True)
class Limits:
    """The most that a decoder does for one file. Every limit can be set per call.

    Args:
        pixels: width x height x frames, of the coded and of the display size. The default is the size at which Pillow
            warns of a decompression bomb.
        frames: frames in one file.
        block_pixels: padded width x height x frames of one block, which is decoded at once. This encoder uses at most
            half of the default.
        blocks: independently coded blocks in one file.
        chunk_bytes: stored size of a chunk, except alpha, which `pixels` bounds.
        preview_pixels: size of the preview, which Pillow decodes.
        resampled_edge: coded and display width and height, if they differ: Pillow's resampling takes about 50 bytes for
            each pixel of an edge.
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
