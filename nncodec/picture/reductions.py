"""What formats cannot hold of the pixels, reduced and told before they are written."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from PIL import Image

from nncodec.picture.sizes import is_jpeg_in_pdf

_ICO_EDGE = 256
_GIF_COLOURS = 256
_LEAST_OPAQUE = 128
_IS_CLEAR = [255] * _LEAST_OPAQUE + [0] * (256 - _LEAST_OPAQUE)
PDF_QUALITY = 95
"""Quality of the JPEG inside a PDF, unless another is asked for."""


class Reduced(NamedTuple):
    """What a format can hold of pictures.

    Args:
        images: to write.
        settings: of Pillow's writer, so that it reduces them no more than the format must.
        notes: for the user.
    """

    images: Sequence[Image.Image]
    settings: dict[str, Any]
    notes: tuple[str, ...]


def reduction(images: Sequence[Image.Image], kind: str, quality: int | None) -> Reduced:
    """Return what a format can hold of images.

    Args:
        images: all frames of the file.
        kind: Pillow's name of the format.
        quality: asked for; None for the default.
    """
    width, height = images[0].size
    if kind == "ICO":
        fitting = _fitted(width, height, _ICO_EDGE)
        note = f"ICO holds at most {_ICO_EDGE} pixels a side; the picture is reduced to {fitting[0]} x {fitting[1]}"
        return Reduced(images, {"sizes": [fitting]}, () if fitting == (width, height) else (note,))
    if kind == "ICNS":
        note = "ICNS holds squares of fixed sizes up to 1024 pixels; the picture is resampled to them"
        return Reduced(images, {}, (note,))
    if is_jpeg_in_pdf(kind, images[0].mode):
        note = f"PDF holds the picture as JPEG, of quality {PDF_QUALITY if quality is None else quality}"
        return Reduced(images, {}, (note,))
    if kind == "GIF":
        return _of_gif(images)
    return Reduced(images, {}, ())


def _of_gif(images: Sequence[Image.Image]) -> Reduced:
    notes: tuple[str, ...] = ()
    hard = [_with_one_clear_colour(image) if image.has_transparency_data else image for image in images]
    if any(image.mode.startswith("RGB") and image.getcolors(_GIF_COLOURS) is None for image in hard):
        notes += (f"GIF holds {_GIF_COLOURS} colours a frame; the picture has more and is reduced",)
    # Of copies: `convert` puts alphas into the palette of the image itself, and Pillow's writer takes them for colours.
    alphas = [image.copy().convert("RGBA").getchannel("A") for image in images if image.has_transparency_data]
    if any(sum(alpha.histogram()[1:255]) for alpha in alphas):
        notes += ("GIF pixels are opaque or transparent; partial transparency is lost",)
    # Pillow looks for the transparent colour of an animation by its number in the first palette, as that was given.
    is_palette = alphas and hard[0].mode == "P"
    return Reduced(hard, {"optimize": False} if is_palette else {}, notes)


def _with_one_clear_colour(image: Image.Image) -> Image.Image:
    """Return an image that is clear or opaque everywhere, with one colour where it is clear: Pillow keeps only one."""
    if image.mode == "P":
        given = image.info["transparency"]
        alphas = [255] * given + [0] if isinstance(given, int) else given
        numbers = [number for number, alpha in enumerate(alphas) if alpha < _LEAST_OPAQUE]
        hard = image.point([numbers[0] if number in numbers else number for number in range(256)])
        hard.info = {"transparency": numbers[0]} if numbers else {}
        return hard
    hard = image.convert("RGBA")
    clear = hard.getchannel("A").point(_IS_CLEAR)
    hard.putalpha(255)
    hard.paste((0, 0, 0, 0), mask=clear)
    return hard


def _fitted(width: int, height: int, edge: int) -> tuple[int, int]:
    """Return a size in proportion that fits into a square."""
    scale = min(1, edge / max(width, height))
    return max(1, round(width * scale)), max(1, round(height * scale))
