"""Encoding exact pictures: samples to blocks to a file, without loss or with a bounded error."""

from __future__ import annotations

import copy
import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from nncodec._support.notes import warn_of
from nncodec._support.threads import in_threads
from nncodec.coding.envelope import check_options, level_of, require_range, write_file
from nncodec.coding.exact_estimate import is_drawn, may_be_smaller
from nncodec.coding.grid import BLOCK_EDGE_LOG2, PIXELS_AT_ONCE, Cell, Grid
from nncodec.errors import InvalidOption, UnknownModel, UnsupportedImage
from nncodec.format.alpha import pack_alpha
from nncodec.format.header import ChunkType, CoderId, ColourMode, Header
from nncodec.limits import DEFAULT_LIMITS
from nncodec.picture.metadata import metadata_of
from nncodec.picture.options import EncodeOptions, OnProgress
from nncodec.picture.samples import SamplePicture, SampleStack, alpha_apart, exact_of, stack_of
from nncodec.plugin import registry
from nncodec.plugin.guard import PluginGuard
from nncodec.plugin.hooks import LOSSLESS
from nncodec.plugin.latents import Pixels
from nncodec.plugin.lossless import LosslessModel, problem_with_samples
from nncodec.plugin.model_file import LONG_ID_BYTES, ModelInfo

DEFAULT_LOSSLESS = "lossless"
"""Alias of the default lossless model."""

_FRAMES_PER_BLOCK = 1 << 13
# No exact file is as small.
_LEAST_FILE_BYTES = 24
# Alpha is simple if it takes fewer bytes a pixel; the colours of photographs take one or more.
_SIMPLE_ALPHA_BYTES = 1 / 20
_UNUSED = {
    "coder": "a lossless model has its own",
    "downscale": "an exact picture is not stored reduced",
    "enhancer": "an exact picture has nothing to restore",
}


def check_exact_options(options: EncodeOptions) -> None:
    """Raise InvalidOption if an option is given that no exact picture can have."""
    for name, reason in _UNUSED.items():
        if options.get(name) not in (None, 1):
            raise InvalidOption(option=name, reason=f"{reason}; leave it out, or set lossless=False")


