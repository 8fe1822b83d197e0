"""Reads any image file that Pillow can read, as frames that an .nnc file can hold."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import PurePath
from typing import Any, BinaryIO

from PIL import Image, ImageOps

from nncodec._support.filtered_warnings import filtered_warnings, recorded_warnings
from nncodec._support.notes import warn_of
from nncodec.errors import InvalidOption, NncError, UnsupportedImage
from nncodec.format.header import MAGIC
from nncodec.format.metadata import KEYS
from nncodec.picture.conversion import MODES, Converted, convert, convert_exactly, loses_samples
from nncodec.picture.exif import UPRIGHT, orientation_in, orientation_of
from nncodec.picture.exif_entries import said_upright
from nncodec.picture.losses import companions_not_used, samples_not_kept, unlike_first
from nncodec.picture.metadata import Metadata, metadata_of
from nncodec.picture.openers import (
    STACKS,
    STUBS,
    frame_count,
    open_picture,
    own_frames,
    package_for,
    register_packages,
    what_failed,
)
from nncodec.picture.options import EncodeOptions
from nncodec.picture.samples import palette_of

_OF_ANIMATIONS = ("default_image", "duration", "loop")


@dataclass(frozen=True)
class PictureFile:
    """Contents of an image file.

    Args:
        frames: of one size and one mode of L, LA, RGB, RGBA, or one that can be stored exactly, with their metadata in
            `info`, the transparency of a palette, and nothing else there.
        metadata: of all frames, as options of `nncodec.encode`; None for what the file lacks.
        notes: for the user, on the conversion and on what is not kept.
    """

    frames: list[Image.Image]
    metadata: EncodeOptions
    notes: tuple[str, ...]


def is_picture(path: PurePath) -> bool:
    """Return whether a file's name has the extension of an image that can be encoded, given the optional packages."""
    register_packages()
    kind = Image.registered_extensions().get(path.suffix.lower())
    return (kind in Image.OPEN and kind not in STUBS) or package_for(path.suffix) is not None


def read_picture_file(
    stream: BinaryIO, *, frame: int | None, max_pixels: int, strip: bool, max_error: int | None = None
) -> PictureFile:
    """Read the frames of an image file.

    Args:
        frame: number of the frame to read; None for all.
        max_pixels: of all frames together.
        strip: omit EXIF and XMP, and apply the orientation of EXIF.
        max_error: the most by which samples will change; if it is given, frames keep modes that can be stored exactly,
            see `convert_exactly`.

    Raises:
        UnsupportedImage, InvalidOption: the image cannot be encoded as requested, or Pillow cannot read it.
        OSError: the file cannot be read.
        Image.DecompressionBombError, MemoryError: the picture is too large.
        ValueError: the stream is closed.
    """
    try:
        return _read_file(stream, frame, max_pixels, strip, max_error)
    except (NncError, MemoryError, Image.DecompressionBombError):
        raise
    except Exception as error:  # Pillow's decoders may raise anything
        if stream.closed or (isinstance(error, OSError) and error.errno is not None):  # of the disk
            raise
        raise UnsupportedImage(detail=what_failed(stream, error)) from error


def _read_file(stream: BinaryIO, frame: int | None, max_pixels: int, strip: bool, max_error: int | None) -> PictureFile:
    if stream.read(len(MAGIC)) == MAGIC:
        raise UnsupportedImage(detail="already an .nnc file; use 'nncodec decode' to get a picture back")
    stream.seek(0)
    notes: list[str] = []
    # Pillow's limit is the process's, too: what is inside is for one thread at a time.
    with (
        recorded_warnings(but=Image.DecompressionBombWarning) as caught,
        _bounded(max_pixels),
        open_picture(stream) as image,
    ):
        chosen = _chosen_frames(image, frame, notes)
        if image.width * image.height * len(chosen) > max_pixels:
            raise UnsupportedImage(
                detail=f"{len(chosen)} frames of {image.width} x {image.height} pixels are more than {max_pixels} "
                "pixels; choose one with --frame, or raise --max-pixels"
            )
        frames, metadata = _read(image, chosen, strip, notes, max_error)
    notes += [str(warning.message) for warning in caught]
    return PictureFile(frames, metadata, tuple(dict.fromkeys(notes)))


def megapixels_of(open_stream: Callable[[], BinaryIO]) -> float:
    """Return how many million pixels all frames of a picture file have; 0 if it cannot be read."""
    try:
        with open_stream() as stream, open_picture(stream) as image:
            frames = len(own_frames(image)) if image.format in STACKS else 1
            return float(image.width * image.height * frames / 1e6)
    except Exception:  # it will fail when it is encoded, with a message
        return 0


def upright(image: Image.Image) -> Image.Image:
    """Return an image with its orientation, of EXIF or else XMP, applied, if that can be read."""
    try:
        with filtered_warnings("ignore"):  # of Pillow's parser
            return ImageOps.exif_transpose(image)
    except Exception:  # cameras write anything as EXIF, and Pillow's parser may raise anything
        return image


def upright_if_untold(image: Image.Image, options: Mapping[str, Any], *, keeps_colours: bool = False) -> Image.Image:
    """Return an image, turned if the options drop the EXIF or XMP that says how; then warns of what else is not kept.

    Args:
        image: of any mode.
        options, keeps_colours: see `metadata_of`.
    """
    drops = any(key in options and not options[key] for key in ("exif", "xmp"))
    if not drops or orientation_of(image) == UPRIGHT:
        return image
    metadata = metadata_of([image], options, keeps_colours=keeps_colours)  # of the original: a copy has no file
    if orientation_in({key: getattr(metadata, key) for key in ("exif", "xmp")}) != UPRIGHT:
        return image
    warn_of(metadata.notes)
    metadata = replace(metadata, **said_upright({"exif": metadata.exif, "xmp": metadata.xmp}))  # in any quotes
    turned = upright(image)
    turned.info = {key: value for key, value in turned.info.items() if key in (*_OF_ANIMATIONS, "transparency")}
    turned.info |= _info_of(metadata, 0)
    return turned


