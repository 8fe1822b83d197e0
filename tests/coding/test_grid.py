"""Blocks and tiles cover the picture once; windows see what a model needs, no more than there is."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from nncodec.coding import grid as tiling
from nncodec.coding.grid import Grid
from nncodec.format.header import CoderId, ColourMode, Header
from nncodec.picture.area import Area, Span, aligned, pieces, read_window
from nncodec.plugin.codec import AnySize, CodecTraits, FixedSize
from nncodec.plugin.latents import LatentSpec

PROPERTY = settings(deadline=None, max_examples=100)


def header(width: int, height: int, edge_log2: int = 0, frames: int = 1, per_block: int | None = None) -> Header:
    return Header(
        ColourMode.L,
        CoderId.ZSTD,
        None,
        b"\x01\x23\x45\x67",
        width,
        height,
        (width, height),
        frames,
        frames if per_block is None else per_block,
        edge_log2,
    )


class Case(NamedTuple):
    grid: Grid
    pixels: np.ndarray


@st.composite
def cases(draw: st.DrawFn) -> Case:
    multiple = 1 << draw(st.integers(0, 3))
    edge_log2 = draw(st.just(0) | st.integers(max(1, multiple.bit_length() - 1), 5))
    halo = multiple * draw(st.integers(0, 2))
    frames = draw(st.integers(1, 5))
    size = st.integers(1, 70)
    made = header(draw(size), draw(size), edge_log2, frames, draw(st.integers(1, frames)))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    return Case(Grid(made, multiple, halo), rng.integers(0, 256, (frames, made.height, made.width, 1)).astype(np.uint8))


@given(cases())
@PROPERTY
def test_the_blocks_cover_every_padded_pixel_of_every_frame_once(case: Case) -> None:
    grid = case.grid
    count = np.zeros((grid.header.frames, grid.padded_height, grid.padded_width), int)
    for cell in grid.cells():
        count[cell.frames.slice(), cell.rows.slice(), cell.columns.slice()] += 1
    assert (count == 1).all()


@given(cases())
@PROPERTY
def test_blocks_come_in_file_order_and_are_found_by_their_place(case: Case) -> None:
    cells = list(case.grid.cells())
    assert [case.grid.index(cell) for cell in cells] == list(range(len(cells)))
    assert [(c.group, c.row, c.column) for c in cells] == list(np.ndindex(*case.grid.header.grid))
    assert [case.grid.cell(c.group, c.row, c.column) for c in cells] == cells


@given(cases())
@PROPERTY
def test_no_block_lies_in_the_padding_alone(case: Case) -> None:
    for cell in case.grid.cells():
        assert cell.rows.start < case.grid.header.height
        assert cell.columns.start < case.grid.header.width


@given(cases())
@PROPERTY
def test_a_window_reaches_one_halo_beyond_its_block_or_to_the_padded_edge(case: Case) -> None:
    grid = case.grid
    for cell in grid.cells():
        rows, columns = grid.window(cell)
        for inner, outer, edge in ((cell.rows, rows, grid.padded_height), (cell.columns, columns, grid.padded_width)):
            assert outer.start == max(0, inner.start - grid.halo)
            assert outer.stop == min(edge, inner.stop + grid.halo)
            assert outer.start % grid.multiple == outer.size % grid.multiple == 0


@st.composite
def areas(draw: st.DrawFn, grid: Grid) -> Area:
    """Return an area of the picture, not empty."""

    def span(size: int) -> Span:
        start = draw(st.integers(0, size - 1))
        return Span(start, draw(st.integers(start + 1, size)))

    return Area(span(grid.header.height), span(grid.header.width))


@given(cases(), st.data(), st.integers(0, 5))
@PROPERTY
def test_tiles_cover_an_area_once_and_their_windows_are_bounded(
    case: Case, data: st.DataObject, edge_log2: int
) -> None:
    grid = case.grid
    area = data.draw(areas(grid))
    aligned = grid.aligned(area)
    assert area.within(aligned) == area
    edge = max(1 << edge_log2, grid.multiple)
    count = np.zeros((grid.padded_height, grid.padded_width), int)
    with pytest.MonkeyPatch.context() as patches:
        patches.setattr(tiling, "TILE_EDGE", 1 << edge_log2)
        tiles = list(grid.tiles(aligned))
    for tile in tiles:
        count[tile.slices()] += 1
        for span in (*tile, *grid.window(tile)):
            assert span.start % grid.multiple == span.stop % grid.multiple == 0
        assert all(0 < span.size <= edge + 2 * grid.halo for span in grid.window(tile))
    assert (count[aligned.slices()] == 1).all()
    assert count.sum() == aligned.pixels


@given(cases())
@PROPERTY
def test_every_pixel_is_completed_by_one_block_and_needs_no_later_one(case: Case) -> None:
    grid = case.grid
    assume(grid.halo <= grid._edge(grid.halo))  # a file whose blocks are smaller than the halo is refused
    count = np.zeros((grid.padded_height, grid.padded_width), int)
    for cell in (cell for cell in grid.cells() if cell.group == 0):
        part = grid.completed(cell)
        count[part.slices()] += 1
        if part.pixels:
            window = grid.window(part)
            assert window.rows.stop <= cell.rows.stop
            assert window.columns.stop <= cell.columns.stop
    assert (count == 1).all()


@given(cases(), st.data())
@PROPERTY
def test_the_blocks_that_an_area_touches_are_those_that_overlap_it(case: Case, data: st.DataObject) -> None:
    grid = case.grid
    area = data.draw(areas(grid))
    rows, columns = grid.touched(area)
    expected = {(c.row, c.column) for c in grid.cells() if c.area.within(area).pixels}
    assert {(row, column) for row in rows for column in columns} == expected


@pytest.mark.parametrize(
    ("span", "other", "expected"),
    [
        (Span(2, 9), Span(4, 6), Span(4, 6)),
        (Span(2, 5), Span(4, 6), Span(4, 5)),
        (Span(0, 3), Span(4, 6), Span(4, 4)),
        (Span(7, 9), Span(4, 6), Span(6, 6)),
    ],
)
def test_what_lies_within_is_empty_where_nothing_does(span: Span, other: Span, expected: Span) -> None:
    assert span.within(other) == expected


def test_a_large_picture_is_restored_in_windows_of_one_size_at_a_quarter_more_work() -> None:
    grid = Grid(header(8660, 5773, 11), 16, 64)
    windows = [grid.window(tile) for cell in grid.cells() for tile in grid.tiles(grid.completed(cell))]
    edge = tiling.TILE_EDGE + 2 * grid.halo
    assert max(window.pixels for window in windows) == edge**2
    assert sum(window.pixels for window in windows) <= 1.25 * grid.padded.pixels
    small = Grid(header(768, 512), 16, 64)
    assert list(small.tiles(small.padded)) == [small.padded]


def test_a_picture_of_fixed_size_is_one_tile() -> None:
    grid = Grid.of(header(2500, 1300), traits(FixedSize(2500, 1300)))
    assert list(grid.tiles(grid.aligned(Area(Span(3, 5), Span(7, 11))))) == [grid.padded]


def blurred(pixels: np.ndarray, reach: int) -> np.ndarray:
    """What a transform sees: the largest value within reach, of what is there."""
    out = pixels.copy()
    height, width = pixels.shape[1:3]
    for y in range(height):
        for x in range(width):
            near = pixels[:, max(0, y - reach) : y + reach + 1, max(0, x - reach) : x + reach + 1]
            out[:, y, x] = near.max(axis=(1, 2))
    return out


@given(cases())
@settings(deadline=None, max_examples=25)
def test_working_block_by_block_gives_what_working_on_the_whole_does(case: Case) -> None:
    grid, pixels = case
    pixels = pixels[:1]
    reach = grid.halo
    whole = blurred(read_window(pixels, Span(0, grid.padded_height), Span(0, grid.padded_width)), reach)
    joined = np.zeros_like(whole)
    for cell in (cell for cell in grid.cells() if cell.group == 0):
        rows, columns = grid.window(cell)
        seen = blurred(read_window(pixels, rows, columns), reach)
        inner = seen[:, cell.rows.slice(1, rows.start), cell.columns.slice(1, columns.start)]
        joined[:, cell.rows.slice(), cell.columns.slice()] = inner
    np.testing.assert_array_equal(joined, whole)


@pytest.mark.parametrize(
    ("span", "stride", "origin", "expected"),
    [
        (Span(0, 32), 16, 0, slice(0, 2)),
        (Span(32, 64), 16, 16, slice(1, 3)),
        (Span(0, 33), 16, 0, slice(0, 3)),
        (Span(5, 9), 1, 5, slice(0, 4)),
        (Span(0, 28), 28, 0, slice(0, 1)),
    ],
)
def test_a_span_of_pixels_is_a_slice_of_latents(span: Span, stride: int, origin: int, expected: slice) -> None:
    assert span.slice(stride, origin) == expected


@given(cases())
@PROPERTY
def test_the_latents_of_blocks_join_to_those_of_the_picture(case: Case) -> None:
    grid = case.grid
    stride = grid.multiple
    spec = LatentSpec("y", 1, stride, 0, 1)
    whole = spec.shape(1, grid.padded_height, grid.padded_width)
    count = np.zeros(whole[2:], int)
    for cell in (cell for cell in grid.cells() if cell.group == 0):
        part = count[cell.rows.slice(stride), cell.columns.slice(stride)]
        assert part.shape == spec.shape(1, cell.rows.size, cell.columns.size)[2:]
        part += 1
    assert (count == 1).all()


def test_edge_pixels_are_repeated_where_a_window_reaches_beyond_the_picture() -> None:
    pixels = np.array([[1, 2, 3], [4, 5, 6]], np.uint8)[None, :, :, None]
    window = read_window(pixels, Span(0, 4), Span(1, 5))
    np.testing.assert_array_equal(window[0, :, :, 0], [[2, 3, 3, 3], [5, 6, 6, 6], [5, 6, 6, 6], [5, 6, 6, 6]])


def test_a_window_within_the_picture_is_not_changed() -> None:
    pixels = np.arange(20, dtype=np.uint8).reshape(1, 4, 5, 1)
    np.testing.assert_array_equal(read_window(pixels, Span(1, 3), Span(2, 5)), pixels[:, 1:3, 2:5])


def traits(size: FixedSize | AnySize) -> CodecTraits:
    return CodecTraits(("L",), size, (LatentSpec("y", 1, 1, 0, 1),))


def test_a_model_of_any_size_gets_padding_and_a_halo_and_one_of_fixed_size_neither() -> None:
    any_size = Grid.of(header(30, 17), traits(AnySize(16, 48)))
    assert (any_size.padded_width, any_size.padded_height, any_size.halo) == (32, 32, 48)
    fixed = Grid.of(header(28, 27), traits(FixedSize(28, 27)))
    assert (fixed.padded_width, fixed.padded_height, fixed.halo) == (28, 27, 0)


def test_the_last_group_of_frames_holds_what_is_left() -> None:
    grid = Grid.of(header(4, 4, frames=7, per_block=3), traits(FixedSize(4, 4)))
    assert [cell.frames for cell in grid.cells()] == [Span(0, 3), Span(3, 6), Span(6, 7)]


# --- areas and tiles of their own ---------------------------------------------------------------------------------

SPANS = st.tuples(st.integers(0, 300), st.integers(1, 300)).map(lambda pair: Span(pair[0], sum(pair)))
AREAS = st.tuples(SPANS, SPANS).map(lambda pair: Area(*pair))


@given(SPANS, st.integers(1, 40), st.integers(0, 40))
def test_pieces_follow_each_other_and_their_windows_are_bounded(span: Span, edge: int, halo: int) -> None:
    found = list(pieces(span, edge, halo))
    assert [one.start for one in found] == [span.start, *(one.stop for one in found[:-1])]
    assert found[-1].stop == span.stop
    for one in found:
        assert one.size >= 1
        assert one.stop + halo - max(0, one.start - halo) <= edge + 2 * halo


@given(AREAS, st.integers(1, 8), st.integers(1, 16))
def test_areas_in_larger_and_smaller_pictures(area: Area, factor: int, multiple: int) -> None:
    assert area.scaled(factor).reduced(factor) == area
    assert area.within(area.reduced(factor).scaled(factor)) == area
    assert area.scaled(factor).pixels == factor**2 * area.pixels
    around = aligned(area, multiple)
    assert area.within(around) == area
    assert all(span.start % multiple == span.stop % multiple == 0 for span in around)
    assert all(one.size - other.size < 2 * multiple for one, other in zip(around, area, strict=True))
    assert area.grown(3).relative_to(area) == Area(*(Span(-3, span.size + 3) for span in area))