class ExactEncoder:
    """Encodes pictures with a lossless model: options are checked and the model is open.

    Args:
        model: name or alias; None for the default lossless model.
        options: see `EncodeOptions`.

    Attributes:
        on_progress: called with the blocks done and their total.

    Raises: see `nncodec.encode`.
    """

    on_progress: OnProgress | None = None

    def __init__(self, model: str | None, options: EncodeOptions) -> None:
        check_options(options)
        check_exact_options(options)
        self.options = options
        self.model_info: ModelInfo = registry.catalog().find(model or DEFAULT_LOSSLESS, LOSSLESS)
        self.model: LosslessModel = registry.open_lossless(self.model_info)
        self._guard: PluginGuard = registry.catalog().guard_of(self.model_info)
        self.effort = level_of(self.model.traits.efforts, options.get("effort", 0))

    def encode(self, pictures: Sequence[SamplePicture], max_error: int) -> bytes:
        """Encode pictures, with their metadata, into one file; warns of metadata that is not kept.

        Args:
            pictures: see `sources.samples_from`.
            max_error: the most by which a sample may change.
        """
        metadata = self._metadata(pictures)
        coarse = stack_of(pictures, max_error)
        return self.write_smaller(coarse, exact_of(coarse), metadata) if max_error else self.write(coarse, metadata)

    def _metadata(self, pictures: Sequence[SamplePicture]) -> dict[int, bytes]:
        images = [picture if isinstance(picture, Image.Image) else _blank(picture) for picture in pictures]
        if not images:
            return {}  # `stack_of` says what is wrong
        kept = metadata_of(images, self.options, keeps_colours=True)
        warn_of(kept.notes)
        return kept.chunks()

    def write_smaller(self, coarse: SampleStack, exact: SampleStack, metadata: Mapping[int, bytes]) -> bytes:
        """Encode frames as `write` does, with errors, or without where the file is no larger then.

        Args:
            coarse: the frames with errors.
            exact: the same frames without.
            metadata: chunks.
        """
        data = self.write(coarse, metadata)
        if not may_be_smaller(exact, coarse):
            return data
        whole = copy.copy(self)
        whole.on_progress = None
        return min(whole.write(exact, metadata), data, key=len)

    def write(self, stack: SampleStack, metadata: Mapping[int, bytes]) -> bytes:
        """Encode all frames into one file, with these chunks of metadata.

        Raises:
            UnsupportedImage: the model does not take so many bits or planes.
        """
        traits = self.model.traits
        if stack.format.coded_bits > traits.max_bits or stack.format.planes > traits.max_planes:
            raise UnsupportedImage(
                detail=f"{self.model_info.name} takes up to {traits.max_planes} planes of {traits.max_bits} bits, this "
                f"picture has {stack.format.planes} of {stack.format.coded_bits}"
            )
        apart = alpha_apart(stack)
        alpha = None if apart.alpha is None else alpha_chunk(apart.alpha)
        if alpha is None or apart is stack:
            return self._file(stack, alpha, metadata)
        # Simple alpha costs more as a plane of photographs. In drawings, and where it is not simple, it may follow from
        # their colours.
        data = self._file(apart, alpha, metadata)
        if len(alpha) < _SIMPLE_ALPHA_BYTES * stack.pixels and not is_drawn(stack):
            return data
        joined = copy.copy(self)
        joined.on_progress = None
        return min(joined._file(stack, None, metadata), data, key=len)

    def _file(self, stack: SampleStack, alpha: bytes | None, metadata: Mapping[int, bytes]) -> bytes:
        """Return the file of a stack with a chunk of alpha."""
        header = self._header(stack)
        payloads = list(self._payloads(stack, Grid(header, 1, 0)))
        chunks = dict(metadata)
        if stack.palette is not None:
            chunks[ChunkType.PALETTE] = stack.palette.to_bytes()
        if alpha is not None:
            chunks[ChunkType.ALPHA] = alpha
        settings = {"effort": self.effort, "coder": header.coder.name.lower()}
        opaque = _opaque(stack) if self.options.get("preview") else None
        return write_file(header, payloads, self.model_info, chunks, opaque, self.options, settings)

    def _header(self, stack: SampleStack) -> Header:
        width, height = stack.size
        edge_log2 = BLOCK_EDGE_LOG2
        while stack.format.weight << 2 * edge_log2 > PIXELS_AT_ONCE:
            edge_log2 -= 1
        divide = max(width, height) > 1 << edge_log2
        block = (1 << 2 * edge_log2 if divide else width * height) * stack.format.weight
        fit = max(1, min(PIXELS_AT_ONCE // block, _FRAMES_PER_BLOCK))
        largest = max(1, DEFAULT_LIMITS.block_pixels // 2 // block)
        per_block = require_range("frames_per_block", self.options.get("frames_per_block", fit), 1, largest)
        return Header(
            mode=stack.mode,
            coder=CoderId.LOSSLESS,
            quality=None,
            model_id=self.model_info.id_bytes[:LONG_ID_BYTES],
            width=width,
            height=height,
            display_size=stack.size,
            frames=len(stack.pictures),
            frames_per_block=min(per_block, len(stack.pictures)),
            block_edge_log2=edge_log2 if divide else 0,
            samples=stack.format,
        )

    def _payloads(self, stack: SampleStack, grid: Grid) -> Iterator[bytes]:
        total = math.prod(grid.header.grid)

        def encoded(cell: Cell) -> bytes:
            samples = stack.window(cell.frames, cell.area)
            payload = self._guard.run(self.model.encode, samples, stack.format.coded_bits, self.effort)
            if not isinstance(payload, bytes):
                raise self._guard.error(f"it encoded a block as {type(payload).__name__} instead of bytes")
            if not payload:
                raise self._guard.error("it encoded a block as no bytes; a block takes at least one")
            if self.options.get("verify"):
                bits, shape = stack.format.coded_bits, samples.shape
                decoded = self._guard.run(self.model.decode, payload, shape, bits)
                if problem := problem_with_samples(decoded, shape, bits):
                    raise self._guard.error(problem)
                if not np.array_equal(decoded, samples):
                    raise self._guard.error("a block decodes to other samples than it was encoded from")
            return payload

        self._report(0, total)
        for done, payload in enumerate(in_threads(encoded, grid.cells(), total), 1):
            yield payload
            self._report(done, total)

    def _report(self, done: int, total: int) -> None:
        if self.on_progress:
            self.on_progress(done, total)


def alpha_chunk(alpha: Pixels) -> bytes:
    """Return the chunk of alpha planes, uint8 (frames, H, W): packed, or as an exact file where that is smaller."""
    packed = pack_alpha(alpha)
    if len(packed) <= _LEAST_FILE_BYTES:
        return packed
    try:
        encoder = ExactEncoder(None, {})
    except UnknownModel:
        return packed
    return min(packed, encoder.write(stack_of([Image.fromarray(plane) for plane in alpha]), {}), key=len)


def _blank(array: NDArray[Any]) -> Image.Image:
    """Return an image of an array's size, which has no metadata."""
    return Image.new("1", (array.shape[1], array.shape[0]))


def _opaque(stack: SampleStack) -> Image.Image | None:
    """Return the first frame in mode L or RGB."""
    picture = stack.pictures[0]
    if not isinstance(picture, Image.Image) or stack.mode is ColourMode.PLANES:
        return None
    if picture.mode == "I;16":
        return picture.point(lambda value: value / (1 << stack.format.bits - 8)).convert("L")
    if picture.mode == "P":
        return picture.convert("RGBA").convert("RGB")
    return picture.convert("L" if stack.mode in (ColourMode.L, ColourMode.LA, ColourMode.BILEVEL) else "RGB")
