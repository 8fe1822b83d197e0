"""Decoding: a file's blocks to latents to images."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

import numpy as np
from PIL import Image

from nncodec._support.threads import Threads
from nncodec.coding import exact_decoder
from nncodec.coding.enhancing import Enhancement
from nncodec.coding.grid import PIXELS_AT_ONCE, TILE_EDGE, Cell, Grid, batches_of
from nncodec.coding.inspection import frame_info, image_info, model_name
from nncodec.coding.parallel import threads_for
from nncodec.coding.patches import Patch, patches
from nncodec.coding.view import Progress, View, finish, picture_of
from nncodec.engine.choice import chosen_loader, count_without_torch
from nncodec.errors import BackendMismatch, Corrupt, FormatError
from nncodec.format.container import Container
from nncodec.format.entropy import coder_by_id, decode_block
from nncodec.format.header import ChunkType, ColourMode, Header
from nncodec.format.latent_checksums import latents_checksum, split_checksums
from nncodec.format.metadata import animation_of
from nncodec.format.samples import SampleArray
from nncodec.picture.area import Area, Span, aligned
from nncodec.picture.options import OnProgress
from nncodec.picture.pixels import ArrayCanvas, Canvas, PixelCanvas, array_of, copy_samples, from_model, joined
from nncodec.picture.region import Box, Region
from nncodec.plugin import registry
from nncodec.plugin.codec import AnySize, DecoderModel, EngineDecoder, FixedSize
from nncodec.plugin.computing import Computing
from nncodec.plugin.device import pixels_may_stay
from nncodec.plugin.engine import Loader
from nncodec.plugin.entropy import problem_with_entropy
from nncodec.plugin.guard import PluginGuard
from nncodec.plugin.latents import Latents, Pixels
from nncodec.plugin.model_file import ModelInfo

# A multiple that models usually pad the edges of pictures to.
_PADDING = 32


def decode_frames(
    container: Container,
    wanted: Sequence[int],
    box: Box | None = None,
    enhancement: Enhancement | None = None,
    on_progress: OnProgress | None = None,
    *,
    together: bool = False,
) -> Iterator[Image.Image]:
    """Return the wanted frames of an open file in their order, one group of frames in memory at a time.

    Args:
        container: the file.
        wanted: numbers of frames, all of them in the file.
        box: of each frame, checked (see `region.checked_box`); None for the whole frame.
        enhancement: the enhancer that the frames pass through, see `recommendation.enhancement_for`.
        on_progress: called with the blocks done and the total for all wanted frames.
        together: frames of several groups share passes of the model, up to `PIXELS_AT_ONCE`; all of these are decoded
            before the first is returned.
    """
    if container.header.samples:
        return exact_decoder.decode_images(container, wanted, box, enhancement, on_progress)
    # Frames are decoded later, when another precision and device may be current.
    return _decode_approximated(container, wanted, box, enhancement, on_progress, Computing.chosen(), together)


def _decode_approximated(
    container: Container,
    wanted: Sequence[int],
    box: Box | None,
    enhancement: Enhancement | None,
    on_progress: OnProgress | None,
    computing: Computing,
    together: bool,
) -> Iterator[Image.Image]:
    with computing.applied():
        codec = _FileCodec.of(container, _loader_for([container], [enhancement]))
    header = container.header
    view = View(header, box, enhancement)
    alpha = exact_decoder.alpha_of(container)
    info, animation = image_info(container), animation_of(container)
    parts = _by_group(wanted, header)
    progress = Progress(on_progress, len(parts) * len(codec.pixels_near(view.source)))
    if together:
        at_once = max(1, PIXELS_AT_ONCE // view.source.pixels)
        parts = [list(wanted[start : start + at_once]) for start in range(0, len(wanted), at_once)]
    for chosen in parts:
        canvas = Canvas(header.mode.name, view.source, len(chosen))
        _fill(canvas, container, codec, chosen, progress)
        images = canvas.images[::-1]
        del canvas
        for number in chosen:  # popped, so that an image is not kept once it is yielded
            own_info = info | frame_info(animation, number)
            yield finish(images.pop(), view, None if alpha is None else alpha[number], own_info)


def decode_array(
    container: Container,
    frame: int,
    box: Box | None = None,
    enhancement: Enhancement | None = None,
    on_progress: OnProgress | None = None,
) -> SampleArray:
    """Return one frame as an array of its own, (H, W) for one plane, else (H, W, planes); see `decode_frames`.

    A Pillow image of the whole would be a second copy, so there is none unless the frame is enhanced.
    """
    header = container.header
    if enhancement is not None and header.mode is not ColourMode.PLANES:
        return array_of(next(iter(decode_frames(container, [frame], box, enhancement, on_progress))))
    region = Region.of(header, box)
    if header.samples:
        samples = exact_decoder.decode_array(container, frame, box, on_progress)
    else:
        samples = _approximated_array(container, frame, region, on_progress)
    if header.mode is ColourMode.BILEVEL:
        samples = samples.view(np.bool_)
    return samples[..., 0] if samples.shape[2] == 1 and header.mode is not ColourMode.PLANES else samples


def _approximated_array(
    container: Container, frame: int, region: Region, on_progress: OnProgress | None
) -> SampleArray:
    codec = _FileCodec.of(container, _loader_for([container]))
    mode = container.header.mode
    progress = Progress(on_progress, len(codec.pixels_near(region.coded)))
    alpha = exact_decoder.alpha_of_frame(container, frame, region)
    planes = 3 if mode is ColourMode.RGB else 1
    if region.source is None:
        canvas = ArrayCanvas(region.coded, planes, np.uint8, alpha)
        del alpha
        _fill(canvas, container, codec, [frame], progress)
        return canvas.samples
    coded = Canvas(mode.name, region.coded, 1)
    _fill(coded, container, codec, [frame], progress)
    shown = ArrayCanvas(Area(*(Span(0, size) for size in region.size[::-1])), planes, np.uint8, alpha)
    del alpha
    for number, plane in enumerate(coded.images[0].split()):  # resampled one by one, they take less memory at a time
        copy_samples(region.shown(plane), shown.samples[..., number])
    return shown.samples


def decode_together(
    containers: Sequence[Container], enhancements: Sequence[Enhancement | None]
) -> Iterator[Image.Image]:
    """Decode the first frames of files that `batches` puts together, in one synthesis; yields an image for each file.

    Args:
        containers: the files, at least one.
        enhancements: the enhancer for each, or None.
    """
    if not _is_small(containers[0]):
        yield from decode_frames(containers[0], range(1), None, enhancements[0])
        return
    header = containers[0].header
    canvas = Canvas(header.mode.name, picture_of(header), len(containers))
    _fill_together(canvas, containers, _loader_for(containers, enhancements))
    for image, container, enhancement in zip(canvas.images, containers, enhancements, strict=True):
        alpha = exact_decoder.alpha_of(container)
        view = View(header, None, enhancement)
        own_info = image_info(container) | frame_info(animation_of(container), 0)
        yield finish(image, view, None if alpha is None else alpha[0], own_info)


def put_frames(canvas: PixelCanvas, container: Container, wanted: Sequence[int]) -> None:
    """Decode the area of a canvas in some frames of a file, as they are coded: without alpha, not resampled.

    Args:
        canvas: for as many pictures as frames; it gets what synthesis returns, see `pixels_may_stay`.
        container: the file; its picture is not exact.
        wanted: numbers of frames, which share passes of the model.
    """
    _fill(canvas, container, _FileCodec.of(container, _loader_for([container])), wanted, Progress(None, 0))


def put_files(canvas: PixelCanvas, containers: Sequence[Container]) -> None:
    """Decode the first frames of files that `batches` puts together onto a canvas; see `put_frames`."""
    if _is_small(containers[0]):
        _fill_together(canvas, containers, _loader_for(containers))
    else:
        put_frames(canvas, containers[0], range(1))


def batches(containers: Sequence[Container]) -> Iterator[list[int]]:
    """Yield the numbers of files: small ones with equal headers together, for `decode_together`, the others alone."""
    keys = [(container.header, None if _is_small(container) else n) for n, container in enumerate(containers)]
    return batches_of(keys, [header.width * header.height for header, _ in keys])


def _is_small(container: Container) -> bool:
    return container.block_count == 1 and container.header.frames == 1 and not container.header.samples


def _fill_together(canvas: PixelCanvas, containers: Sequence[Container], loader: Loader | None) -> None:
    codec = _FileCodec.of(containers[0], loader)
    cell = codec.grid.cell(0, 0, 0)
    own_codecs = [replace(codec, checksums=_checksums_of(container)) for container in containers]
    latents = [_decode_cell(container, own, cell) for container, own in zip(containers, own_codecs, strict=True)]
    stacked = {name: np.concatenate([of_file[name] for of_file in latents]) for name in latents[0]}
    patch = Patch(cell.area, stacked, codec.model.traits.latents)
    with threads_for(()) as threads:
        _restore(codec, _tiles(codec, patch, cell.area, is_kept=False), canvas, threads)


def _loader_for(containers: Sequence[Container], enhancements: Sequence[Enhancement | None] = ()) -> Loader | None:
    """Return what carries out the networks of files; torch if one is enhanced, since enhancers need it anyway."""
    return None if any(enhancements) else chosen_loader(sum(_pixels_of(container.header) for container in containers))


def block_latents(container: Container, model: DecoderModel, index: int) -> Latents:
    """Return the latents of one block by its number in the file; raises Corrupt or Truncated."""
    guard = registry.catalog().guard_of(_model_info_of(container))
    grid = Grid.of(container.header, model.traits)
    codec = _FileCodec(model, guard, grid, _checksums_of(container))
    return _decode_cell(container, codec, list(grid.cells())[index])


@dataclass(frozen=True)
class _FileCodec:
    """A file's model and its blocks.

    Args:
        model: open, and suitable for the file's header.
        guard: runs the model's code.
        grid: the blocks.
        checksums: of the latents of each block, if the file has them.
        computing: how and where the synthesis may compute.
    """

    model: DecoderModel
    guard: PluginGuard
    grid: Grid
    checksums: list[bytes] | None
    computing: Computing = field(default_factory=Computing)

    @classmethod
    def of(cls, container: Container, loader: Loader | None) -> _FileCodec:
        model = _open(container, loader)
        if isinstance(model, EngineDecoder):
            count_without_torch(_pixels_of(container.header))
        guard = registry.catalog().guard_of(_model_info_of(container))
        grid = Grid.of(container.header, model.traits)
        return cls(model, guard, grid, _checksums_of(container), Computing.chosen())

    def pixels_near(self, area: Area) -> list[int]:
        """Return the pixels of each block of a group that is needed for an area, in the order of the file."""
        rows, columns = self.grid.touched(self.grid.window(self.grid.aligned(area)))
        return [self.grid.cell(0, row, column).area.pixels for row in rows for column in columns]


def _by_group(wanted: Sequence[int], header: Header) -> list[list[int]]:
    """Return the numbers of frames, neighbours of one group of frames together."""
    return [list(numbers) for _, numbers in itertools.groupby(wanted, lambda n: n // header.frames_per_block)]


def _fill(
    canvas: PixelCanvas, container: Container, codec: _FileCodec, chosen: Sequence[int], progress: Progress
) -> None:
    """Decode the area of a canvas in the chosen frames onto it."""
    grid, specs = codec.grid, codec.model.traits.latents
    groups = _by_group(chosen, grid.header)
    pixels = codec.pixels_near(canvas.area) if codec.computing.device == "cpu" else ()

    def decode(cell: Cell) -> tuple[Cell, Latents]:
        parts = []
        for numbers in groups:
            own = grid.cell(numbers[0] // grid.header.frames_per_block, cell.row, cell.column)
            latents = _decode_cell(container, codec, own)
            places = [number - own.frames.start for number in numbers]
            parts.append({name: array[places] for name, array in latents.items()})
        if len(parts) == 1:
            return cell, parts[0]
        return cell, {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}

    def decoded(cells: Iterable[Cell]) -> Iterator[tuple[Cell, Latents]]:
        for block in threads.map(decode, cells):
            for _ in groups:
                progress.begin_block()
            yield block
            del block

    def tiles() -> Iterator[_Tile]:
        group = chosen[0] // grid.header.frames_per_block
        for part, patch in patches(grid, group, len(chosen), grid.aligned(canvas.area), specs, decoded):
            yield from _tiles(codec, patch, part, is_kept=not threads.is_one)

    with threads_for(pixels) as threads:
        _restore(codec, tiles(), canvas, threads)
    progress.end_group()


class _Tile(NamedTuple):
    """A tile to synthesize.

    Args:
        area: of it.
        window: the area with a halo.
        latents: of the window.
    """

    area: Area
    window: Area
    latents: Latents


def _tiles(codec: _FileCodec, patch: Patch, area: Area, *, is_kept: bool) -> Iterator[_Tile]:
    """Yield the tiles of an area, from a patch that holds the windows around them.

    Args:
        codec: of the file.
        patch: valid until the next one, so tiles that are kept longer get copies.
        area: within the patch.
        is_kept: whether they are.
    """
    for tile in codec.grid.tiles(area):
        window = codec.grid.window(tile)
        latents = patch.cut(window)
        yield _Tile(tile, window, {name: array.copy() for name, array in latents.items()} if is_kept else latents)


def _restore(codec: _FileCodec, tiles: Iterable[_Tile], canvas: PixelCanvas, threads: Threads) -> None:
    """Synthesize tiles onto a canvas."""

    def restored(tile: _Tile) -> tuple[Area, Pixels]:
        return tile.area, _synthesize(codec, tile)

    for done in threads.map(restored, tiles):
        canvas.put(*done)
        # No name holds a tile's pixels when the next is made, so its memory is free in one piece and used again.
        del done


def _decode_cell(container: Container, codec: _FileCodec, cell: Cell) -> Latents:
    specs = codec.model.traits.latents
    shapes = {spec.name: spec.shape(cell.frames.size, cell.rows.size, cell.columns.size) for spec in specs}
    entropy = codec.guard.run(codec.model.entropy, container.header.quality or 0)
    if problem := problem_with_entropy(entropy):
        raise codec.guard.error(problem)
    block = codec.grid.index(cell)
    payload = container.block(block)
    mismatch = BackendMismatch(block=block, model=codec.guard.model)
    try:
        latents = decode_block(coder_by_id(container.header.coder), payload, entropy, specs, shapes, codec.guard)
    except FormatError:
        if codec.checksums is not None:
            raise mismatch from None  # the payload has its own checksum, and its encoder decoded it
        raise
    checksum = latents_checksum(latents[spec.name] for spec in specs) if codec.checksums else b""
    if codec.checksums and checksum != codec.checksums[block]:
        raise mismatch
    return latents


def _checksums_of(container: Container) -> list[bytes] | None:
    return split_checksums(container.chunk(ChunkType.LATENT_CHECKSUMS), container.block_count)


def _synthesize(codec: _FileCodec, tile: _Tile) -> Pixels:
    """Run the synthesis on a few frames of a tile at a time and check what it returns."""
    header, guard, area = codec.grid.header, codec.guard, tile.area
    margins = area.margins_in(tile.window)
    frames = len(next(iter(tile.latents.values())))
    at_once = max(1, TILE_EDGE**2 // tile.window.pixels)
    planes = ((3,),) if header.mode is ColourMode.RGB else ((1,), (3,))
    parts = []
    for start in range(0, frames, at_once):
        some = {name: array[start : start + at_once] for name, array in tile.latents.items()}
        with codec.computing.applied():
            pixels = guard.run(codec.model.synthesis_within, some, header.quality or 0, margins)
        expected = (min(at_once, frames - start), area.rows.size, area.columns.size)
        kind, shape = guard.run(_kind_and_shape, pixels)
        if kind != "uint8" or shape[:3] != expected or shape[3:] not in planes:
            raise guard.error(f"its synthesis returned {kind} {shape or ''}".rstrip())
        parts.append(from_model(pixels, header.mode))
    return joined(parts)


def _kind_and_shape(pixels: Any) -> tuple[str, tuple[int, ...]]:
    if not hasattr(pixels, "dtype"):
        return f"a {type(pixels).__name__}, not an array", ()
    kind = str(pixels.dtype)  # of a torch tensor, "torch.uint8"
    return kind.removeprefix("torch.") if pixels_may_stay() else kind, tuple(pixels.shape)


def computed_pixels(container: Container) -> int:
    """Return the pixels that the file's model computes for each frame; raises as `open_file_model` does."""
    if samples := container.header.samples:
        return container.header.frame_pixels * samples.weight
    return Grid.of(container.header, open_file_model(container).traits).computed_pixels


