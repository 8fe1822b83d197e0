"""How a stack of pictures is cut into blocks, and where a model's windows around them lie.

A block is both the unit of entropy coding and the tile on which transforms run: memory is bounded by its size, and
random access to it needs nothing but its neighbours' latents. Windows reach one halo beyond a block and stop at the
padded edge of the picture, so a model sees in every tile exactly what it would see in the whole picture: no seams.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from nncodec.container import Header
from nncodec.model import AnySize, CodecTraits, Pixels

PIXELS_AT_ONCE = 1 << 22
"""Transforms run on about this many pixels at a time, whatever the size of frames."""


@dataclass(frozen=True)
class Span:
    """A half-open range of pixels along one axis."""

    start: int
    stop: int

    @property
    def size(self) -> int:
        """Pixels in it."""
        return self.stop - self.start

    def slice(self, stride: int = 1, origin: int = 0) -> slice:
        """Return it as a slice of an array that holds one entry a `stride` pixels and begins at pixel `origin`."""
        return slice((self.start - origin) // stride, math.ceil((self.stop - origin) / stride))


@dataclass(frozen=True)
class Cell:
    """One block: its frames and its padded rows and columns."""

    group: int
    row: int
    column: int
    frames: Span
    rows: Span
    columns: Span


@dataclass(frozen=True)
class Grid:
    """The blocks of a file for one model.

    Args:
        header: frames, size and block sizes.
        multiple: the coded size is padded to a multiple of this, pixels.
        halo: reach of the model's windows, pixels.
    """

    header: Header
    multiple: int
    halo: int

    @classmethod
    def of(cls, header: Header, traits: CodecTraits) -> Grid:
        """Return the grid of a file whose model has these traits."""
        if isinstance(traits.size, AnySize):
            return cls(header, traits.size.multiple, traits.size.halo)
        return cls(header, 1, 0)

    @property
    def padded_height(self) -> int:
        return math.ceil(self.header.height / self.multiple) * self.multiple

    @property
    def padded_width(self) -> int:
        return math.ceil(self.header.width / self.multiple) * self.multiple

    def cells(self) -> Iterator[Cell]:
        """Yield the blocks in file order."""
        groups, rows, columns = self.header.grid
        for group in range(groups):
            for row in range(rows):
                for column in range(columns):
                    yield self.cell(group, row, column)

    def cell(self, group: int, row: int, column: int) -> Cell:
        """Return one block by its place."""
        per_block = self.header.frames_per_block
        frames = Span(group * per_block, min((group + 1) * per_block, self.header.frames))
        return Cell(
            group, row, column, frames, self._extent(row, self.padded_height), self._extent(column, self.padded_width)
        )

    def index(self, cell: Cell) -> int:
        """Return a block's number in the file."""
        _, rows, columns = self.header.grid
        return (cell.group * rows + cell.row) * columns + cell.column

    def window(self, cell: Cell) -> tuple[Span, Span]:
        """Return the rows and columns a model must see to code or restore a block."""
        return self._grow(cell.rows, self.padded_height), self._grow(cell.columns, self.padded_width)

    def _extent(self, place: int, padded: int) -> Span:
        edge = 1 << self.header.block_edge_log2 if self.header.block_edge_log2 else padded
        return Span(place * edge, min((place + 1) * edge, padded))

    def _grow(self, span: Span, padded: int) -> Span:
        return Span(max(0, span.start - self.halo), min(padded, span.stop + self.halo))


def read_window(colour: Pixels, rows: Span, columns: Span) -> Pixels:
    """Return a window of pictures (N, H, W, C), repeating edge pixels where it reaches beyond them."""
    height, width = colour.shape[1:3]
    inside = colour[:, rows.start : min(rows.stop, height), columns.start : min(columns.stop, width)]
    below, right = rows.stop - min(rows.stop, height), columns.stop - min(columns.stop, width)
    if below or right:
        inside = np.pad(inside, ((0, 0), (0, below), (0, right), (0, 0)), mode="edge")
    return inside
