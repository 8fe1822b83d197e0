"""Latents of areas that span several blocks, without keeping those of the whole picture.

Synthesis needs the latents around a tile. Blocks are decoded once, in file order. Each is placed beside a margin of two
halos with the latents above it and to its left, which holds all windows that this block is the last to complete. One
block with its margin is kept, and a strip as high as the margin over the width of the picture. Both are allocated once
and overwritten, so a large picture takes no more memory than a small one. Very wide pictures are decoded column by
column, with rows and columns exchanged here: their strip is as wide as the margin over the height of the picture.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from nncodec.coding.grid import Cell, Grid
from nncodec.picture.area import Area, Span
from nncodec.plugin.latents import IntArray, Latents, LatentSpec

# Pixels. A strip of this width takes some 25 MB; that of the widest picture would take as much as the picture.
_WIDEST_STRIP = 1 << 15


@dataclass(frozen=True)
class Patch:
    """The latents of an area.

    Args:
        area: in pixels of the padded picture, with edges at multiples of every stride.
        latents: arrays (N, C, h, w) as `specs` declares them.
        specs: the model's.
    """

    area: Area
    latents: Latents
    specs: tuple[LatentSpec, ...]

    def cut(self, area: Area) -> Latents:
        """Return the latents of an area within this one; the arrays are views."""
        return {s.name: self.latents[s.name][:, :, *area.slices(s.stride, self.area)] for s in self.specs}


def patches(
    grid: Grid,
    group: int,
    frames: int,
    area: Area,
    specs: tuple[LatentSpec, ...],
    decode: Callable[[Iterable[Cell]], Iterable[tuple[Cell, Latents]]],
) -> Iterator[tuple[Area, Patch]]:
    """Decode the blocks that an area and its halo touch, each once, in file order or down the columns.

    Args:
        grid: of the file.
        group: number of the group of frames.
        frames: number of frames that `decode` returns.
        area: the area to decode, with edges at multiples of the grid's `multiple`.
        specs: of the latents.
        decode: returns blocks with their latents, in the order in which it gets them.

    Yields:
        A part of the area, and a patch that holds the windows within it; the patch is valid until the next one. The
        parts cover the area exactly once.
    """
    rows, columns = grid.touched(grid.window(area))
    first, last = grid.cell(group, rows[0], columns[0]).area, grid.cell(group, rows[-1], columns[-1]).area
    whole = Area(Span(first.rows.start, last.rows.stop), Span(first.columns.start, last.columns.stop))
    by_columns = whole.columns.size > max(_WIDEST_STRIP, whole.rows.size)
    scrolls = {spec.name: _Scroll(spec, frames, whole, first, 2 * grid.halo, by_columns) for spec in specs}
    order = ((row, column) for column in columns for row in rows) if by_columns else itertools.product(rows, columns)
    for cell in _stored(decode(grid.cell(group, row, column) for row, column in order), scrolls):
        part = grid.completed(cell).within(area)
        if part.pixels:
            known = Area(*(Span(span.start - 2 * grid.halo, span.stop) for span in cell.area)).within(whole)
            yield part, Patch(known, {name: scroll.view(known) for name, scroll in scrolls.items()}, specs)


def _stored(blocks: Iterable[tuple[Cell, Latents]], scrolls: dict[str, _Scroll]) -> Iterator[Cell]:
    """Store the latents of one block after another; yields their cells, and keeps no latents meanwhile."""
    for cell, latents in blocks:
        for name, array in latents.items():
            scrolls[name].put(array, cell.area)
        del latents, array
        yield cell


class _Scroll:
    """One array of latents: a block with a margin above it and to its left.

    Args:
        spec: of the array.
        frames: N of its shape.
        whole: the area of all blocks to come.
        first: the area of the first block, which is the largest.
        margin: pixels of earlier blocks to keep, if there are any.
        by_columns: whether blocks come down the columns; then rows and columns are exchanged inside.
    """

    def __init__(
        self, spec: LatentSpec, frames: int, whole: Area, first: Area, margin: int, by_columns: bool = False
    ) -> None:
        self._by_columns = by_columns
        whole, first = self._turned(whole), self._turned(first)
        self._stride, self._origin = spec.stride, whole.columns.start
        # A block's position in the array is fixed, whether or not there are blocks above it or to its left.
        self._top = margin // spec.stride if first.rows != whole.rows else 0
        self._left = margin // spec.stride if first.columns != whole.columns else 0
        *shape, height, width = spec.shape(frames, first.rows.size, first.columns.size)
        self._array = np.zeros((*shape, self._top + height, self._left + width), np.int32)
        self._strip = np.zeros((*shape, self._top, spec.shape(frames, 0, whole.columns.size)[3]), np.int32)
        self._first_width = width

    def put(self, block: IntArray, area: Area) -> None:
        """Store the next block, in file order."""
        if self._by_columns:
            block, area = block.swapaxes(2, 3), self._turned(area)
        array, top, left = self._array, self._top, self._left
        height, width = block.shape[2:]
        place = (area.columns.start - self._origin) // self._stride
        if place:
            array[..., :left] = array[..., self._first_width : self._first_width + left]
        over = self._strip[..., place : place + width]
        columns = slice(left, left + width)
        array[..., :top, columns] = over
        array[..., top : top + height, columns] = block
        over[...] = array[..., height : height + top, columns]
        self._end = top + height, left + width

    def view(self, area: Area) -> IntArray:
        """Return an area that ends at the end of the last block."""
        height, width = (math.ceil(span.size / self._stride) for span in self._turned(area))
        bottom, right = self._end
        found = self._array[..., bottom - height : bottom, right - width : right]
        return found.swapaxes(2, 3) if self._by_columns else found

    def _turned(self, area: Area) -> Area:
        return Area(area.columns, area.rows) if self._by_columns else area
