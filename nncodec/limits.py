"""Limits on what a file may ask for, checked before anything is allocated."""

from __future__ import annotations

import operator
from dataclasses import dataclass, fields

from nncodec.errors import InvalidOption, LimitExceeded


@dataclass(frozen=True, slots=True)
class Limits:
    """The most that a decoder does for one file. Every limit can be set per call.

    Args:
        pixels: width x height x frames, of the coded picture, and of coded and display picture together if the file
            has a display size, with a quarter more of the latter for alpha; also the intermediate picture of
            resampling. The default is the size at which Pillow refuses a decompression bomb.
        frames: frames in one file.
        block_pixels: padded width x height x frames of one block, which is decoded at once. This encoder uses at most
            half of the default.
        blocks: independently coded blocks in one file.
        chunk_bytes: stored size of a chunk, except alpha, which `pixels` bounds.
        exif_bytes, icc_bytes, xmp_bytes, preview_bytes, settings_bytes: further limits for these chunks.
        preview_pixels: size of the preview, which Pillow decodes.
        resampled_edge: coded and display width and height, if they differ: Pillow's resampling takes about 50 bytes for
            each pixel of an edge.

    Raises:
        InvalidOption: a limit is not a whole number from 0.
    """

    pixels: int = 178_956_970
    frames: int = 1 << 20
    block_pixels: int = 1 << 23
    blocks: int = 1 << 18
    chunk_bytes: int = 1 << 24
    exif_bytes: int = 1 << 24
    icc_bytes: int = 1 << 24
    xmp_bytes: int = 1 << 24
    preview_bytes: int = 1 << 20
    settings_bytes: int = 1 << 16
    preview_pixels: int = 1 << 18
    resampled_edge: int = 1 << 20

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            try:
                number = -1 if isinstance(value, bool) else operator.index(value)  # NumPy's become Python's
            except TypeError:
                number = -1
            if number < 0:
                raise InvalidOption(option=field.name, reason=f"the limit {value!r} is not a whole number from 0")
            object.__setattr__(self, field.name, number)

    @property
    def computed_pixels(self) -> int:
        """The most pixels that a model computes for a file: padded, and each tile with its halo, times frames.

        Padding and halos may add half to `pixels`. A single tile of 1024 x 1024 pixels is always allowed.
        """
        return max(1 << 20, self.pixels * 3 // 2)

    def check(self, quantity: str, value: int) -> None:
        """Raise LimitExceeded if `value` is above the limit of that name."""
        limit = getattr(self, quantity)
        if value > limit:
            raise LimitExceeded(quantity=quantity.replace("_", " "), value=value, limit=limit)


DEFAULT_LIMITS = Limits()


def checked_limits(value: object) -> Limits:
    """Return limits that a caller gave; raises InvalidOption if they are something else."""
    if not isinstance(value, Limits):
        raise InvalidOption(option="limits", reason=f"expected nncodec.Limits, got {type(value).__name__}")
    return value
