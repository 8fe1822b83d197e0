"""Decoding: a file's blocks to latents to pictures."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from PIL import Image

from nncodec.coding.enhancing import Enhancement
from nncodec.coding.grid import TILE_EDGE, Cell, Grid
from nncodec.coding.inspection import image_info, model_name
from nncodec.coding.patches import Patch, patches
from nncodec.errors import Corrupt, PluginError
from nncodec.format.alpha import unpack_alpha
from nncodec.format.container import ChunkType, ColourMode, Container, Header
from nncodec.format.entropy import coder_by_id, decode_block
from nncodec.picture.area import Area, Span
from nncodec.picture.pixels import Canvas, from_model
from nncodec.picture.region import Box, Region
from nncodec.plugin import registry
from nncodec.plugin.codec import AnySize, CodecModel, FixedSize
from nncodec.plugin.guard import run_plugin
from nncodec.plugin.latents import Latents, Pixels


def frames_of(
    container: Container, wanted: range, box: Box | None = None, enhancement: Enhancement | None = None
) -> Iterator[Image.Image]:
    """Yield the wanted frames of an open file in their order, one group of frames in memory at a time.

    Args:
        container: the file.
        wanted: numbers of frames, all of them in the file.
        box: of each frame, a sound one (see `region.checked_box`); None for all of it.
        enhancement: what the frames go through before they are shown, see `recommendation.enhancement_for`.
    """
    model = model_of(container)
    header = container.header
    grid = Grid.of(header, model.traits)
    view = _View(header, box, enhancement)
    alpha = _alpha_of(container)
    info = image_info(container)
    for group, numbers in itertools.groupby(wanted, lambda number: number // header.frames_per_block):
        chosen = list(numbers)
        images = _images_of(container, model, grid, group, chosen, view.seen)[::-1]
        for number in chosen:  # and what is yielded is kept no longer
            yield _finish(images.pop(), view, None if alpha is None else alpha[number], info)


def alike_of(
    containers: Sequence[Container],
    header: Header,
    model: CodecModel,
    enhancements: Sequence[Enhancement | None],
) -> Iterator[Image.Image]:
    """Decode files of one frame and one block that share a header, with one synthesis, and enhance each as told."""
    grid = Grid.of(header, model.traits)
    cell = grid.cell(0, 0, 0)
    latents = [_decode_cell(container, model, grid, cell) for container in containers]
    stacked = {name: np.concatenate([one[name] for one in latents]) for name in latents[0]}
    canvas = Canvas(header.mode, _picture_of(header), len(containers))
    _restore(model, grid, Patch(cell.area, stacked, model.traits.latents), cell.area, canvas)
    for image, container, enhancement in zip(canvas.images, containers, enhancements, strict=True):
        alpha = _alpha_of(container)
        view = _View(header, None, enhancement)
        yield _finish(image, view, None if alpha is None else alpha[0], image_info(container))


def _images_of(
    container: Container, model: CodecModel, grid: Grid, group: int, chosen: Sequence[int], area: Area
) -> list[Image.Image]:
    """Return an area of the chosen frames, which are all in one group."""
    first = grid.cell(group, 0, 0).frames.start
    places = [number - first for number in chosen]

    def decode(cell: Cell) -> Latents:
        return {name: array[places] for name, array in _decode_cell(container, model, grid, cell).items()}

    canvas = Canvas(grid.header.mode, area, len(chosen))
    for part, patch in patches(grid, group, len(chosen), grid.aligned(area), model.traits.latents, decode):
        _restore(model, grid, patch, part, canvas)
    return canvas.images


def _restore(model: CodecModel, grid: Grid, patch: Patch, area: Area, canvas: Canvas) -> None:
    """Put an area on a canvas tile by tile, from a patch that holds the windows around its tiles."""
    for tile in grid.tiles(area):
        window = grid.window(tile)
        # Nothing holds a tile's pixels when the next is made: what they leave free is in one piece, and used again.
        canvas.put(tile, _synthesize(model, patch.cut(window), grid.header, window)[:, *tile.slices(1, window)])


def block_latents(container: Container, model: CodecModel, index: int) -> Latents:
    """Return the latents of one block by its number in the file; raises Corrupt or Truncated."""
    grid = Grid.of(container.header, model.traits)
    return _decode_cell(container, model, grid, list(grid.cells())[index])


def _decode_cell(container: Container, model: CodecModel, grid: Grid, cell: Cell) -> Latents:
    shapes = {s.name: s.shape(cell.frames.size, cell.rows.size, cell.columns.size) for s in model.traits.latents}
    entropy = run_plugin(type(model).__name__, model.entropy, container.header.quality or 0)
    payload = container.block(grid.index(cell))
    return decode_block(coder_by_id(container.header.coder), payload, entropy, model.traits.latents, shapes)


def _synthesize(model: CodecModel, latents: Latents, header: Header, window: Area) -> Pixels:
    """Run the synthesis a few frames at a time and check what it returns."""
    frames = len(next(iter(latents.values())))
    at_once = max(1, TILE_EDGE**2 // window.pixels)
    parts = []
    for start in range(0, frames, at_once):
        some = {name: array[start : start + at_once] for name, array in latents.items()}
        head = type(model).__name__
        pixels = run_plugin(head, model.synthesis, some, header.quality or 0)
        expected = (min(at_once, frames - start), window.rows.size, window.columns.size)
        planes = ((3,),) if header.mode is ColourMode.RGB else ((1,), (3,))
        found = run_plugin(head, lambda array: (array.dtype, array.shape), pixels)
        if found[0] != np.uint8 or found[1][:3] != expected or found[1][3:] not in planes:
            raise PluginError(plugin=head, reason=f"its synthesis returned {found[0]} {found[1]}")
        parts.append(from_model(pixels, header.mode))
    return parts[0] if len(parts) == 1 else np.concatenate(parts)


class _View:
    """What of a coded picture is decoded, and how that becomes what is shown.

    Args:
        header: the file's.
        box: what is wanted; None for all.
        enhancement: what the coded picture goes through on the way.

    Attributes:
        seen: what of the coded picture it takes.
    """

    def __init__(self, header: Header, box: Box | None, enhancement: Enhancement | None) -> None:
        self._picture = _picture_of(header)
        self._enhancement = enhancement
        self.region = Region.of(header, box, enhancement.factor if enhancement else 1)
        wanted = self.region.coded
        self.seen = enhancement.source(wanted, self._picture) if enhancement else wanted

    def shown(self, image: Image.Image) -> Image.Image:
        """Return the picture or its box, without alpha, from what `seen` says."""
        if self._enhancement:
            image = self._enhancement.apply(image, self.seen, self.region.coded, self._picture)
        return self.region.shown(image)


def _picture_of(header: Header) -> Area:
    return Area(Span(0, header.height), Span(0, header.width))


def _finish(image: Image.Image, view: _View, alpha: Pixels | None, info: Mapping[str, Any]) -> Image.Image:
    image = view.shown(image)
    if alpha is not None:
        image.putalpha(view.region.cut(alpha))
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
