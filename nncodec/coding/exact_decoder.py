"""Decoding exact pictures: blocks to samples to images or arrays."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image

from nncodec._support.threads import in_threads
from nncodec.coding.enhancing import Enhancement
from nncodec.coding.grid import Cell, Grid
from nncodec.coding.inspection import frame_info, image_info, model_name, pillow_mode, stored_palette
from nncodec.coding.view import Progress, View, finish, picture_of
from nncodec.errors import Corrupt, NncError, UnsupportedImage, first_line
from nncodec.format.alpha import unpack_alpha
from nncodec.format.container import Container
from nncodec.format.header import MAGIC, ChunkType, ColourMode
from nncodec.format.metadata import animation_of
from nncodec.format.samples import SampleArray, SampleFormat
from nncodec.picture.area import Area
from nncodec.picture.options import OnProgress
from nncodec.picture.pixels import ArrayCanvas, Canvas
from nncodec.picture.region import Box, Region
from nncodec.plugin import registry
from nncodec.plugin.guard import PluginGuard
from nncodec.plugin.hooks import LOSSLESS
from nncodec.plugin.latents import Pixels
from nncodec.plugin.lossless import LosslessModel, Samples, problem_with_samples


def decode_images(
    container: Container,
    wanted: Sequence[int],
    box: Box | None = None,
    enhancement: Enhancement | None = None,
    on_progress: OnProgress | None = None,
) -> Iterator[Image.Image]:
    """Yield the wanted frames of an exact file as images; arguments as for `decoder.decode_frames`.

    Raises:
        UnsupportedImage: no Pillow mode holds the file's samples.
    """
    header = container.header
    if header.mode is ColourMode.PLANES or header.samples is None:
        raise no_pillow_mode(container)
    view = View(header, box, enhancement)
    alpha = alpha_of(container)
    palette = stored_palette(container)
    info, animation = image_info(container), animation_of(container)
    mode = pillow_mode(container, with_alpha=False)
    blocks = _Blocks.of(container)
    progress = Progress(on_progress, blocks.count(wanted, view.source))
    for chosen, parts in blocks.groups(wanted, view.source):
        canvas = Canvas(mode, view.source, len(chosen))
        for area, samples in parts:
            canvas.put(area, samples)
            progress.begin_block()
        progress.end_group()
        images = canvas.images[::-1]
        for number in chosen:
            image = images.pop()
            if palette is not None:
                image.putpalette(palette.colours)
            own_alpha = None if alpha is None else alpha[number]
            if enhancement and image.mode.endswith("A"):
                own_alpha = np.zeros((header.height, header.width), np.uint8)
                own_alpha[view.source.slices()] = np.asarray(image.getchannel("A"))
                image = image.convert(image.mode.removesuffix("A"))
            yield finish(image, view, own_alpha, info | frame_info(animation, number))


def decode_array(
    container: Container, frame: int, box: Box | None = None, on_progress: OnProgress | None = None
) -> SampleArray:
    """Return the samples of one frame of an exact file of any kind: (H, W, C) of uint8 or uint16, alpha last."""
    region = Region.of(container.header, box)
    blocks = _Blocks.of(container)
    wanted = range(frame, frame + 1)
    progress = Progress(on_progress, blocks.count(wanted, region.coded))
    alpha = alpha_of_frame(container, frame, region)
    canvas = ArrayCanvas(region.coded, blocks.format.planes, blocks.format.dtype, alpha)
    del alpha
    ((_, parts),) = blocks.groups(wanted, region.coded)
    for place, samples in parts:
        canvas.put(place, samples)
        progress.begin_block()
    progress.end_group()
    return canvas.samples


def alpha_of(container: Container) -> Pixels | None:
    """Return the alpha that a file stores beside its planes, uint8 (frames, H, W) at display size, or None.

    Raises:
        FormatError: it has another size, is damaged, or exceeds the limits.
        UnknownModel: it is an exact file, whose model is not installed.
    """
    chunk = container.chunk(ChunkType.ALPHA)
    if chunk is None:
        return None
    frames, (width, height) = container.header.frames, container.header.display_size
    if not chunk.startswith(MAGIC):
        return unpack_alpha(chunk, frames, height, width)
    nested = Container(chunk, container.limits)
    nested.check_end()
    header = nested.header
    has_chunks = any(entry.type != ChunkType.MODEL_NAME for entry in nested.chunk_table)
    if header.samples != SampleFormat(8, 1) or header.mode is not ColourMode.L or has_chunks:
        raise Corrupt(detail="its alpha is not an exact grey picture")
    if (header.frames, header.width, header.height) != (frames, width, height):
        raise Corrupt(detail="its alpha has another size")
    alpha: Pixels = np.empty((frames, height, width), np.uint8)
    blocks = _Blocks.of(nested)
    whole = picture_of(header)
    for chosen, parts in blocks.groups(range(frames), whole):
        for area, samples in parts:
            alpha[chosen[0] : chosen[-1] + 1, *area.slices()] = samples[..., 0]
    return alpha


def alpha_of_frame(container: Container, frame: int, region: Region) -> Pixels | None:
    """Return the alpha of a region of one frame, (h, w), or None; see `alpha_of`."""
    alpha = alpha_of(container)
    return None if alpha is None else region.cut(alpha[frame])


def no_pillow_mode(container: Container) -> UnsupportedImage:
    """Return the error for a picture with planes that no Pillow mode holds."""
    samples = container.header.samples
    planes, bits = (samples.planes, samples.bits) if samples else (0, 0)
    return UnsupportedImage(
        detail=f"no Pillow mode holds its {planes} planes of {bits} bits; use nncodec.decode(..., as_array=True)"
    )


@dataclass(frozen=True)
class _Blocks:
    """The blocks of an exact file.

    Args:
        container: the file.
        model: open, and suitable for the file's header.
        guard: runs the model's code.
        grid: the blocks.
        format: of the samples.
    """

    container: Container
    model: LosslessModel
    guard: PluginGuard
    grid: Grid
    format: SampleFormat

    @classmethod
    def of(cls, container: Container) -> _Blocks:
        header = container.header
        samples = header.samples
        assert samples is not None
        model_info = registry.catalog().find_by_id(header.model_id, model_name(container), LOSSLESS)
        model = registry.open_lossless(model_info)
        if samples.coded_bits > model.traits.max_bits or samples.planes > model.traits.max_planes:
            raise Corrupt(
                detail=f"{model_info.name} does not code {samples.planes} planes of {samples.coded_bits} bits, but the "
                "header says so"
            )
        grid = Grid(header, 1, 0)
        first = grid.cell(0, 0, 0)
        container.limits.check("block_pixels", first.frames.size * first.area.pixels * samples.weight)
        return cls(container, model, registry.catalog().guard_of(model_info), grid, samples)

    def count(self, wanted: Sequence[int], area: Area) -> int:
        """Return how many blocks hold an area of the wanted frames."""
        rows, columns = self.grid.touched(area)
        return len(self._groups_of(wanted)) * len(rows) * len(columns)

    def groups(
        self, wanted: Sequence[int], area: Area
    ) -> Iterator[tuple[list[int], Iterator[tuple[Area, SampleArray]]]]:
        """Yield the wanted frames of each group of frames, and the blocks that hold an area of them.

        A block is its area and its samples (frames, h, w, C). All of a group are to be taken before the next group.
        """
        rows, columns = self.grid.touched(area)
        groups = self._groups_of(wanted)
        cells = (self.grid.cell(chosen[0] // self._per_block, r, c) for chosen in groups for r in rows for c in columns)
        stored = ((cell, self.container.block(self.grid.index(cell))) for cell in cells)
        blocks = in_threads(self._decoded, stored, self.count(wanted, area))
        for chosen in groups:
            first = chosen[0] // self._per_block * self._per_block
            places = [number - first for number in chosen]
            parts = itertools.islice(blocks, len(rows) * len(columns))
            yield chosen, ((cell.area, samples[places]) for cell, samples in parts)

    @property
    def _per_block(self) -> int:
        return self.grid.header.frames_per_block

    def _groups_of(self, wanted: Sequence[int]) -> list[list[int]]:
        return [list(numbers) for _, numbers in itertools.groupby(wanted, lambda number: number // self._per_block)]

    def _decoded(self, stored: tuple[Cell, bytes]) -> tuple[Cell, SampleArray]:
        cell, payload = stored
        shape = (cell.frames.size, cell.rows.size, cell.columns.size, self.format.planes)
        bits = self.format.coded_bits
        return cell, self.format.restored(decoded_block(self.model, self.guard, payload, shape, bits))


def decoded_block(
    model: LosslessModel, guard: PluginGuard, payload: bytes, shape: tuple[int, int, int, int], bits: int
) -> Samples:
    """Return what a model decodes from a payload, checked.

    Raises:
        Corrupt: the payload is damaged.
        PluginError: the model failed, or returned something else than samples of this shape and depth.
    """
    try:
        samples = model.decode(payload, shape, bits)
    except (NncError, MemoryError):
        raise
    except ValueError as error:
        raise Corrupt(detail=f"a block: {first_line(error)}") from error
    except (Exception, SystemExit) as error:  # third-party code: anything can happen
        raise guard.error(f"{type(error).__name__}: {first_line(error)}") from error
    if problem := problem_with_samples(samples, shape, bits):
        raise guard.error(problem)
    return samples
