"""Decoding: a file's blocks to latents to pictures."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from PIL import Image

from nncodec import registry
from nncodec.alpha import unpack_alpha
from nncodec.container import ChunkType, ColourMode, Container, Header
from nncodec.entropy import coder_by_id, decode_block
from nncodec.errors import Corrupt, PluginError
from nncodec.inspection import image_info, model_name
from nncodec.latents import Latents
from nncodec.model import AnySize, CodecModel, FixedSize, Pixels, run_plugin
from nncodec.pixels import from_model, resize, to_image
from nncodec.tiling import PIXELS_AT_ONCE, Cell, Grid, Span


def frames_of(container: Container, wanted: range) -> Iterator[Image.Image]:
    """Yield the wanted frames of an open file in their order, one group of frames in memory at a time."""
    model = model_of(container)
    header = container.header
    grid = Grid.of(header, model.traits)
    alpha = _alpha_of(container)
    info = image_info(container)
    for group, numbers in itertools.groupby(wanted, lambda number: number // header.frames_per_block):
        span = grid.cell(group, 0, 0).frames
        chosen = list(numbers)
        colour = _synthesize_group(container, model, grid, group, [n - span.start for n in chosen])
        for place, number in enumerate(chosen):
            yield _finish(colour[place : place + 1], header, None if alpha is None else alpha[number], info)


def _synthesize_group(container: Container, model: CodecModel, grid: Grid, group: int, chosen: Sequence[int]) -> Pixels:
    """Return the chosen frames of a group, uint8 (frames, H, W, C), block by block."""
    header = container.header
    _, rows, columns = header.grid
    decoded: dict[tuple[int, int], Latents] = {}
    canvas: Pixels | None = None
    for row in range(rows):
        for column in range(columns):
            cell = grid.cell(group, row, column)
            window = grid.window(cell)
            latents = _latents_in(container, model, grid, cell, window, decoded)
            picked = {name: array[chosen] for name, array in latents.items()}
            pixels = _synthesize(model, picked, header, window)
            if canvas is None:
                canvas = np.empty((len(chosen), header.height, header.width, pixels.shape[3]), np.uint8)
            inner = pixels[:, cell.rows.slice(1, window[0].start), cell.columns.slice(1, window[1].start)]
            kept = canvas[:, cell.rows.slice(), cell.columns.slice()]
            kept[...] = inner[:, : kept.shape[1], : kept.shape[2]]
        for place in [p for p in decoded if p[0] < row]:
            del decoded[place]
    assert canvas is not None
    return canvas


def _latents_in(
    container: Container,
    model: CodecModel,
    grid: Grid,
    cell: Cell,
    window: tuple[Span, Span],
    decoded: dict[tuple[int, int], Latents],
) -> Latents:
    """Return the latents of a window, decoding the blocks it touches that are not yet in `decoded`."""
    rows, columns = window
    frames = cell.frames.size
    specs = model.traits.latents
    _, grid_rows, grid_columns = grid.header.grid
    if grid_rows == grid_columns == 1:
        return _decode_cell(container, model, grid, cell)
    out = {s.name: np.empty(s.shape(frames, rows.size, columns.size), np.int32) for s in specs}
    reach = range(-1, 2)  # a halo is smaller than a block, so only direct neighbours are touched
    for row in (r for r in (cell.row + d for d in reach) if 0 <= r < grid_rows):
        for column in (c for c in (cell.column + d for d in reach) if 0 <= c < grid_columns):
            other = grid.cell(cell.group, row, column)
            shared_rows, shared_columns = _overlap(other.rows, rows), _overlap(other.columns, columns)
            if shared_rows is None or shared_columns is None:
                continue
            if (row, column) not in decoded:
                decoded[row, column] = _decode_cell(container, model, grid, other)
            for s in specs:
                target = shared_rows.slice(s.stride, rows.start), shared_columns.slice(s.stride, columns.start)
                origin = (
                    shared_rows.slice(s.stride, other.rows.start),
                    shared_columns.slice(s.stride, other.columns.start),
                )
                out[s.name][:, :, *target] = decoded[row, column][s.name][:, :, *origin]
    return out


def block_latents(container: Container, model: CodecModel, index: int) -> Latents:
    """Return the latents of one block by its number in the file; raises Corrupt or Truncated."""
    grid = Grid.of(container.header, model.traits)
    return _decode_cell(container, model, grid, list(grid.cells())[index])


def _decode_cell(container: Container, model: CodecModel, grid: Grid, cell: Cell) -> Latents:
    shapes = {s.name: s.shape(cell.frames.size, cell.rows.size, cell.columns.size) for s in model.traits.latents}
    entropy = run_plugin(type(model).__name__, model.entropy, container.header.quality or 0)
    payload = container.block(grid.index(cell))
    return decode_block(coder_by_id(container.header.coder), payload, entropy, model.traits.latents, shapes)


def _overlap(one: Span, other: Span) -> Span | None:
    start, stop = max(one.start, other.start), min(one.stop, other.stop)
    return Span(start, stop) if start < stop else None


def alike_of(containers: Sequence[Container], header: Header, model: CodecModel) -> Iterator[Image.Image]:
    """Decode files of one frame and one block that share a header, with one synthesis."""
    grid = Grid.of(header, model.traits)
    cell = grid.cell(0, 0, 0)
    latents = [_decode_cell(container, model, grid, cell) for container in containers]
    stacked = {name: np.concatenate([one[name] for one in latents]) for name in latents[0]}
    colour = _synthesize(model, stacked, header, grid.window(cell))[:, : header.height, : header.width]
    for number, container in enumerate(containers):
        alpha = _alpha_of(container)
        yield _finish(colour[number : number + 1], header, None if alpha is None else alpha[0], image_info(container))


def _synthesize(model: CodecModel, latents: Latents, header: Header, window: tuple[Span, Span]) -> Pixels:
    """Run the synthesis a few frames at a time and check what it returns."""
    rows, columns = window
    frames = len(next(iter(latents.values())))
    at_once = max(1, PIXELS_AT_ONCE // (rows.size * columns.size))
    parts = []
    for start in range(0, frames, at_once):
        some = {name: array[start : start + at_once] for name, array in latents.items()}
        head = type(model).__name__
        pixels = run_plugin(head, model.synthesis, some, header.quality or 0)
        expected = (min(at_once, frames - start), rows.size, columns.size)
        planes = ((3,),) if header.mode is ColourMode.RGB else ((1,), (3,))
        found = run_plugin(head, lambda array: (array.dtype, array.shape), pixels)
        if found[0] != np.uint8 or found[1][:3] != expected or found[1][3:] not in planes:
            raise PluginError(plugin=head, reason=f"its synthesis returned {found[0]} {found[1]}")
        parts.append(from_model(pixels, header.mode))
    return parts[0] if len(parts) == 1 else np.concatenate(parts)


def _finish(colour: Pixels, header: Header, alpha: Pixels | None, info: Mapping[str, Any]) -> Image.Image:
    if header.display_size != (header.width, header.height):
        colour = resize(colour, *header.display_size)
    image = to_image(colour[0], alpha)
    image.info.update(info)
    return image


def model_of(container: Container) -> CodecModel:
    """Return the model of an open file, ready for use.

    Raises:
        Corrupt: the header does not suit the model.
        UnknownModel, BadModelFile, WeightsMismatch, PluginError: see `registry.open_model`.
    """
    head = registry.catalog().find_by_id(container.header.model_id, model_name(container))
    model = registry.open_model(head)
    size = model.traits.size
    header = container.header
    if header.mode.name not in model.traits.modes and "RGB" not in model.traits.modes:
        raise Corrupt(detail=f"{head.name} codes grey pictures only, the header says otherwise")
    if (header.quality is not None) != model.traits.qualities:
        raise Corrupt(
            detail=f"{head.name} {'has' if model.traits.qualities else 'has no'} qualities, the header says otherwise"
        )
    if isinstance(size, FixedSize) and (header.width, header.height) != (size.width, size.height):
        raise Corrupt(detail=f"{head.name} codes {size.width} x {size.height} pixels, the header says otherwise")
    if isinstance(size, FixedSize) and header.block_edge_log2:
        raise Corrupt(detail="a picture of fixed size is divided")
    if header.block_edge_log2 and isinstance(size, AnySize) and (1 << header.block_edge_log2) % size.multiple:
        raise Corrupt(detail="its blocks do not fit the model's latents")
    if header.block_edge_log2 and isinstance(size, AnySize) and 1 << header.block_edge_log2 < size.halo:
        raise Corrupt(detail="its blocks are smaller than the model's halo")
    if header.display_size != (header.width, header.height):
        container.limits.check("resampled_edge", max(header.width, header.height, *header.display_size))
    first = Grid.of(header, model.traits).cell(0, 0, 0)
    container.limits.check("block_pixels", first.frames.size * first.rows.size * first.columns.size)
    return model


def _alpha_of(container: Container) -> Pixels | None:
    packed = container.chunk(ChunkType.ALPHA)
    if packed is None:
        return None
    width, height = container.header.display_size
    return unpack_alpha(packed, container.header.frames, height, width)
