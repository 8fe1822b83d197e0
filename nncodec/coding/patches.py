"""Latents of areas that reach over several blocks, without keeping the whole picture's.

Synthesis needs latents from around a tile. So blocks are decoded once, in file order, each beside what came before it
above and to its left, two halos wide: there lie all windows that this block was the last to complete. Kept are one
block with that margin and, over the width of the picture, a strip of the same height; both are made once and written
over, so that the memory of a large picture is that of a small one.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from nncodec.coding.grid import Cell, Grid
from nncodec.picture.area import Area, Span
from nncodec.plugin.latents import IntArray, Latents, LatentSpec


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
        """Return the latents of an area within this one, as views."""
        return {s.name: self.latents[s.name][:, :, *area.slices(s.stride, self.area)] for s in self.specs}


def patches(
    grid: Grid, group: int, frames: int, area: Area, specs: tuple[LatentSpec, ...], decode: Callable[[Cell], Latents]
) -> Iterator[tuple[Area, Patch]]:
    """Decode the blocks that an area and its halo touch, each once and in file order.

    Args:
        grid: the file's.
        group: which frames, as a number of blocks.
        frames: how many of them `decode` returns.
        area: what is to be restored, edges at multiples of the grid's `multiple`.
        specs: the latents.
        decode: returns a block's latents.

    Yields:
        A part of the area, and a patch that holds the windows within it, valid until the next is asked for. The parts
        cover the area once.
    """
    rows, columns = grid.touched(grid.window(area))
    first, last = grid.cell(group, rows[0], columns[0]).area, grid.cell(group, rows[-1], columns[-1]).area
    whole = Area(Span(first.rows.start, last.rows.stop), Span(first.columns.start, last.columns.stop))
    scrolls = {spec.name: _Scroll(spec, frames, whole, first, 2 * grid.halo) for spec in specs}
    for row in rows:
        for column in columns:
            cell = grid.cell(group, row, column)
            _put(scrolls, decode(cell), cell.area)  # and nothing here holds what was decoded any longer
            part = grid.completed(cell).within(area)
            if part.pixels:
                seen = Area(*(Span(span.start - 2 * grid.halo, span.stop) for span in cell.area)).within(whole)
                yield part, Patch(seen, {name: scroll.view(seen) for name, scroll in scrolls.items()}, specs)


def _put(scrolls: dict[str, _Scroll], block: Latents, area: Area) -> None:
    for name, array in block.items():
        scrolls[name].put(array, area)


class _Scroll:
    """One array of latents: of a block, and of a margin above it and to its left.

    Args:
        spec: which.
        frames: N of its shape.
        whole: the area of all blocks that will come.
        first: that of the first; no other is larger.
        margin: pixels of earlier blocks to keep, where there are any.
    """

    def __init__(self, spec: LatentSpec, frames: int, whole: Area, first: Area, margin: int) -> None:
        self._stride, self._origin = spec.stride, whole.columns.start
        # A block has one place in the array, whether or not anything lies above it or to its left.
        self._top = margin // spec.stride if first.rows != whole.rows else 0
        self._left = margin // spec.stride if first.columns != whole.columns else 0
        *shape, height, width = spec.shape(frames, first.rows.size, first.columns.size)
        self._array = np.zeros((*shape, self._top + height, self._left + width), np.int32)
        self._strip = np.zeros((*shape, self._top, spec.shape(frames, 0, whole.columns.size)[3]), np.int32)
        self._first_width = width

    def put(self, block: IntArray, area: Area) -> None:
        """Take in the next block, in file order."""
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
        """Return an area that ends where the last block does."""
        height, width = (math.ceil(span.size / self._stride) for span in area)
        bottom, right = self._end
        return self._array[..., bottom - height : bottom, right - width : right]
