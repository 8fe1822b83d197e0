"""Boxes of a picture: checking them, and the area of the coded picture that they need."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image

from nncodec._support.numbers import whole_number
from nncodec.errors import InvalidOption
from nncodec.format.header import Header
from nncodec.picture.area import Area, Span
from nncodec.plugin.latents import Pixels

Box = tuple[int, int, int, int]
"""(left, upper, right, lower) in pixels of the decoded picture, half-open as in `Image.crop`."""

# Pillow's Lanczos kernel extends over three pixels of the smaller picture on each side.
_LANCZOS_REACH = 3


def checked_box(box: Sequence[int], size: tuple[int, int] | None = None) -> Box:
    """Return a box, checked: it is not empty and lies within a picture of `size` (width, height), if that is given.

    Raises:
        InvalidOption: it is not four whole numbers, is empty, or exceeds the picture.
    """
    edges = [whole_number(edge) for edge in box] if isinstance(box, Sequence | np.ndarray) and len(box) == 4 else []
    whole = [edge for edge in edges if edge is not None]
    if len(whole) != 4:
        raise InvalidOption(option="box", reason=f"{box!r} is not four whole numbers: left, upper, right, lower")
    left, upper, right, lower = whole
    shown = f"({left}, {upper}, {right}, {lower})"
    if left >= right or upper >= lower:
        raise InvalidOption(option="box", reason=f"{shown} is empty: left < right and upper < lower hold pixels")
    if min(left, upper) < 0 or (size and (right > size[0] or lower > size[1])):
        picture = f"the picture, which is {size[0]} x {size[1]} pixels" if size else "any picture"
        raise InvalidOption(option="box", reason=f"{shown} reaches outside {picture}")
    return left, upper, right, lower


@dataclass(frozen=True)
class Region:
    """A box of a picture that may be stored reduced.

    Args:
        box: the part to return.
        coded: the area of the coded, possibly enhanced picture that it needs.
        source: the box in pixels of that picture, relative to the corner of `coded`; None if no resampling is needed.
    """

    box: Box
    coded: Area
    source: tuple[float, float, float, float] | None

    @classmethod
    def of(cls, header: Header, box: Box | None, factor: int = 1) -> Region:
        """Return the region of a checked box.

        Args:
            header: of the file.
            box: None for the whole picture.
            factor: how many times an enhancer enlarges the coded picture along each edge.
        """
        left, upper, right, lower = box = box or (0, 0, *header.display_size)
        width, height = factor * header.width, factor * header.height
        if header.display_size == (width, height):
            return cls(box, Area(Span(upper, lower), Span(left, right)), None)
        columns, *across = _source(left, right, width, header.display_size[0])
        rows, *down = _source(upper, lower, height, header.display_size[1])
        return cls(box, Area(rows, columns), (across[0], down[0], across[1], down[1]))

    @property
    def size(self) -> tuple[int, int]:
        """Width and height of the box."""
        return self.box[2] - self.box[0], self.box[3] - self.box[1]

    def shown(self, coded: Image.Image) -> Image.Image:
        """Return the box from the decoded area `coded`, without alpha."""
        if self.source is None:
            return coded
        return coded.resize(self.size, Image.Resampling.LANCZOS, box=self.source)

    def cut(self, plane: Pixels) -> Pixels:
        """Return the box of a plane (H, W) that is stored at display size."""
        left, upper, right, lower = self.box
        return plane[upper:lower, left:right]


def _source(start: int, stop: int, coded: int, displayed: int) -> tuple[Span, float, float]:
    """Return the coded pixels that resampling to [start, stop) reads, and its start and stop within them."""
    scale = coded / displayed
    reach = math.ceil(_LANCZOS_REACH * max(1.0, scale)) + 1
    first = max(0, math.floor(start * scale) - reach)
    last = min(coded, math.ceil(stop * scale) + reach)
    return Span(first, last), start * coded / displayed - first, min(stop * coded / displayed, coded) - first
