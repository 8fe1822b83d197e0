"""Encoding: images to blocks of latents to a file."""

from __future__ import annotations

import bisect
import copy
import functools
import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from nncodec._support.notes import warn_of
from nncodec.coding.difference import difference
from nncodec.coding.envelope import check_options, coder_of, identified, level_of, require_range, write_file
from nncodec.coding.exact_encoder import alpha_chunk
from nncodec.coding.grid import BLOCK_EDGE_LOG2, PIXELS_AT_ONCE, TILE_EDGE, Cell, Grid
from nncodec.coding.parallel import threads_for
from nncodec.coding.recommendation import Recommendation, enhancement_to_recommend
from nncodec.errors import FormatError, InvalidOption, UnsupportedImage
from nncodec.format.container import write
from nncodec.format.entropy import coder_by_id, decode_block, encode_block
from nncodec.format.header import ChunkType, CoderId, Header
from nncodec.format.latent_checksums import latents_checksum
from nncodec.limits import DEFAULT_LIMITS
from nncodec.picture.area import Span
from nncodec.picture.metadata import metadata_of
from nncodec.picture.options import EncodeOptions, OnProgress
from nncodec.picture.pixels import Frames, from_images, to_model
from nncodec.plugin import registry
from nncodec.plugin.codec import CodecModel, FixedSize
from nncodec.plugin.computing import Computing
from nncodec.plugin.entropy import EntropyModel, QuantizedLatents, problem_with_entropy
from nncodec.plugin.guard import PluginGuard
from nncodec.plugin.hooks import CODEC
from nncodec.plugin.latents import Latents, Pixels, problem_with, problem_with_analysis
from nncodec.plugin.model_file import LONG_ID_BYTES, ModelInfo

_Block = TypeVar("_Block")

_FRAMES_PER_GROUP = 1 << 13
# If no quality gives a file as small as the samples, it may exceed them by this much.
_MARGIN_BYTES = 64
# With more symbols the overhead of a Zstandard frame does not matter, and the stored coder is not tried.
_STORED_SYMBOLS = 1 << 16


class _CodedBlocks(NamedTuple):
    """The blocks of a file before they are written.

    Args:
        header: with the coder that was used.
        payloads: in file order.
        checksums: of the latents, see `latent_checksums`; empty unless the option `verify` is set.
    """

    header: Header
    payloads: list[bytes]
    checksums: bytes


