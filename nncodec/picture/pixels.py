"""Converts Pillow images to arrays of pixels and back: colour modes, alpha, tiles, and a model's planes."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from nncodec.errors import UnsupportedImage
from nncodec.format.header import ColourMode
from nncodec.format.samples import SampleArray
from nncodec.limits import DEFAULT_LIMITS
from nncodec.picture.area import Area, Span, read_window
from nncodec.picture.conversion import DEEP_MODES, EXACT_MODES, MODES, advice, how_to_agree, with_alpha
from nncodec.picture.hidden import fill_hidden
from nncodec.plugin.latents import Pixels

_OPAQUE = 255
# Below this alpha, weighted colours are not used.
_LEAST_ALPHA = 16
# Pixels that Lanczos mixes on each side of an edge, and one for the rounding of sizes.
_REACH = 4
_ANY = [0] + [_OPAQUE] * _OPAQUE
_ROWS_AT_ONCE = 256


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

    def filled(self) -> Frames:
        """Return all frames with the colours under alpha 0 replaced, see `fill_hidden`."""
        if self.alpha is None or self.alpha.all():
            return self
        images = zip(self.images, self.alpha, strict=True)
        return replace(self, images=tuple(fill_hidden(image, alpha) for image, alpha in images))

    def reduced(self, width: int, height: int) -> Frames:
        """Return all frames with their colour resampled by Lanczos and weighted by alpha; alpha keeps its size.

        Hidden colours stay only so far from seen ones that enlarging the result does not mix them.
        """
        alphas = [None] * len(self.images) if self.alpha is None else list(self.alpha)
        images = zip(self.images, alphas, strict=True)
        return replace(self, images=tuple(_reduced(image, alpha, (width, height)) for image, alpha in images))


def _reduced(image: Image.Image, alpha: Pixels | None, size: tuple[int, int]) -> Image.Image:
    if alpha is None or not image.mode.endswith("A") or alpha.all():
        return _weighted(image, alpha, size)
    # Colours under alpha 0 are not filled, as `exact` asks: those near seen ones would bleed into them.
    kept = _weighted(image, alpha, size)
    kept.paste(_weighted(fill_hidden(image, alpha), alpha, size), mask=_near_seen(alpha, size))
    return kept


def _near_seen(alpha: Pixels, size: tuple[int, int]) -> Image.Image:
    """Return a mask of the pixels of a reduced picture that enlarging may mix with seen ones."""
    factor = tuple(-(-whole // small) for whole, small in zip(alpha.shape[::-1], size, strict=True))
    rows, columns = (np.arange(0, edge, step) for edge, step in zip(alpha.shape, factor[::-1], strict=True))
    seen = np.maximum.reduceat(np.maximum.reduceat(alpha, rows, axis=0), columns, axis=1)
    mask = Image.fromarray(np.where(seen > 0, _OPAQUE, 0).astype(np.uint8)).resize(size, Image.Resampling.BOX)
    return mask.point(_ANY).filter(ImageFilter.MaxFilter(2 * _REACH + 1))


def _weighted(image: Image.Image, alpha: Pixels | None, size: tuple[int, int]) -> Image.Image:
    opaque = image.convert(image.mode.removesuffix("A"))
    reduced = opaque.resize(size, Image.Resampling.LANCZOS)
    if alpha is None or alpha.min() == _OPAQUE:
        return reduced
    weights = alpha.astype(np.float32)
    # Not clipped to 8 bits as Pillow's own resampling of RGBA: alpha overshoots at edges, and colour would with it.
    weight = _resampled(weights, size)
    seen = weight >= _LEAST_ALPHA
    planes: list[NDArray[Any]] = []
    for band in opaque.split():
        weighted = _resampled(np.asarray(band) * weights, size) / np.where(seen, weight, 1)
        planes.append(np.where(seen, np.rint(weighted.clip(0, _OPAQUE)), np.asarray(reduced.getchannel(len(planes)))))
    return Image.merge(reduced.mode, [Image.fromarray(plane.astype(np.uint8)) for plane in planes])


def _resampled(plane: NDArray[np.float32], size: tuple[int, int]) -> NDArray[np.float32]:
    return np.asarray(Image.fromarray(plane).resize(size, Image.Resampling.LANCZOS))


def from_images(images: Sequence[Image.Image]) -> Frames:
    """Return images as frames; a transparent colour becomes alpha.

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
    images = [with_alpha(image) for image in images]
    first = images[0]
    if first.mode not in MODES:
        transparent = any(image.has_transparency_data for image in images)
        with_alpha_of = "LA" if first.mode in ("1", "La") else "RGBA"
        fitting = f"{with_alpha_of}, it has transparency" if transparent else f"one of {', '.join(MODES)}"
        is_kept = first.mode in (*EXACT_MODES, *DEEP_MODES) and not (first.mode == "1" and transparent)
        kept = "its 16 bits" if first.mode in DEEP_MODES else f"mode {first.mode}"
        keeps = f"; lossless=True keeps {kept}" if is_kept else ""
        raise UnsupportedImage(detail=f"cannot write mode {first.mode} as NNC; {advice(first.mode, fitting)}{keeps}")
    if 0 in first.size:
        raise UnsupportedImage(detail=f"cannot encode a picture of {first.width} x {first.height} pixels")
    for number, image in enumerate(images):
        if (image.size, image.mode) != (first.size, first.mode):
            raise UnsupportedImage(
                detail=f"frame {number} is {image.mode} {image.width} x {image.height}, the first is "
                f"{first.mode} {first.width} x {first.height}; {how_to_agree(in_size=image.size == first.size)}"
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


class PixelCanvas(Protocol):
    """What decoded tiles are put onto.

    Attributes:
        area: of the coded picture.
    """

    area: Area

    def put(self, tile: Area, pixels: SampleArray) -> None:
        """Store the part of a tile (pictures, h, w, C) that lies in the area."""


class Canvas:
    """Images of an area, assembled from tiles.

    Tiles are pasted into Pillow images: Pillow has its own memory layout, so an array of the whole would be a second
    copy.

    Args:
        mode: Pillow's name of the mode of the images.
        area: of the coded picture.
        count: number of images.
    """

    def __init__(self, mode: str, area: Area, count: int) -> None:
        self.area = area
        # Not filled: memory is used as tiles are decoded, not because a file claims a size.
        self.images = [Image.new(mode, (area.columns.size, area.rows.size), None) for _ in range(count)]

    def put(self, tile: Area, pixels: SampleArray) -> None:
        """Paste the part of a tile (images, h, w, C) that lies in the area."""
        kept = tile.within(self.area)
        corner = kept.columns.start - self.area.columns.start, kept.rows.start - self.area.rows.start
        for image, frame in zip(self.images, pixels[:, *kept.slices(1, tile)], strict=True):
            image.paste(to_image(frame, image.mode), corner)


class ArrayCanvas:
    """The samples of an area of one picture, assembled from tiles.

    Args:
        area: of the coded picture.
        planes: number of planes that tiles have.
        dtype: uint8 or uint16.
        alpha: a further plane, (h, w), which comes last; None if there is none.

    Attributes:
        samples: (h, w, planes or one more).
    """

    def __init__(self, area: Area, planes: int, dtype: type[np.uint8 | np.uint16], alpha: Pixels | None) -> None:
        self.area = area
        size = area.rows.size, area.columns.size
        self.samples: SampleArray = np.empty((*size, planes + (alpha is not None)), dtype)
        self._coded = self.samples[..., :planes]
        if alpha is not None:
            self.samples[..., planes] = alpha

    def put(self, tile: Area, pixels: SampleArray) -> None:
        """Store the part of a tile (1, h, w, planes) that lies in the area."""
        kept = tile.within(self.area)
        self._coded[kept.slices(1, self.area)] = pixels[0][kept.slices(1, tile)]


def to_image(planes: NDArray[Any], mode: str) -> Image.Image:
    """Return samples (H, W, C) of uint8 or uint16 as an image; those of mode 1 are 0 and 1."""
    height, width, channels = planes.shape
    if mode in ("1", "P", "CMYK"):
        data = np.ascontiguousarray(planes).tobytes()
        return Image.frombytes(mode, (width, height), data, "raw", "1;8" if mode == "1" else mode)
    return Image.fromarray(np.ascontiguousarray(planes[..., 0] if channels == 1 else planes))


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
    """Return the planes of a file's mode; the mean of three planes if a colour model coded a grey image.

    Args:
        planes: (N, H, W, 1 or 3), an array or a torch tensor; the result is the same.
        mode: of the file.
    """
    if mode is ColourMode.RGB or planes.shape[3] == 1:
        return planes
    if not isinstance(planes, np.ndarray):
        return ((planes.int().sum(3, keepdim=True) + 1) // 3).to(planes.dtype)
    total = planes.sum(axis=3, keepdims=True, dtype=np.uint16)
    return np.asarray((total + 1) // 3, np.uint8)


def joined(parts: Sequence[Pixels]) -> Pixels:
    """Return batches (n, H, W, C) as one; all are arrays, or torch tensors on one device."""
    if len(parts) == 1:
        return parts[0]
    if not isinstance(parts[0], np.ndarray):
        whole: Pixels = sys.modules["torch"].cat(parts)
        return whole
    return np.concatenate(parts)


def array_of(image: Image.Image) -> SampleArray:
    """Return the samples of an image as an array of its own, (H, W) or (H, W, planes)."""
    first = np.asarray(image.crop((0, 0, image.width, 1)))
    samples = np.empty((image.height, *first.shape[1:]), first.dtype)
    copy_samples(image, samples)
    return samples


def copy_samples(image: Image.Image, samples: SampleArray) -> None:
    """Copy the samples of an image into an array, (H, W) or (H, W, planes).

    Pillow would hand over the whole image as bytes, twice for a moment; strips need one copy.
    """
    for top in range(0, image.height, _ROWS_AT_ONCE):
        bottom = min(top + _ROWS_AT_ONCE, image.height)
        samples[top:bottom] = np.asarray(image.crop((0, top, image.width, bottom)))
