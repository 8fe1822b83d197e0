"""Pillow images to arrays of pixels and back: colour modes, alpha, and the planes a model codes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image

from nncodec.container import ColourMode
from nncodec.errors import UnsupportedImage
from nncodec.limits import DEFAULT_LIMITS
from nncodec.model import Pixels

MODES = ("L", "LA", "RGB", "RGBA")
"""Pillow modes that a file can hold."""


@dataclass(frozen=True)
class Frames:
    """Pictures of one size and mode, taken apart.

    Args:
        mode: planes the model codes.
        colour: uint8 (frames, H, W, 1 or 3).
        alpha: uint8 (frames, H, W), or None for opaque modes.
    """

    mode: ColourMode
    colour: Pixels
    alpha: Pixels | None


def from_images(images: Sequence[Image.Image]) -> Frames:
    """Take images apart.

    Raises:
        UnsupportedImage: none at all, an empty one, a mode outside `MODES`, or images that differ in size or mode.
    """
    if not images:
        raise UnsupportedImage(detail="there is no picture to encode")
    for image in images:
        if not isinstance(image, Image.Image):
            kind = type(image).__name__
            raise UnsupportedImage(
                detail=f"expected Pillow images, got {kind}; make one with Image.fromarray or Image.open"
            )
    first = images[0]
    if first.mode not in MODES:
        raise UnsupportedImage(detail=f"cannot write mode {first.mode} as NNC; convert to one of {', '.join(MODES)}")
    if 0 in first.size:
        raise UnsupportedImage(detail=f"cannot encode a picture of {first.width} x {first.height} pixels")
    for number, image in enumerate(images):
        if (image.size, image.mode) != (first.size, first.mode):
            raise UnsupportedImage(
                detail=f"frame {number} is {image.mode} {image.width} x {image.height}, the first is "
                f"{first.mode} {first.width} x {first.height}; all frames of a file must agree"
            )
    pixels = first.width * first.height * len(images)
    if pixels > DEFAULT_LIMITS.pixels:
        raise UnsupportedImage(
            detail=f"{pixels:,} pixels are more than the {DEFAULT_LIMITS.pixels:,} that readers take; split the picture"
        )
    arrays = [np.asarray(image) for image in images]
    stacked = arrays[0][None] if len(arrays) == 1 else np.stack(arrays)  # (frames, H, W[, C]); one is not copied
    if stacked.ndim == 3:
        stacked = stacked[..., None]
    alpha = np.ascontiguousarray(stacked[..., -1]) if first.mode.endswith("A") else None
    colour = stacked[..., :-1] if alpha is not None else stacked
    return Frames(ColourMode.RGB if colour.shape[3] == 3 else ColourMode.L, colour, alpha)


def to_image(colour: Pixels, alpha: Pixels | None) -> Image.Image:
    """Put one frame together: colour (H, W, 1 or 3) and alpha (H, W) or None."""
    planes = colour if colour.shape[2] == 3 else colour[..., 0]
    image = Image.fromarray(np.ascontiguousarray(planes))
    if alpha is not None:
        image.putalpha(Image.fromarray(alpha))
    return image


def to_model(colour: Pixels, modes: Sequence[str]) -> Pixels:
    """Return the planes a model takes: grey pictures become three equal planes for a colour model.

    Raises:
        UnsupportedImage: a colour picture for a grey model.
    """
    mode = "RGB" if colour.shape[3] == 3 else "L"
    if mode in modes:
        return colour
    if mode == "RGB":
        raise UnsupportedImage(detail="this model codes grey pictures only; convert the picture to mode L")
    return np.broadcast_to(colour, (*colour.shape[:3], 3))


def from_model(planes: Pixels, mode: ColourMode) -> Pixels:
    """Return the planes of a file's mode; where a colour model coded a grey picture, the mean of its planes."""
    if mode is ColourMode.RGB or planes.shape[3] == 1:
        return planes
    total = planes.sum(axis=3, keepdims=True, dtype=np.uint16)
    return np.asarray((total + 1) // 3, np.uint8)


def resize(colour: Pixels, width: int, height: int) -> Pixels:
    """Resample frames (N, H, W, C) by Lanczos."""
    resized = [np.asarray(to_image(c, None).resize((width, height), Image.Resampling.LANCZOS)) for c in colour]
    return np.stack(resized).reshape(len(colour), height, width, colour.shape[3])
