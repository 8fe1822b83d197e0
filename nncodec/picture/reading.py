"""Any picture that Pillow can read, as frames that an .nnc file can hold."""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from PIL import ExifTags, Image, ImageOps

from nncodec.errors import InvalidOption, UnsupportedImage
from nncodec.format.container import MAGIC
from nncodec.format.metadata import KEYS
from nncodec.options import EncodeOptions
from nncodec.picture.conversion import convert
from nncodec.picture.pixels import MODES

STACKS = ("AVIF", "FLI", "GIF", "PNG", "TIFF", "WEBP")
"""Formats whose frames are pictures of their own, and not layers, sizes or depth maps of one."""

_STUBS = ("BUFR", "GRIB", "HDF5", "MPEG", "NNC", "WMF")
"""What Pillow recognises but cannot read without help, and this package's own format."""

# What a TIFF says of a picture; its other tags say how the file is laid out.
_TIFF_FACTS = (
    ExifTags.Base.ImageDescription,
    ExifTags.Base.Make,
    ExifTags.Base.Model,
    ExifTags.Base.XResolution,
    ExifTags.Base.YResolution,
    ExifTags.Base.ResolutionUnit,
    ExifTags.Base.Software,
    ExifTags.Base.DateTime,
    ExifTags.Base.Artist,
    ExifTags.Base.Copyright,
)
_TIFF_DIRECTORIES = (ExifTags.IFD.Exif, ExifTags.IFD.GPSInfo)


@dataclass(frozen=True)
class PictureFile:
    """What was read from one file.

    Args:
        frames: of one size and one mode of L, LA, RGB, RGBA.
        metadata: exif, icc_profile and xmp, each perhaps None, as options of `nncodec.encode`.
        notes: what the user should know of the conversion.
    """

    frames: list[Image.Image]
    metadata: EncodeOptions
    notes: tuple[str, ...]


def is_picture(path: Path) -> bool:
    """Whether a file's name says that it is a picture to encode."""
    Image.init()
    kind = Image.registered_extensions().get(path.suffix.lower())
    return kind in Image.OPEN and kind not in _STUBS


def read_picture_file(stream: BinaryIO, *, frame: int | None, max_pixels: int, strip: bool) -> PictureFile:
    """Read the frames of a picture file.

    Args:
        frame: the only one to read, or None for all.
        max_pixels: of all frames together.
        strip: leave EXIF and XMP out, and apply the orientation that EXIF holds.

    Raises:
        UnsupportedImage, InvalidOption: the picture cannot be encoded as asked.
        OSError, Image.DecompressionBombError, ...: Pillow cannot read it, whatever its decoders raise.
    """
    if stream.read(len(MAGIC)) == MAGIC:
        raise UnsupportedImage(detail="already an .nnc file; use 'nncodec decode' to get a picture back")
    stream.seek(0)
    notes: list[str] = []
    with _bounded(max_pixels), warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        warnings.simplefilter("ignore", Image.DecompressionBombWarning)
        with Image.open(stream) as image:
            chosen = _chosen_frames(image, frame, notes)
            if image.width * image.height * len(chosen) > max_pixels:
                raise UnsupportedImage(
                    detail=f"{len(chosen)} frames of {image.width} x {image.height} pixels are more than {max_pixels} "
                    "pixels; choose one with --frame, or raise --max-pixels"
                )
            if _is_deep(image):
                notes.append("16 bits a sample are reduced to 8")
            frames, metadata = _read(image, chosen, strip, notes)
    notes += [str(one.message) for one in caught]
    return PictureFile(_alike(frames), metadata, tuple(dict.fromkeys(notes)))


def upright(image: Image.Image) -> Image.Image:
    """Turn a picture as its EXIF says, where that can be read."""
    try:
        return ImageOps.exif_transpose(image)
    except Exception:  # EXIF is whatever a camera wrote; Pillow's parser raises anything
        return image


@contextlib.contextmanager
def _bounded(max_pixels: int) -> Iterator[None]:
    before = Image.MAX_IMAGE_PIXELS
    Image.MAX_IMAGE_PIXELS = max(1, max_pixels // 2)  # Pillow warns above this and refuses above its double
    try:
        yield
    finally:
        Image.MAX_IMAGE_PIXELS = before


def _chosen_frames(image: Image.Image, frame: int | None, notes: list[str]) -> range:
    count = getattr(image, "n_frames", 1)
    if frame is not None:
        if frame >= count:
            raise InvalidOption(option="frame", reason=f"the picture has frames 0 to {count - 1}")
        return range(frame, frame + 1)
    if count > 1 and image.format not in STACKS:
        notes.append(f"the first of {count} pictures in this {image.format} file is taken")
        return range(1)
    if count > 1:
        notes.append(f"all {count} frames are taken; how long each is shown is not kept")
    return range(count)


def _read(image: Image.Image, chosen: range, strip: bool, notes: list[str]) -> tuple[list[Image.Image], EncodeOptions]:
    frames: list[Image.Image] = []
    metadata = EncodeOptions()
    for number in chosen:
        if number:
            image.seek(number)
        image.load()
        if not frames:
            metadata = _metadata_of(image, strip)
        converted = convert(upright(image) if strip else image)
        if converted.note:
            notes.append(converted.note)
        if converted.other_colours:
            metadata["icc_profile"] = None  # it describes colours that are no longer there
        frames.append(image.copy() if converted.image is image else converted.image)
    return frames, metadata


def _metadata_of(image: Image.Image, strip: bool) -> EncodeOptions:
    found = {key: image.info.get(key) for key in KEYS}
    if image.format == "TIFF":
        found["exif"] = _tiff_exif(image)
    if strip:
        found["exif"] = found["xmp"] = None
    exif, icc_profile, xmp = (found[key] or None for key in ("exif", "icc_profile", "xmp"))
    return EncodeOptions(
        exif=exif if isinstance(exif, bytes) else None,
        icc_profile=icc_profile if isinstance(icc_profile, bytes) else None,
        xmp=xmp if isinstance(xmp, bytes | str) else None,
    )


def _tiff_exif(image: Image.Image) -> bytes | None:
    own, kept = image.getexif(), Image.Exif()
    for tag in _TIFF_FACTS:
        if tag in own:
            kept[tag] = own[tag]
    for directory in _TIFF_DIRECTORIES:
        if values := own.get_ifd(directory):
            kept[directory] = values
    return kept.tobytes() if kept else None


def _is_deep(image: Image.Image) -> bool:
    """Whether Pillow is about to drop the lower half of 16-bit colour samples, which it does silently."""
    return image.mode in MODES and any(";16" in str(tile.args) for tile in getattr(image, "tile", ()))


def _alike(frames: list[Image.Image]) -> list[Image.Image]:
    if len({frame.size for frame in frames}) > 1:
        raise UnsupportedImage(detail="its frames differ in size; choose one with --frame")
    modes = {frame.mode for frame in frames}
    if len(modes) == 1:
        return frames
    common = ("RGB" if any(m.startswith("RGB") for m in modes) else "L") + ("A" if any("A" in m for m in modes) else "")
    return [frame.convert(common) for frame in frames]
