"""What formats cannot hold of the pixels, told before they are written."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from PIL import Image

_ICO_EDGE = 256
_GIF_COLOURS = 256
PDF_QUALITY = 95
"""Quality of the JPEG inside a PDF, unless another is asked for."""


def reduction(images: Sequence[Image.Image], kind: str, quality: int | None) -> tuple[dict[str, Any], tuple[str, ...]]:
    """Return settings of Pillow's writer that reduce images no more than the format must, and notes on the rest.

    Args:
        images: what will be written.
        kind: Pillow's name of the format.
        quality: asked for; None for the default.
    """
    width, height = images[0].size
    if kind == "ICO":
        fitting = _fitted(width, height, _ICO_EDGE)
        note = f"ICO holds at most {_ICO_EDGE} pixels a side; the picture is reduced to {fitting[0]} x {fitting[1]}"
        return {"sizes": [fitting]}, () if fitting == (width, height) else (note,)
    if kind == "ICNS":
        return {}, ("ICNS holds squares of fixed sizes up to 1024 pixels; the picture is resampled to them",)
    if kind == "PDF" and not images[0].mode.endswith("A"):  # what has alpha goes in as lossless JPEG 2000
        return {}, (f"PDF holds the picture as JPEG, of quality {PDF_QUALITY if quality is None else quality}",)
    if kind == "GIF":
        return {}, _gif_notes(images)
    return {}, ()


def _gif_notes(images: Sequence[Image.Image]) -> tuple[str, ...]:
    notes: tuple[str, ...] = ()
    if any(image.mode.startswith("RGB") and image.convert("RGB").getcolors(_GIF_COLOURS) is None for image in images):
        notes += (f"GIF holds {_GIF_COLOURS} colours a frame; the picture has more and is reduced",)
    alphas = [image.getchannel("A") for image in images if image.mode.endswith("A")]
    if any(sum(alpha.histogram()[1:255]) for alpha in alphas):
        notes += ("GIF pixels are opaque or transparent; partial transparency is lost",)
    return notes


def _fitted(width: int, height: int, edge: int) -> tuple[int, int]:
    """Return a size in proportion that fits into a square."""
    scale = min(1, edge / max(width, height))
    return max(1, round(width * scale)), max(1, round(height * scale))
