"""Spans and rectangles of a picture, in pixels, and how to cut them into tiles."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from nncodec.plugin.codec import Margins
from nncodec.plugin.latents import Pixels


@dataclass(frozen=True)
class Span:
    """A half-open range of pixels along one axis."""

    start: int
    stop: int

    @property
    def size(self) -> int:
        """Number of pixels."""
        return self.stop - self.start

    def slice(self, stride: int = 1, origin: int = 0) -> slice:
        """Return the slice of an array with one entry for each `stride` pixels that starts at pixel `origin`."""
        return slice((self.start - origin) // stride, math.ceil((self.stop - origin) / stride))

    def within(self, other: Span) -> Span:
        """Return the intersection with another span; empty (`size` 0) if there is none."""
        start = min(max(self.start, other.start), other.stop)
        return Span(start, max(start, min(self.stop, other.stop)))


class Area(NamedTuple):
    """A rectangle of a picture, pixels."""

    rows: Span
    columns: Span

    @property
    def pixels(self) -> int:
        """Number of pixels."""
        return self.rows.size * self.columns.size

    def within(self, other: Area) -> Area:
        """Return the intersection with another area; without pixels if there is none."""
        return Area(self.rows.within(other.rows), self.columns.within(other.columns))

    def scaled(self, factor: int) -> Area:
        """Return this area in a picture that is `factor` times larger along each edge."""
        return Area(*(Span(factor * span.start, factor * span.stop) for span in self))

    def reduced(self, factor: int) -> Area:
        """Return the smallest area whose `scaled` area contains this one."""
        return Area(*(Span(span.start // factor, math.ceil(span.stop / factor)) for span in self))

    def relative_to(self, origin: Area) -> Area:
        """Return this area in coordinates relative to the corner of another."""
        return Area(*(Span(span.start - o.start, span.stop - o.start) for span, o in zip(self, origin, strict=True)))

    def grown(self, reach: int) -> Area:
        """Return this area extended by `reach` pixels on each side."""
        return Area(*(Span(span.start - reach, span.stop + reach) for span in self))

    def margins_in(self, window: Area) -> Margins:
        """Return how far an area around this one extends beyond it."""
        ends = ((own.start - whole.start, whole.stop - own.stop) for own, whole in zip(self, window, strict=True))
        return Margins(*(margin for pair in ends for margin in pair))

    def slices(self, stride: int = 1, origin: Area | None = None) -> tuple[slice, slice]:
        """Return the slices of an array with one entry for each `stride` pixels that starts where `origin` does."""
        top, left = (origin.rows.start, origin.columns.start) if origin else (0, 0)
        return self.rows.slice(stride, top), self.columns.slice(stride, left)


def pieces(span: Span, edge: int, halo: int) -> Iterator[Span]:
    """Cut a span of a picture into the extents of tiles.

    Args:
        span: pixels, from 0 on.
        edge: of a tile, pixels.
        halo: by how much a window extends beyond a tile on each side, within the picture, pixels.
    """
    start = span.start
    while start < span.stop:
        # At the picture's edge there is no halo, so the tile is larger: with windows of one size, the memory that one
        # frees fits the next.
        stop = max(0, start - halo) + edge + halo
        yield Span(start, stop).within(span)
        start = stop


def aligned(area: Area, multiple: int) -> Area:
    """Return the smallest area that contains another and whose edges are multiples of `multiple` pixels."""
    rows, columns = (Span(s.start // multiple * multiple, math.ceil(s.stop / multiple) * multiple) for s in area)
    return Area(rows, columns)


def read_window(colour: Pixels, rows: Span, columns: Span) -> Pixels:
    """Return a window of images (N, H, W, C); beyond them, edge pixels repeat."""
    height, width = colour.shape[1:3]
    inside = colour[:, rows.start : min(rows.stop, height), columns.start : min(columns.stop, width)]
    below, right = rows.stop - min(rows.stop, height), columns.stop - min(columns.stop, width)
    if below or right:
        inside = np.pad(inside, ((0, 0), (0, below), (0, right), (0, 0)), mode="edge")
    return inside