def stripped(images: Sequence[Image.Image]) -> list[Image.Image]:
    """Return images without EXIF and XMP, turned as EXIF says."""
    turned = [upright(image) for image in images]
    for image in turned:
        image.info = {key: value for key, value in image.info.items() if key not in ("exif", "xmp")}
    return turned


@contextlib.contextmanager
def _bounded(max_pixels: int) -> Iterator[None]:
    before = Image.MAX_IMAGE_PIXELS
    Image.MAX_IMAGE_PIXELS = max(1, max_pixels // 2)  # Pillow warns above this and refuses above its double
    try:
        yield
    finally:
        Image.MAX_IMAGE_PIXELS = before


def _chosen_frames(image: Image.Image, frame: int | None, notes: list[str]) -> Sequence[int]:
    count = frame_count(image)
    if frame is not None:
        if frame >= count:
            raise InvalidOption(option="frame", reason=f"the picture has frames 0 to {count - 1}")
        return [frame]
    if count > 1 and image.format not in STACKS:
        notes.append(f"of {count} pictures in this {image.format} file, the first is used")
        return [0]
    told = companions_not_used(image)
    notes += told or ([f"all {count} frames are used"] if count > 1 else [])
    return own_frames(image)


def _read(
    image: Image.Image, chosen: Sequence[int], strip: bool, notes: list[str], max_error: int | None
) -> tuple[list[Image.Image], EncodeOptions]:
    frames: list[Image.Image] = []
    metadata = Metadata()
    animation: list[Image.Image] = []
    for number in chosen:
        if number:
            image.seek(number)
        notes += samples_not_kept([image])
        if not frames:
            metadata = metadata_of([image], strip=strip, keeps_colours=max_error is not None, of_file=True)
            notes.extend(metadata.notes)
        image.load()
        shown = Image.new("1", (1, 1))
        shown.info = {key: image.info[key] for key in (*_OF_ANIMATIONS, "icc_profile") if key in image.info}
        animation.append(shown)
        shown_upright = upright(image) if strip and orientation_of(image) != UPRIGHT else image  # a copy knows no file
        converted = _converted(shown_upright, max_error)
        if converted.note:
            notes.append(converted.note)
        frames.append(image.copy() if converted.image is image else converted.image)
    metadata = replace(metadata, animation=metadata_of(animation).animation)
    notes += unlike_first(animation, {})
    frames = _alike(frames)
    for number, frame in enumerate(frames):
        transparency = frame.info.get("transparency") if frame.mode == "P" else None
        frame.info = _info_of(metadata, number)
        if transparency is not None:
            frame.info["transparency"] = transparency
    return frames, _options_of(metadata)


def _options_of(metadata: Metadata) -> EncodeOptions:
    animation = metadata.animation
    return EncodeOptions(
        exif=metadata.exif,
        icc_profile=metadata.icc_profile,
        xmp=metadata.xmp,
        dpi=metadata.dpi,
        duration=animation.durations_ms if animation else None,
        loop=animation.loop if animation else None,
    )


def _info_of(metadata: Metadata, number: int) -> dict[str | tuple[int, int], Any]:
    """Return the `info` of a frame: what is kept, and nothing else."""
    values: dict[str | tuple[int, int], Any] = {key: getattr(metadata, key) for key in (*KEYS, "dpi")}
    if metadata.animation is not None:
        values |= {"duration": metadata.animation.durations_ms[number], "loop": metadata.animation.loop}
        values |= {"default_image": metadata.animation.first_is_still or None}
    return {key: value for key, value in values.items() if value is not None}


def in_one_mode(frames: Sequence[Image.Image], max_error: int | None = None) -> list[Image.Image]:
    """Return the frames of an animation in one mode that can be stored; warns of samples that change.

    Args:
        frames: such as Pillow reads them of a GIF: a palette, then colours.
        max_error: see `read_picture_file`.

    Raises:
        UnsupportedImage: they differ in size, or have no fixed range of values, or no mode holds all of them exactly.
    """
    converted = [_converted(frame, max_error) for frame in frames]
    notes = [one.note for frame, one in zip(frames, converted, strict=True) if loses_samples(frame)]
    warn_of(dict.fromkeys(note for note in notes if note))
    return _alike([one.image for one in converted])


def _converted(image: Image.Image, max_error: int | None) -> Converted:
    return convert(image) if max_error is None else convert_exactly(image, allows_errors=max_error > 0)


def _alike(frames: list[Image.Image]) -> list[Image.Image]:
    if len({frame.size for frame in frames}) > 1:
        raise UnsupportedImage(detail="its frames differ in size; choose one, on the command line with --frame")
    if len({(frame.mode, palette_of(frame)) for frame in frames}) == 1:
        return frames
    if any(loses_samples(frame) for frame in frames):
        names = " and ".join(sorted({frame.mode for frame in frames}))
        reason = "no mode holds all of them exactly; choose one, on the command line with --frame, or give a quality"
        raise UnsupportedImage(detail=f"its frames have modes {names}, and {reason}")
    frames = [frame if frame.mode in MODES else convert(frame).image for frame in frames]
    modes = {frame.mode for frame in frames}
    if len(modes) == 1:
        return frames
    common = ("RGB" if any(m.startswith("RGB") for m in modes) else "L") + ("A" if any("A" in m for m in modes) else "")
    return [frame.convert(common) for frame in frames]
