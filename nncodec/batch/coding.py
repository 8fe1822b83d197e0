"""Encodes or decodes one file, as the command line and a batch do: the bytes of a file in, those of its results out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import BinaryIO, Literal

from nncodec import api
from nncodec._support.notes import larger_than_input
from nncodec.coding.choice import exactness_of
from nncodec.coding.encoder import unused_quality
from nncodec.coding.inspection import inspect, pillow_mode
from nncodec.errors import InvalidOption
from nncodec.format.container import Container
from nncodec.format.header import MAGIC
from nncodec.limits import DEFAULT_LIMITS, Limits
from nncodec.picture.no_nnc import telling_what_else
from nncodec.picture.options import EncodeOptions, OnProgress
from nncodec.picture.reading import PictureFile, read_picture_file, stripped
from nncodec.picture.region import Box
from nncodec.picture.sizes import check_size
from nncodec.picture.writing import holds_all_frames, save_frames
from nncodec.plugin.computing import Computing
from nncodec.plugin.device import Device
from nncodec.plugin.precision import Precision

KEEP: Literal["keep"] = "keep"
"""A quality: that of the .nnc file which the picture comes from."""

_SHARED_PIXELS = 1 << 16
"""Pictures of up to so many pixels share passes of a model; larger ones gain nothing by it."""


@dataclass(frozen=True)
class EncodeSettings:
    """How to encode every picture of a run.

    Args:
        model, quality, target_size, target_bpp, target_psnr: see `nncodec.encode`.
        strip: omit EXIF and XMP, and apply the orientation of EXIF.
        frame: number of the frame to encode; None for all.
        max_pixels: of all frames of a picture.
        options: of `nncodec.encode`.
    """

    model: str | None = None
    quality: int | Literal["keep"] | None = None
    target_size: int | None = None
    target_bpp: float | None = None
    target_psnr: float | None = None
    strip: bool = False
    frame: int | None = None
    max_pixels: int = DEFAULT_LIMITS.pixels
    options: EncodeOptions = field(default_factory=EncodeOptions)

    @property
    def is_searched(self) -> bool:
        """Whether the quality has to be searched for."""
        return any(target is not None for target in (self.target_size, self.target_bpp, self.target_psnr))

    @property
    def keeps_files(self) -> bool:
        """Whether .nnc files are to stay as they are."""
        others = self.options.keys() - {"precision", "device"}
        changed = self.model is not None or self.strip or self.frame is not None or others
        return self.quality == KEEP and not changed

    @property
    def shares_passes(self) -> bool:
        """Whether small pictures of one size may be encoded together."""
        is_codec = exactness_of(self.model, self.options) is None
        return is_codec and self.quality != KEEP and not self.is_searched


@dataclass(frozen=True)
class DecodeSettings:
    """How to decode every file of a run.

    Args:
        format: Pillow's name of the format to write.
        quality: of a lossy format; None for its default.
        animate: see `writing.holds_all_frames`.
        frame: number of the frame to decode; None decodes all.
        box: part of every frame to decode; None decodes all of it.
        enhancer, strength, precision, device: see `nncodec.decode`.
        strip: omit EXIF and XMP.
        max_pixels: of all frames of a file.
        in_one_file: refuse files whose frames do not fit into one result.
    """

    format: str
    quality: int | None = None
    animate: bool = False
    frame: int | None = None
    box: Box | None = None
    enhancer: str | None = None
    strength: float | None = None
    strip: bool = False
    max_pixels: int = DEFAULT_LIMITS.pixels
    precision: Precision = "auto"
    device: Device | None = None
    in_one_file: bool = False


@dataclass(frozen=True)
class CodedFile:
    """What was made of one file.

    Args:
        parts: results: what goes into the name before its suffix, and the bytes.
        notes: lines for the user.
        report: the result in a few words.
        run_notes: lines that hold for every file of a run.
    """

    parts: tuple[tuple[str, bytes], ...]
    notes: tuple[str, ...] = ()
    report: str = ""
    run_notes: tuple[str, ...] = ()


# --- encode -------------------------------------------------------------------------------------------------------


def encode_file(
    stream: BinaryIO, source_bytes: int, settings: EncodeSettings, on_progress: OnProgress | None = None
) -> CodedFile:
    """Encode one picture file.

    Args:
        stream: the file, seekable.
        source_bytes: its size.
        settings: how.
        on_progress: see `nncodec.encode`.

    Raises:
        NncError, OSError: see `nncodec.encode` and `read_picture_file`.
    """
    if settings.quality == KEEP and settings.keeps_files:
        _check_nnc(stream)
        copied = Container(stream, Limits(pixels=settings.max_pixels)).copy()
        return CodedFile((("", copied),), report="the same file")
    pictures = read_pictures(stream, settings)
    run_notes = _run_notes(settings)
    data = api.encode(
        pictures.frames,
        settings.model,
        None if run_notes else settings.quality,
        target_size=settings.target_size,
        target_bpp=settings.target_bpp,
        target_psnr=settings.target_psnr,
        on_progress=on_progress,
        **(pictures.metadata | settings.options),
    )
    return _encoded(data, pictures, source_bytes, settings, run_notes)


def read_pictures(stream: BinaryIO, settings: EncodeSettings) -> PictureFile:
    """Return the frames of a file that are to be encoded; of an .nnc file if the quality is to be kept."""
    if settings.quality == KEEP:
        _check_nnc(stream)
        return _decoded(stream, settings)
    return read_picture_file(
        stream,
        frame=settings.frame,
        max_pixels=settings.max_pixels,
        strip=settings.strip,
        max_error=exactness_of(settings.model, settings.options),
    )


def encode_together(
    pictures: Sequence[PictureFile], sources_bytes: Sequence[int], settings: EncodeSettings
) -> list[CodedFile]:
    """Encode small pictures of one frame each; those of one size and mode share passes of the model.

    Args:
        pictures: of files for which `fits_together` holds.
        sources_bytes: size of each file.
        settings: that allow it, see `EncodeSettings.shares_passes`.
    """
    frames = [picture.frames[0] for picture in pictures]
    run_notes = _run_notes(settings)
    files = api.encode_batch(frames, settings.model, None if run_notes else settings.quality, **settings.options)
    made = zip(files, pictures, sources_bytes, strict=True)
    return [_encoded(data, picture, size, settings, run_notes) for data, picture, size in made]


def fits_together(pictures: PictureFile) -> bool:
    """Return whether a picture is small enough to share passes of a model with others."""
    width, height = pictures.frames[0].size
    return len(pictures.frames) == 1 and width * height <= _SHARED_PIXELS


def _run_notes(settings: EncodeSettings) -> tuple[str, ...]:
    """Return a note if the settings have a quality, and the model has none: then it is left out."""
    if not isinstance(settings.quality, int) or exactness_of(settings.model, settings.options) is not None:
        return ()
    return unused_quality(settings.model or api.DEFAULT_MODEL, settings.quality)


def _encoded(
    data: bytes, pictures: PictureFile, source_bytes: int, settings: EncodeSettings, run_notes: tuple[str, ...]
) -> CodedFile:
    width, height = pictures.frames[0].size
    rate_bpp = 8 * len(data) / (width * height * len(pictures.frames))
    report = f"{rate_bpp:.3f} bits per pixel"
    info = inspect(data)
    if info.max_error is not None:
        report += ", lossless" if info.lossless else f", errors up to {info.max_error}"
    elif settings.is_searched:
        report += f", quality {info.quality}"
    notes = pictures.notes + larger_than_input(source_bytes, len(data))
    return CodedFile((("", data),), notes, report, run_notes)


def _check_nnc(stream: BinaryIO) -> None:
    if stream.read(len(MAGIC)) != MAGIC:
        raise InvalidOption(option="-q", reason="'keep' needs an .nnc file; give a number from 0 to 100")
    stream.seek(0)


def _decoded(stream: BinaryIO, settings: EncodeSettings) -> PictureFile:
    """Return the frames of an .nnc file, to be encoded again."""
    chosen = None if settings.frame is None else range(settings.frame, settings.frame + 1)
    options, limits = settings.options, Limits(pixels=settings.max_pixels)
    with Computing.chosen(options.get("precision"), options.get("device")).applied():
        frames = list(api.decode_frames(stream, frames=chosen, limits=limits))
    return PictureFile(stripped(frames) if settings.strip else frames, EncodeOptions(), ())


# --- decode -------------------------------------------------------------------------------------------------------


def decode_file(stream: BinaryIO, settings: DecodeSettings, on_progress: OnProgress | None = None) -> CodedFile:
    """Decode one .nnc file to pictures of a format.

    Args:
        stream: the file, seekable.
        settings: how.
        on_progress: see `nncodec.decode`.

    Raises:
        NncError, OSError: see `nncodec.decode` and `writing.save`.
    """
    limits = Limits(pixels=settings.max_pixels)
    with telling_what_else(stream):
        container = Container(stream, limits)
    stream.seek(0)
    count = container.header.frames
    chosen = range(count) if settings.frame is None else range(settings.frame, settings.frame + 1)
    holds_all = holds_all_frames(settings.format, animate=settings.animate)
    if settings.in_one_file and len(chosen) > 1 and not holds_all:
        raise InvalidOption(option="-o", reason=f"the file holds {count} frames; choose one with --frame")
    left, upper, right, lower = settings.box or (0, 0, *container.header.display_size)
    mode = pillow_mode(container)
    check_size(settings.format, right - left, lower - upper, mode)
    frames = api.decode_frames(
        stream,
        frames=chosen,
        box=settings.box,
        enhancer=settings.enhancer,
        strength=settings.strength,
        limits=limits,
        precision=settings.precision,
        device=settings.device,
        on_progress=on_progress,
    )
    parts, notes = save_frames(
        frames, chosen, settings.format, strip=settings.strip, quality=settings.quality, animate=settings.animate
    )
    return CodedFile(parts, notes, f"{right - left} x {lower - upper}, {mode}")