def _pixels_of(header: Header) -> int:
    """Return about how many pixels a model computes for a file, before it is known which model."""
    picture = Area(Span(0, header.height), Span(0, header.width))
    return aligned(picture, _PADDING).pixels * header.frames


def open_file_model(container: Container) -> DecoderModel:
    """Return the model of an open file, ready for use, on the engine that decodes a file of its size.

    Raises:
        Corrupt: the header does not fit the model.
        InvalidOption, NncError: see `chosen_loader`.
        UnknownModel, BadModelFile, WeightsMismatch, PluginError: see `registry.open_model`.
    """
    return _open(container, chosen_loader(_pixels_of(container.header)))


def _open(container: Container, loader: Loader | None) -> DecoderModel:
    model_info = _model_info_of(container)
    model = registry.open_decoder(model_info, loader)
    size = model.traits.size
    header = container.header
    if header.mode.name not in model.traits.modes and "RGB" not in model.traits.modes:
        raise Corrupt(detail=f"{model_info.name} codes grey pictures only, but the header says otherwise")
    if (header.quality is not None) != model.traits.qualities:
        raise Corrupt(
            detail=f"{model_info.name} {'has' if model.traits.qualities else 'has no'} qualities, but the header "
            "says otherwise"
        )
    if isinstance(size, FixedSize) and (header.width, header.height) != (size.width, size.height):
        raise Corrupt(
            detail=f"{model_info.name} codes {size.width} x {size.height} pixels, but the header says otherwise"
        )
    if header.block_edge_log2 and not model.traits.divisible:
        raise Corrupt(detail=f"its picture is divided into blocks, and {model_info.name} needs it whole")
    if header.block_edge_log2 and isinstance(size, AnySize) and (1 << header.block_edge_log2) % size.multiple:
        raise Corrupt(detail="its blocks do not fit the model's latents")
    if header.block_edge_log2 and isinstance(size, AnySize) and 1 << header.block_edge_log2 < size.halo:
        raise Corrupt(detail="its blocks are smaller than the model's halo")
    if header.display_size != (header.width, header.height):
        container.limits.check("resampled_edge", max(header.width, header.height, *header.display_size))
    grid = Grid.of(header, model.traits)
    first = grid.cell(0, 0, 0)
    container.limits.check("block_pixels", first.frames.size * first.area.pixels)
    container.limits.check("computed_pixels", max(grid.padded.pixels, grid.computed_pixels) * header.frames)
    return model


def _model_info_of(container: Container) -> ModelInfo:
    return registry.catalog().find_by_id(container.header.model_id, model_name(container))
