"""Blocks are decoded once and in order, and the latents around every tile are there when it is restored."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nncodec.coding import grid as tiling
from nncodec.coding.grid import Cell, Grid
from nncodec.coding.patches import patches
from nncodec.format.header import CoderId, ColourMode, Header
from nncodec.picture.area import Area, Span
from nncodec.plugin.latents import Latents, LatentSpec

FRAMES = 2


class Case(NamedTuple):
    grid: Grid
    area: Area
    specs: tuple[LatentSpec, ...]


def one_by_one(
    decode: Callable[[Cell], Latents],
) -> Callable[[Iterable[Cell]], Iterator[tuple[Cell, Latents]]]:
    """Return a function that decodes the blocks of cells one after another."""
    return lambda cells: ((cell, decode(cell)) for cell in cells)


@st.composite
def cases(draw: st.DrawFn) -> Case:
    multiple_log2 = draw(st.integers(0, 2))
    multiple = 1 << multiple_log2
    halo = multiple * draw(st.integers(0, 3))
    edge_log2 = draw(st.just(0) | st.integers(max(1, multiple_log2, (halo - 1).bit_length()), 5))
    width, height = draw(st.integers(1, 70)), draw(st.integers(1, 70))
    id_bytes = b"\x01\x23\x45\x67"
    header = Header(
        ColourMode.L, CoderId.ZSTD, None, id_bytes, width, height, (width, height), FRAMES, FRAMES, edge_log2
    )
    grid = Grid(header, multiple, halo)
    spans = [sorted(draw(st.lists(st.integers(0, n), min_size=2, max_size=2, unique=True))) for n in (height, width)]
    strides = sorted({multiple, max(1, multiple // 2)})
    specs = tuple(LatentSpec(f"y{stride}", 2, stride, 0, 1 << 20) for stride in strides)
    return Case(grid, grid.aligned(Area(*(Span(*span) for span in spans))), specs)


@given(cases(), st.integers(2, 4), st.sampled_from([0, 1 << 15]))
@settings(deadline=None, max_examples=200)
def test_every_window_within_a_part_holds_the_pictures_latents(case: Case, tile_log2: int, widest: int) -> None:
    grid, area, specs = case
    shapes = {spec.name: spec.shape(FRAMES, grid.padded_height, grid.padded_width) for spec in specs}
    whole: Latents = {
        name: np.arange(1, 1 + np.prod(shape), dtype=np.int32).reshape(shape) for name, shape in shapes.items()
    }
    decoded: list[tuple[int, int]] = []

    def decode(cell: Cell) -> Latents:
        decoded.append((cell.row, cell.column))
        return {spec.name: whole[spec.name][:, :, *cell.area.slices(spec.stride)] for spec in specs}

    count = np.zeros((grid.padded_height, grid.padded_width), int)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(tiling, "TILE_EDGE", 1 << tile_log2)
        patched.setattr("nncodec.coding.patches._WIDEST_STRIP", widest)
        for part, patch in patches(grid, 0, FRAMES, area, specs, one_by_one(decode)):
            count[part.slices()] += 1
            for tile in grid.tiles(part):
                window = grid.window(tile)
                for spec in specs:
                    expected = whole[spec.name][:, :, *window.slices(spec.stride)]
                    np.testing.assert_array_equal(patch.cut(window)[spec.name], expected)
    assert (count[area.slices()] == 1).all()
    assert count.sum() == area.pixels
    needed = grid.window(area)
    expected_cells = [(c.row, c.column) for c in grid.cells() if c.area.within(needed).pixels]
    assert decoded in (expected_cells, sorted(expected_cells, key=lambda place: place[::-1]))


def test_what_is_kept_of_a_large_picture_is_what_is_kept_of_a_small_one() -> None:
    """Large arrays are made once, before the first block is decoded, so that memory does not come to pieces."""

    def kept_bytes(columns: int, rows: int) -> int:
        width, height = 64 * columns, 64 * rows
        header = Header(ColourMode.L, CoderId.ZSTD, None, b"1234", width, height, (width, height), block_edge_log2=6)
        grid, spec = Grid(header, 4, 8), LatentSpec("y", 1, 4, 0, 9)
        bases = {
            id(array.base): array.base.nbytes
            for _, patch in patches(
                grid, 0, 1, grid.padded, (spec,), one_by_one(lambda _: {"y": np.zeros((1, 1, 16, 16), np.int32)})
            )
            for array in patch.latents.values()
            if array.base is not None
        }
        assert len(bases) == 1
        return sum(bases.values())

    assert kept_bytes(2, 2) == kept_bytes(9, 7)


def test_a_picture_of_any_width_keeps_a_short_strip_of_latents() -> None:
    width, height = 1 << 16, 65
    header = Header(ColourMode.L, CoderId.ZSTD, None, b"1234", width, height, (width, height), block_edge_log2=6)
    grid, spec = Grid(header, 1, 64), LatentSpec("y", 1, 1, 0, 9)
    tracemalloc.start()
    decode = one_by_one(lambda cell: {"y": np.zeros((1, 1, cell.rows.size, cell.columns.size), np.int32)})
    parts = patches(grid, 0, 1, grid.padded, (spec,), decode)
    assert sum(part.pixels for part, _ in parts) == width * height
    _, peak_bytes = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak_bytes < 2_000_000  # a strip of two halos over its width would take 34 MB
