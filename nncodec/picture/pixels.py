"""Converts Pillow images to arrays of pixels and back: colour modes, alpha, tiles, and a model's planes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from PIL import Image

from nncodec.errors import UnsupportedImage
from nncodec.format.header import ColourMode
from nncodec.limits import DEFAULT_LIMITS
from nncodec.picture.area import Area, Span, read_window
from nncodec.plugin.latents import Pixels

MODES = ("L", "LA", "RGB", "RGBA")
"""Pillow modes that a file can hold."""


@dataclass(frozen=True)
class Frames:
    """Images of one size and mode.

    Colour stays in the images and is read one window at a time: an array of a large image would be a second copy of it.

    Args:
        images: with or without alpha.
        alpha: uint8 (frames, H, W), or None for opaque modes.
    """

    images: tuple[Image.Image, ...]
    alpha: Pixels | None

    @property
    def mode(self) -> ColourMode:
        """Colour planes that a model codes."""
        return ColourMode.RGB if self.images[0].mode.startswith("RGB") else ColourMode.L

    @property
    def shape(self) -> tuple[int, int, int, int]:
        """Frames, height, width and colour planes."""
        width, height = self.images[0].size
        return len(self.images), height, width, 3 if self.mode is ColourMode.RGB else 1

    def window(self, frames: Span, area: Area) -> Pixels:
        """Return colour (N, h, w, 1 or 3) of an area that starts inside; beyond the images, edge pixels repeat."""
        _, height, width, planes = self.shape
        inside = area.within(Area(Span(0, height), Span(0, width)))
        box = (inside.columns.start, inside.rows.start, inside.columns.stop, inside.rows.stop)
        parts = [np.asarray(image.crop(box)) for image in self.images[frames.slice()]]
        stacked = parts[0][None] if len(parts) == 1 else np.stack(parts)  # (N, h, w[, C]); a single one is not copied
        colour = stacked[..., None] if stacked.ndim == 3 else stacked[..., :planes]
        return read_window(colour, Span(0, area.rows.size), Span(0, area.columns.size))

    def frame(self, number: int) -> Frames:
        """Return a single frame."""
        return Frames((self.images[number],), None if self.alpha is None else self.alpha[number : number + 1])

    def reduced(self, width: int, height: int) -> Frames:
        """Return all frames with their colour resampled by Lanczos; alpha keeps its size."""
        opaque = [image.convert(self.mode.name) for image in self.images]
        return replace(self, images=tuple(image.resize((width, height), Image.Resampling.LANCZOS) for image in opaque))


def from_images(images: Sequence[Image.Image]) -> Frames:
    """Return images as frames.

    Raises:
        UnsupportedImage: there are no images, or one is empty or has a mode outside `MODES`, or they differ in size or
            mode.
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
    for image in images:
        image.load()  # raises here, before anything is coded, if the file is damaged
    alpha = np.stack([np.asarray(image.getchannel("A")) for image in images]) if first.mode.endswith("A") else None
    return Frames(tuple(images), alpha)


class Canvas:
    """Images of an area, assembled from tiles.

    Tiles are pasted into Pillow images: Pillow has its own memory layout, so an array of the whole would be a second
    copy.

    Args:
        mode: of the images.
        area: of the coded picture.
        count: number of images.
    """

    def __init__(self, mode: ColourMode, area: Area, count: int) -> None:
        self.area = area
        # Not filled: memory is used as tiles are decoded, not because a file claims a size.
        self.images = [Image.new(mode.name, (area.columns.size, area.rows.size), None) for _ in range(count)]

    def put(self, tile: Area, pixels: Pixels) -> None:
        """Paste the part of a tile (images, h, w, C) that lies in the area."""
        kept = tile.within(self.area)
        corner = kept.columns.start - self.area.columns.start, kept.rows.start - self.area.rows.start
        for image, frame in zip(self.images, pixels[:, *kept.slices(1, tile)], strict=True):
            image.paste(to_image(frame, None), corner)


def to_image(colour: Pixels, alpha: Pixels | None) -> Image.Image:
    """Return a frame as an image, from colour (H, W, 1 or 3) and alpha (H, W) or None."""
    planes = colour if colour.shape[2] == 3 else colour[..., 0]
    image = Image.fromarray(np.ascontiguousarray(planes))
    if alpha is not None:
        image.putalpha(Image.fromarray(alpha))
    return image


def to_model(colour: Pixels, modes: Sequence[str]) -> Pixels:
    """Return the planes that a model takes: grey images become three equal planes for a colour model.

    Raises:
        UnsupportedImage: the images have colour and the model is grey.
    """
    mode = "RGB" if colour.shape[3] == 3 else "L"
    if mode in modes:
        return colour
    if mode == "RGB":
        raise UnsupportedImage(detail="this model codes grey pictures only; convert the picture to mode L")
    return np.broadcast_to(colour, (*colour.shape[:3], 3))


def from_model(planes: Pixels, mode: ColourMode) -> Pixels:
    """Return the planes of a file's mode; the mean of three planes if a colour model coded a grey image."""
    if mode is ColourMode.RGB or planes.shape[3] == 1:
        return planes
    total = planes.sum(axis=3, keepdims=True, dtype=np.uint16)
    return np.asarray((total + 1) // 3, np.uint8)
