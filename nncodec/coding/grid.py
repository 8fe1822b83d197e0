"""How a stack of pictures is cut into blocks and tiles, and where a model's windows around them lie.

A block is the unit of entropy coding and of random access. A tile is what a transform runs on at once: working memory
is bounded by its size, whatever that of the picture. Windows reach one halo beyond a tile and stop at the padded edge
of the picture, so a model sees in every tile exactly what it would see in the whole picture: no seams.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

from nncodec.format.header import Header
from nncodec.picture.area import Area, Span, aligned, pieces
from nncodec.plugin.codec import AnySize, CodecTraits

PIXELS_AT_ONCE = 1 << 22
"""Frames are put into one block, and pictures of a batch are taken together, up to about this many pixels."""
TILE_EDGE = 1 << 10
"""Transforms run on at most this many pixels along each axis, and a halo around them.

The edge is a compromise. Networks for photographs hold some 100 bytes for each pixel of the window while they run,
130 MB at this edge and four times that at twice the edge. But what they compute for the halo is thrown away: with the
usual 64 pixels 27% more in the midst of a picture (24% over one of 50 megapixels), and 56% at half the edge.
"""
BLOCK_EDGE_LOG2 = TILE_EDGE.bit_length() - 1
"""Encoders cut pictures that are larger than this along an axis into blocks of this edge, as an exponent of two.

A block is no larger than a tile: its latents and their contexts are then a small part of what a tile's transform takes,
and memory is the same from one block on. Readers take any edge that a file declares.
"""


@dataclass(frozen=True)
class Cell:
    """One block: its frames and its padded rows and columns."""

    group: int
    row: int
    column: int
    frames: Span
    rows: Span
    columns: Span

    @property
    def area(self) -> Area:
        """Where it lies."""
        return Area(self.rows, self.columns)


@dataclass(frozen=True)
class Grid:
    """The blocks of a file for one model.

    Args:
        header: frames, size and block sizes.
        multiple: the coded size is padded to a multiple of this, pixels.
        halo: reach of the model's windows, pixels.
        divisible: whether the model takes parts of a picture at all.
    """

    header: Header
    multiple: int
    halo: int
    divisible: bool = True

    @classmethod
    def of(cls, header: Header, traits: CodecTraits) -> Grid:
        """Return the grid of a file whose model has these traits."""
        if isinstance(traits.size, AnySize):
            return cls(header, traits.size.multiple, traits.size.halo)
        return cls(header, 1, 0, divisible=False)

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

    @property
    def padded(self) -> Area:
        """The whole coded picture with its padding."""
        return Area(Span(0, self.padded_height), Span(0, self.padded_width))

    def window(self, area: Area | Cell) -> Area:
        """Return the rows and columns a model must see to code or restore a block or tile."""
        return Area(area.rows, area.columns).grown(self.halo).within(self.padded)

    def aligned(self, area: Area) -> Area:
        """Return the smallest area around one that a model can restore, up to its halo."""
        if not self.divisible:
            return self.padded
        return aligned(area, self.multiple)

    def tiles(self, area: Area | Cell) -> Iterator[Area]:
        """Cut a block, or another area with edges at multiples of `multiple`, into the tiles that transforms run on."""
        for rows in self._pieces(area.rows):
            for columns in self._pieces(area.columns):
                yield Area(rows, columns)

    def touched(self, area: Area) -> tuple[range, range]:
        """Return the rows and columns of blocks that hold something of an area."""
        rows, columns = (
            range(span.start // edge, math.ceil(span.stop / edge))
            for span, edge in zip(area, (self._edge(self.padded_height), self._edge(self.padded_width)), strict=True)
        )
        return rows, columns

    def completed(self, cell: Cell) -> Area:
        """Return what can be restored when the blocks up to this one are decoded, and could not be before.

        That is the block, moved up and left by the halo, with what is left at the picture's lower and right edges.
        """
        rows, columns = (
            Span(max(0, span.start - self.halo), padded.stop if span.stop == padded.stop else span.stop - self.halo)
            for span, padded in zip(cell.area, self.padded, strict=True)
        )
        return Area(rows, columns)

    def _pieces(self, span: Span) -> Iterator[Span]:
        if not self.divisible:
            yield span
            return
        yield from pieces(span, max(TILE_EDGE, self.multiple), self.halo)

    def _edge(self, padded: int) -> int:
        return 1 << self.header.block_edge_log2 if self.header.block_edge_log2 else padded

    def _extent(self, place: int, padded: int) -> Span:
        edge = self._edge(padded)
        return Span(place * edge, min((place + 1) * edge, padded))
