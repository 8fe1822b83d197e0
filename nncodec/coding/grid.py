"""The blocks and tiles of a stack of pictures, and a model's windows around them.

A block is the unit of entropy coding and of random access. A tile is the unit of transforms: its size bounds working
memory, whatever the size of the picture. Windows extend one halo beyond a tile, up to the padded edge of the picture,
so a model sees in each tile exactly what it would see in the whole picture, and there are no seams.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeVar

from nncodec.format.header import Header
from nncodec.picture.area import Area, Span, aligned, pieces
from nncodec.plugin.codec import AnySize, CodecTraits

_K = TypeVar("_K", bound=Hashable)

PIXELS_AT_ONCE = 1 << 22
"""Frames share a block, and images of a batch share a pass of the model, up to about this many pixels."""
TILE_EDGE = 1 << 10
"""Transforms run on tiles of at most this many pixels along each axis, plus a halo.

The edge is a compromise. Networks for photographs take about 100 bytes for each pixel of the window while they run:
130 MB at this edge, and four times that at twice the edge. But what they compute for the halo is discarded: with the
usual 64 pixels, 27% more inside a picture (24% over one of 50 megapixels), and 56% at half the edge.
"""
BLOCK_EDGE_LOG2 = TILE_EDGE.bit_length() - 1
"""log2 of the edge of blocks; the encoder divides pictures that are larger than this edge along an axis.

A block is no larger than a tile, so its latents and contexts take little memory beside a tile's transform, and memory
does not grow with the number of blocks. Decoders accept any edge that a file declares.
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
        """Its padded area."""
        return Area(self.rows, self.columns)


@dataclass(frozen=True)
class Grid:
    """The blocks of a file for one model.

    Args:
        header: frames, size and block sizes.
        multiple: the coded size is padded to a multiple of this, pixels.
        halo: by how much the model's windows extend beyond a tile, pixels.
        divisible: whether the model can work on parts of a picture.
    """

    header: Header
    multiple: int
    halo: int
    divisible: bool = True

    @classmethod
    def of(cls, header: Header, traits: CodecTraits) -> Grid:
        """Return the grid of a file for a model with these traits."""
        if isinstance(traits.size, AnySize):
            return cls(header, traits.size.multiple, traits.size.halo, traits.divisible)
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
        """Return a block by its position."""
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
        """The whole coded picture, padded."""
        return Area(Span(0, self.padded_height), Span(0, self.padded_width))

    def window(self, area: Area | Cell) -> Area:
        """Return the area that a model needs to encode or decode a block or tile."""
        return Area(area.rows, area.columns).grown(self.halo).within(self.padded)

    def aligned(self, area: Area) -> Area:
        """Return the smallest area around another that a model can decode, without its halo."""
        if not self.divisible:
            return self.padded
        return aligned(area, self.multiple)

    def tiles(self, area: Area | Cell) -> Iterator[Area]:
        """Yield the tiles of a block, or of another area with edges at multiples of `multiple`."""
        for rows in self._pieces(area.rows):
            for columns in self._pieces(area.columns):
                yield Area(rows, columns)

    def touched(self, area: Area) -> tuple[range, range]:
        """Return the rows and columns of the blocks that an area touches."""
        rows, columns = (
            range(span.start // edge, math.ceil(span.stop / edge))
            for span, edge in zip(area, (self._edge(self.padded_height), self._edge(self.padded_width)), strict=True)
        )
        return rows, columns

    @property
    def computed_pixels(self) -> int:
        """Pixels of all windows of a frame: what a model computes to decode it."""
        _, rows, columns = self.header.grid
        return self._computed(rows, self.padded_height) * self._computed(columns, self.padded_width)

    def completed(self, cell: Cell) -> Area:
        """Return the area that this block is the last to complete: once it is decoded, all windows there are known.

        That is the block, moved up and left by the halo, and extended to the picture's lower and right edges.
        """
        rows, columns = cell.area
        return Area(self._completed(rows, self.padded_height), self._completed(columns, self.padded_width))

    def _completed(self, span: Span, padded: int) -> Span:
        return Span(max(0, span.start - self.halo), padded if span.stop == padded else span.stop - self.halo)

    def _computed(self, blocks: int, padded: int) -> int:
        """Return the sum of the windows' extents along one axis, whose number of blocks is given."""
        parts = (self._completed(self._extent(place, padded), padded) for place in range(blocks))
        tiles = (tile for part in parts if part.size for tile in self._pieces(part))
        return sum(min(tile.stop + self.halo, padded) - max(tile.start - self.halo, 0) for tile in tiles)

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


def batches_of(keys: Sequence[_K], pixels: Sequence[int]) -> Iterator[list[int]]:
    """Yield the numbers of items that have equal keys, in batches of up to `PIXELS_AT_ONCE` pixels.

    Args:
        keys: of the items.
        pixels: of each item.
    """
    groups: dict[_K, list[int]] = {}
    for number, key in enumerate(keys):
        groups.setdefault(key, []).append(number)
    for numbers in groups.values():
        at_once = max(1, PIXELS_AT_ONCE // max(1, pixels[numbers[0]]))
        for start in range(0, len(numbers), at_once):
            yield numbers[start : start + at_once]