class Encoder:
    """Encodes images with one model: options are checked and the model is open.

    Args, Raises: see `nncodec.encode`.

    Attributes:
        on_progress: called with the blocks done and their total.
    """

    on_progress: OnProgress | None = None

    def __init__(self, model: str, quality: int, options: EncodeOptions) -> None:
        check_options(options)
        quality = require_range("quality", quality, 0, 100)
        self.options = options
        # Shared by encoders of other qualities, so that a search packs alpha once.
        self._packed_alpha: list[tuple[Pixels, bytes]] = []
        self.computing = Computing.chosen(options.get("precision"), options.get("device"))
        self.downscale = require_range("downscale", options.get("downscale", 1), 1, 8)
        self.exact = options.get("exact", False)
        self.model_info: ModelInfo = registry.catalog().find(model, CODEC)
        self.model: CodecModel = registry.open_model(self.model_info)
        self._guard: PluginGuard = registry.catalog().guard_of(self.model_info)
        self.enhancement = enhancement_to_recommend(
            options.get("enhancer"), options.get("enhancer_strength"), self.downscale
        )
        traits = self.model.traits
        self.effort = level_of(traits.efforts, options.get("effort", 0))
        self.quality = quality if traits.qualities else None
        self.coder = coder_of(options.get("coder", traits.coder))
        if self.coder is CoderId.STORED and self._entropy().tables is not None:
            raise InvalidOption(option="coder", reason=f"{self.model_info.name} has probability tables; choose 'zstd'")
        if self.coder is CoderId.RANS and self._entropy().tables is None:
            raise InvalidOption(
                option="coder", reason=f"{self.model_info.name} has no probability tables for 'rans'; choose 'zstd'"
            )

    def at_quality(self, quality: int) -> Encoder:
        """Return an encoder that differs in its quality, 0..100, only."""
        other = copy.copy(self)
        other.quality = quality if self.model.traits.qualities else None
        return other

    def prepare(self, images: Sequence[Image.Image]) -> Frames:
        """Check that the model takes images, and return them as frames; hidden colours are filled unless `exact`."""
        frames = from_images(images)
        _, height, width, _ = frames.shape
        size = self.model.traits.size
        if isinstance(size, FixedSize) and (width, height) != (size.width, size.height):
            raise UnsupportedImage(
                detail=f"{self.model_info.name} takes pictures of {size.width} x {size.height} pixels, this one has "
                f"{width} x {height}; resize it or choose another model"
            )
        if self.downscale > 1 and isinstance(size, FixedSize):
            raise InvalidOption(option="downscale", reason=f"{self.model_info.name} takes one size only")
        return frames if self.exact else frames.filled()

    def metadata(self, images: Sequence[Image.Image]) -> dict[int, bytes]:
        """Return the metadata of the frames of a file as chunks, and warn of what is not kept.

        To be called before `prepare`, which reads the pixels: some metadata can only be read while a file is open.
        """
        if not images or not all(isinstance(image, Image.Image) for image in images):
            return {}  # `prepare` says what is wrong
        kept = metadata_of(images, self.options)
        warn_of(kept.notes)
        return kept.chunks()

    def write(self, frames: Frames, metadata: Mapping[int, bytes]) -> bytes:
        """Encode all frames into one file, with these chunks of metadata."""
        coded = self._reduced(frames)
        blocks = self._coded(frames, coded)
        if not self._is_wasteful(blocks, coded):
            return self._file(blocks, frames, metadata)
        fitting = self._at_fitting_quality(frames, coded)
        # In so few bytes, what no model holds may by chance be better at the lowest quality.
        encoders = (fitting, fitting.at_quality(0)) if fitting.quality else (fitting,)
        files = [encoder._file(encoder._coded(frames, coded), frames, metadata) for encoder in encoders]
        return min(files, key=lambda data: difference(data, frames).squares) if len(files) > 1 else files[0]

    def write_each(self, frames: Frames, metadata: Sequence[Mapping[int, bytes]]) -> Iterator[bytes]:
        """Encode each frame into its own file, with its metadata; small frames share one pass of the model."""
        coded = self._reduced(frames)
        header = self._header(frames, coded.frame(0))
        together = replace(header, frames=len(metadata), frames_per_block=len(metadata))
        grid = Grid.of(together, self.model.traits)
        cells = [self._latents(coded, grid, cell) for cell in grid.cells()]
        for number, own_metadata in enumerate(metadata):
            frame = slice(number, number + 1)
            own = self._payloads(header, cells, functools.partial(self._of_frames, frames=frame))
            if self._is_wasteful(own, coded.frame(number)):
                yield self.write(frames.frame(number), own_metadata)
            else:
                yield self._file(own, frames.frame(number), own_metadata)

    def _of_frames(self, latents: Latents, frames: slice) -> Latents:
        if isinstance(latents, QuantizedLatents):
            return self._guard.run(latents.of_frames, frames, self._entropy())
        return {name: array[frames] for name, array in latents.items()}

    def _coded(self, frames: Frames, coded: Frames) -> _CodedBlocks:
        header = self._header(frames, coded)
        grid = Grid.of(header, self.model.traits)
        total = math.prod(header.grid)
        # Refinement needs so much memory that one block at a time must do, and a GPU has one queue.
        one_by_one = self.effort or self.computing.device != "cpu"
        pixels = () if one_by_one else [cell.frames.size * cell.area.pixels for cell in grid.cells()]
        return self._payloads(header, grid.cells(), lambda cell: self._latents(coded, grid, cell), pixels, total)

    def _report(self, done: int, total: int) -> None:
        if self.on_progress:
            self.on_progress(done, total)

    def _is_wasteful(self, blocks: _CodedBlocks, coded: Frames) -> bool:
        """Return whether the raw samples would take fewer bytes, and a lower quality may help.

        Padding makes this possible: a single pixel costs as much as a whole cell of the model's grid.
        """
        return bool(self.quality) and self._excess_bytes(blocks, coded) > 0

    def _excess_bytes(self, blocks: _CodedBlocks, coded: Frames) -> int:
        """Return by how much a file without metadata and alpha exceeds the raw samples."""
        header, chunks = identified(blocks.header, blocks.payloads, self.model_info)
        return len(write(header, chunks, blocks.payloads)) - math.prod(coded.shape)

    def _at_fitting_quality(self, frames: Frames, coded: Frames) -> Encoder:
        """Return an encoder of the highest quality, up to this one, at which the file is no larger than the samples.

        If there is none, the file may exceed them by a margin.
        """

        @functools.cache
        def excess_bytes(quality: int) -> int:
            return self._excess_bytes(trial.at_quality(quality)._coded(frames, coded), coded)

        trial = copy.copy(self)
        trial.on_progress = None  # such pictures are small

        qualities = range((self.quality or 0) + 1)
        fitting = [bisect.bisect(qualities, margin, key=excess_bytes) for margin in (0, _MARGIN_BYTES)]
        return trial.at_quality(max(0, (fitting[0] or fitting[1]) - 1))

    def _reduced(self, frames: Frames) -> Frames:
        if self.downscale == 1:
            return frames
        _, height, width, _ = frames.shape
        if max(height, width) > DEFAULT_LIMITS.resampled_edge:
            raise InvalidOption(
                option="downscale",
                reason=f"pictures longer than {DEFAULT_LIMITS.resampled_edge} pixels are not resampled",
            )
        return frames.reduced(-(-width // self.downscale), -(-height // self.downscale))

    def _header(self, frames: Frames, coded: Frames) -> Header:
        count, height, width, _ = coded.shape
        divide = self.model.traits.divisible and max(width, height) > 1 << BLOCK_EDGE_LOG2
        header = Header(
            mode=frames.mode,
            coder=self.coder,
            quality=self.quality,
            model_id=self.model_info.id_bytes[:LONG_ID_BYTES],
            width=width,
            height=height,
            display_size=frames.images[0].size,
            frames=count,
            block_edge_log2=BLOCK_EDGE_LOG2 if divide else 0,
        )
        # Padding counts: decoders compare a block's padded size with their limit.
        grid = Grid.of(header, self.model.traits)
        padded = grid.padded_width * grid.padded_height
        fit = max(1, min(PIXELS_AT_ONCE // padded, _FRAMES_PER_GROUP))
        most_pixels = DEFAULT_LIMITS.block_pixels // 2
        if padded > most_pixels and not self.model.traits.divisible:
            raise UnsupportedImage(
                detail=f"{self.model_info.name} needs the whole picture at once, at most {most_pixels:,} pixels, and "
                f"this one has {width} x {height}; make it smaller, or choose another model"
            )
        largest = max(1, most_pixels // padded)
        per_block = require_range("frames_per_block", self.options.get("frames_per_block", fit), 1, largest)
        return replace(header, frames_per_block=min(per_block, count))

    def _latents(self, coded: Frames, grid: Grid, cell: Cell) -> Latents:
        """Return the quantized latents of a block."""
        traits = self.model.traits
        arrays = self._analysed(coded, grid, cell)
        pixels = to_model(coded.window(cell.frames, cell.area), traits.modes)
        with self.computing.applied():
            latents = self._guard.run(self.model.quantize, arrays, pixels, self.quality or 0, self.effort)
        problem = self._guard.run(problem_with, latents, traits.latents, pixels.shape[:3])
        if problem:
            raise self._guard.error(problem)
        return latents

    def _analysed(self, coded: Frames, grid: Grid, cell: Cell) -> dict[str, NDArray[Any]]:
        """Return the arrays of a block: the analysis runs tile by tile, a few frames at a time."""
        specs = self.model.traits.latents
        whole: dict[str, NDArray[Any]] = {}
        shapes = {s.name: s.shape(cell.frames.size, cell.rows.size, cell.columns.size) for s in specs}
        for tile in grid.tiles(cell):
            window = grid.window(tile)
            at_once = max(1, TILE_EDGE**2 // window.pixels)
            for start in range(cell.frames.start, cell.frames.stop, at_once):
                frames = Span(start, min(start + at_once, cell.frames.stop))
                pixels = to_model(coded.window(frames, window), self.model.traits.modes)
                with self.computing.applied():
                    arrays = self._guard.run(self.model.analysis, pixels, self.quality or 0, self.effort)
                problem = self._guard.run(problem_with_analysis, arrays, specs, pixels.shape[:3])
                if problem:
                    raise self._guard.error(problem)
                if not whole:
                    whole = {name: np.empty(shapes[name], array.dtype) for name, array in arrays.items()}
                if {name: array.dtype for name, array in arrays.items()} != {n: a.dtype for n, a in whole.items()}:
                    raise self._guard.error("its analysis gives other arrays for other tiles")
                for spec in specs:
                    if spec.name in whole:
                        target = frames.slice(1, cell.frames.start), slice(None), *tile.slices(spec.stride, cell.area)
                        whole[spec.name][target] = arrays[spec.name][:, :, *tile.slices(spec.stride, window)]
        return whole

    def _entropy(self) -> EntropyModel:
        entropy = self._guard.run(self.model.entropy, self.quality or 0)
        if problem := problem_with_entropy(entropy):
            raise self._guard.error(problem)
        return entropy

    def _payloads(
        self,
        header: Header,
        blocks: Iterable[_Block],
        latents_of: Callable[[_Block], Latents],
        pixels: Sequence[int] = (),
        total: int = 0,
    ) -> _CodedBlocks:
        """Encode the blocks; the stored coder is used if no coder was asked for and it is smaller.

        Args:
            header: of the file.
            blocks: in file order.
            latents_of: returns the latents of one; with `pixels` it may be called by several threads.
            pixels: of the blocks; none if they are to be encoded one after another.
            total: number of blocks to report as they are done; 0 for no report.
        """
        verify, checksums = self.options.get("verify", False), b""
        entropy, specs = self._entropy(), self.model.traits.latents
        candidates = [header.coder]
        symbols = sum(math.prod(spec.shape(header.frames, header.height, header.width)) for spec in specs)
        may_store = "coder" not in self.options and entropy.tables is None
        if may_store and header.coder is CoderId.ZSTD and symbols <= _STORED_SYMBOLS:
            candidates.insert(0, CoderId.STORED)

        def encoded(block: _Block) -> tuple[list[bytes], bytes]:
            latents, payloads = latents_of(block), []
            for coder in candidates:
                payloads.append(encode_block(coder_by_id(coder), latents, entropy, specs, self._guard))
                if verify:
                    self._verify(coder, payloads[-1], latents)
            return payloads, latents_checksum(latents[spec.name] for spec in specs) if verify else b""

        payloads: list[list[bytes]] = [[] for _ in candidates]
        if total:
            self._report(0, total)
        with threads_for(pixels) as threads:
            for done, (own, checksum) in enumerate(threads.map(encoded, blocks), 1):
                for with_coder, payload in zip(payloads, own, strict=True):
                    with_coder.append(payload)
                checksums += checksum
                if total:
                    self._report(done, total)
        sizes = [sum(map(len, with_coder)) for with_coder in payloads]
        best = sizes.index(min(sizes))
        return _CodedBlocks(replace(header, coder=candidates[best]), payloads[best], checksums)

    def _verify(self, coder: CoderId, payload: bytes, latents: Latents) -> None:
        """Decode a block as another program does, with nothing kept from encoding it; raises PluginError."""
        shapes = {name: array.shape for name, array in latents.items()}
        specs = self.model.traits.latents
        try:
            decoded = decode_block(coder_by_id(coder), payload, self._entropy(), specs, shapes, self._guard)
        except FormatError as error:
            raise self._guard.error(f"a block that it encoded does not decode: {error}") from error
        if not all(np.array_equal(decoded[name], array) for name, array in latents.items()):
            raise self._guard.error("a block decodes to other latents than it was encoded from")

    def _file(self, blocks: _CodedBlocks, frames: Frames, metadata: Mapping[int, bytes]) -> bytes:
        header, chunks = blocks.header, dict(metadata)
        if blocks.checksums:
            chunks[ChunkType.LATENT_CHECKSUMS] = blocks.checksums
        if frames.alpha is not None:
            if not self._packed_alpha or self._packed_alpha[0][0] is not frames.alpha:
                self._packed_alpha[:] = [(frames.alpha, alpha_chunk(frames.alpha))]
            chunks[ChunkType.ALPHA] = self._packed_alpha[0][1]
        # An image of one or two pixels may not become smaller; an enhancer that enlarges is then of no use.
        if self.enhancement and (self.enhancement.factor == 1 or header.is_reduced):
            chunks[ChunkType.ENHANCER] = Recommendation.by(self.enhancement).to_bytes()
        opaque = frames.images[0].convert(frames.mode.name) if self.options.get("preview") else None
        settings = {"effort": self.effort, "coder": header.coder.name.lower()}
        return write_file(header, blocks.payloads, self.model_info, chunks, opaque, self.options, settings)


def unused_quality(model: str, quality: int | None) -> tuple[str, ...]:
    """Return a note if a quality is asked for, and the model has none.

    Args:
        model: name or alias of a codec.
        quality: None if it is not asked for.

    Raises:
        UnknownModel, BadModelFile, WeightsMismatch, PluginError: see `registry.open_model`.
    """
    if quality is None or registry.open_model(model).traits.qualities:
        return ()
    return (f"{registry.catalog().find(model).name} has no qualities, so quality {quality} is not used",)
