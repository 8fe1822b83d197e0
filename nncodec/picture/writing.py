"""Writes images in any format that Pillow writes, with the metadata that the format can hold."""

from __future__ import annotations

import io
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from PIL import Image

from nncodec.errors import InvalidOption, UnsupportedImage, first_line
from nncodec.picture.carrying import carry
from nncodec.picture.conversion import MODES, convert
from nncodec.picture.openers import STUBS, package_for, register_packages
from nncodec.picture.reductions import PDF_QUALITY, reduction
from nncodec.picture.sizes import check_size

ANIMATED = ("AVIF", "GIF", "TIFF", "WEBP")
"""Formats that usually hold all frames in one file."""

_ANIMATED_ON_REQUEST = ("PNG",)

_HOLDS_ALPHA = (
    *ANIMATED,
    "DDS",
    "ICNS",
    "ICO",
    "IM",
    "JPEG2000",
    "JXL",
    "HEIF",
    "PDF",
    "PNG",
    "QOI",
    "SGI",
    "TGA",
)
# Decoded images are lossy already: these settings lose nothing more, or nearly nothing.
_SETTINGS: dict[str, dict[str, Any]] = {
    "AVIF": {"quality": 90, "subsampling": "4:4:4"},
    "HEIF": {"quality": 90, "chroma": 444},
    "JPEG": {"quality": 95, "subsampling": 0},
    "JXL": {"lossless": True},
    "MPO": {"quality": 95, "subsampling": 0},
    "PDF": {"quality": PDF_QUALITY},
    "WEBP": {"lossless": True, "exact": True},
}
_NEARLY_LOSSLESS = 90  # from this quality on, chroma keeps its resolution
_RICHER_MODE = {"L": "RGB", "LA": "RGBA"}
# Modes beyond `MODES` that formats hold; others get them converted.
_HOLDS_MODES = {
    "BLP": ("P",),
    "BMP": ("1", "P"),
    "DIB": ("1", "P"),
    "GIF": ("1", "P"),
    "JPEG": ("CMYK",),
    "JPEG2000": ("I;16",),
    "JXL": ("I;16",),
    "MPO": ("CMYK",),
    "MSP": ("1",),
    "PALM": ("1", "P"),
    "PCX": ("1", "P"),
    "PDF": ("1",),
    "PNG": ("1", "P", "I;16"),
    "PPM": ("1", "I;16"),
    "TGA": ("1", "P"),
    "TIFF": ("1", "P", "I;16", "CMYK"),
    "XBM": ("1",),
}
_HOLDS_NO_OTHERS = ("BLP", "MSP", "PALM", "XBM")
_HOLDS_CLEAR_PALETTES = ("GIF", "PNG")
# Where the flags of an animated WebP file stand.
_WEBP_HEADER, _WEBP_FLAGS, _WEBP_HAS_ALPHA = b"VP8X", 20, 0x10


def format_of(extension: str) -> str:
    """Return Pillow's name of the format with this extension.

    Raises:
        InvalidOption: Pillow writes no such format, or it is no text (option "format").
    """
    if not isinstance(extension, str):
        raise InvalidOption(
            option="format", reason=f"expected an extension such as png, got {type(extension).__name__}"
        )
    extension = "." + extension.lower().removeprefix(".")
    register_packages()
    kind = Image.registered_extensions().get(extension)
    if package := package_for(extension):
        raise InvalidOption(option="format", reason=f"writing {extension} needs a package: pip install {package}")
    if kind not in Image.SAVE or kind in STUBS:
        reason = f"Pillow writes no {extension} files; use .png, .jpg, .webp, .tif or another it knows"
        raise InvalidOption(option="format", reason=reason)
    return kind


def check_quality(kind: str, quality: int | None) -> None:
    """Raise InvalidOption (option "quality") if a quality is given for a format that has none."""
    if quality is not None and kind not in _SETTINGS:
        reason = f"{kind} is lossless and has no quality; {', '.join(sorted(_SETTINGS))} have one"
        raise InvalidOption(option="quality", reason=reason)


def extension_of(path: Path) -> str:
    """Return a path's extension; raises InvalidOption (option "output") if it has none."""
    if not path.suffix:
        reason = f"{path} has no extension that says its format; add one, or use --format"
        raise InvalidOption(option="output", reason=reason)
    return path.suffix


def holds_all_frames(kind: str, *, animate: bool) -> bool:
    """Return whether all frames go into one file of a format.

    Args:
        kind: Pillow's name of the format.
        animate: whether an animation is asked for, which also PNG can be.

    Raises:
        InvalidOption: an animation is asked for, and the format holds none (option "animate").
    """
    holds = kind in ANIMATED or (animate and kind in _ANIMATED_ON_REQUEST)
    if animate and not holds:
        formats = ", ".join(sorted((*ANIMATED, *_ANIMATED_ON_REQUEST)))
        raise InvalidOption(option="animate", reason=f"{kind} files hold one picture; use {formats}")
    return holds


def save(
    images: Sequence[Image.Image], kind: str, *, strip: bool, quality: int | None = None
) -> tuple[bytes, tuple[str, ...]]:
    """Return the bytes of a file of this format, and notes for the user.

    Args:
        images: one image, or several for a format of `ANIMATED`; their `info` is cleared.
        kind: Pillow's name of the format, see `format_of`.
        strip: omit EXIF and XMP.
        quality: 0..100 for lossy formats; by default one that loses nothing visible.

    Raises:
        UnsupportedImage: the format cannot hold the image, or Pillow cannot write it.
        InvalidOption: the format has no quality.
    """
    check_quality(kind, quality)
    images, converted = _fitting(images, kind)
    first = images[0]
    check_size(kind, *first.size, first.mode)
    if first.mode.endswith("A") and kind not in _HOLDS_ALPHA:
        if any(map(_is_seen_through, images)):
            raise UnsupportedImage(
                detail=f"the picture has transparency, which {kind} cannot hold; decode it to .png, .webp or .avif"
            )
        images = [_without_alpha(image) for image in images]
        first = images[0]
    if first.mode == "I;16" and kind == "PNG" and len(images) > 1:  # Pillow compares and cuts frames as if of 8 bits
        raise UnsupportedImage(
            detail="Pillow cannot write animated PNG files of 16 bits; decode it to .tif, or without --animate"
        )
    carried = carry(images, kind, strip=strip)
    images, own, reduced = reduction(carried.images, kind, quality)
    notes = converted + carried.notes + reduced
    settings = own | _quality_settings(kind, quality, first.mode) | carried.settings
    if len(images) > 1:
        settings |= {"save_all": True}
    for image in images:  # the settings hold what is to be written
        image.info = {key: image.info[key] for key in ("transparency",) if image.mode == "P" and key in image.info}
    try:
        data = _bytes_of(images, kind, settings)
    except UnsupportedImage:
        richer = _RICHER_MODE.get(first.mode)
        if richer is None:
            raise
        data = _bytes_of([image.convert(richer) for image in images], kind, settings)
    return data, notes + _frames_lost(data, len(images))


def save_frames(
    frames: Iterable[Image.Image],
    numbers: range,
    kind: str,
    *,
    strip: bool,
    quality: int | None = None,
    animate: bool = False,
) -> tuple[tuple[tuple[str, bytes], ...], tuple[str, ...]]:
    """Return the files that hold these frames, one for each unless the format holds several, and notes for the user.

    Args:
        frames: read one by one if each gets a file.
        numbers: of the frames, in their order.
        kind, strip, quality: see `save`.
        animate: see `holds_all_frames`.

    Returns:
        A part of the name, to put before the suffix, and the bytes of each file; and the notes.
    """
    groups = [list(frames)] if holds_all_frames(kind, animate=animate) else ([image] for image in frames)
    saved = [save(group, kind, strip=strip, quality=quality) for group in groups]
    digits = max(4, len(str(numbers[-1])))
    infixes = [f"-{number:0{digits}}" for number in numbers] if len(saved) > 1 else [""]
    notes = tuple(dict.fromkeys(note for _, told in saved for note in told))
    if len(saved) > 1:
        offer = "; --animate writes one animated PNG" if kind in _ANIMATED_ON_REQUEST else ""
        notes += (f"its {len(saved)} frames are written to files of their own{offer}",)
    return tuple((infix, data) for infix, (data, _) in zip(infixes, saved, strict=True)), notes


def _fitting(images: Sequence[Image.Image], kind: str) -> tuple[Sequence[Image.Image], tuple[str, ...]]:
    """Return images in a mode that the format holds, and a note if they were converted.

    Raises:
        UnsupportedImage: the format holds only modes that they would be poorer in.
    """
    mode, is_clear = images[0].mode, images[0].has_transparency_data
    held = _HOLDS_MODES.get(kind, ())
    if mode in held and not (mode == "P" and is_clear and kind not in _HOLDS_CLEAR_PALETTES):
        return images, ()
    if kind in _HOLDS_NO_OTHERS:
        has = "P with transparency" if mode == "P" and is_clear else mode
        raise UnsupportedImage(
            detail=f"{kind} holds only mode {' or '.join(held)}, and the picture has {has}; decode it to .png or .tif"
        )
    if mode in MODES:
        return images, ()
    fitting = [convert(image).image for image in images]
    return fitting, (f"{kind} does not hold mode {mode}; it is written as {fitting[0].mode}",)


def _bytes_of(images: Sequence[Image.Image], kind: str, settings: dict[str, Any]) -> bytes:
    buffer = io.BytesIO()
    rest = {"append_images": list(images[1:])} if len(images) > 1 else {}
    try:
        images[0].save(buffer, kind, **settings, **rest)
    except MemoryError:
        raise
    except Exception as error:  # Pillow's encoders may raise anything
        size = "{:,} x {:,}".format(*images[0].size)
        raise UnsupportedImage(
            detail=f"Pillow cannot write {size} pixels of mode {images[0].mode} as {kind} ({first_line(error)}); "
            "write .png or .tif"
        ) from error
    data = buffer.getvalue()
    return _with_alpha_flag(data) if kind == "WEBP" and any(map(_is_seen_through, images)) else data


def _is_seen_through(image: Image.Image) -> bool:
    return image.mode.endswith("A") and any(image.getchannel("A").histogram()[:255])


def _without_alpha(image: Image.Image) -> Image.Image:
    opaque = image.convert(image.mode.removesuffix("A"))
    opaque.info = image.info
    return opaque


def _with_alpha_flag(webp: bytes) -> bytes:
    """Return a WebP file whose header says that it has alpha.

    libwebp says so only if the rectangles that change from frame to frame have alpha; around opaque ones, readers would
    show black instead of nothing.
    """
    if webp[12:16] != _WEBP_HEADER:  # a single frame, which says it itself
        return webp
    return webp[:_WEBP_FLAGS] + bytes([webp[_WEBP_FLAGS] | _WEBP_HAS_ALPHA]) + webp[_WEBP_FLAGS + 1 :]


def _quality_settings(kind: str, quality: int | None, mode: str) -> dict[str, Any]:
    """Return the options of Pillow's writer that set the quality."""
    if kind == "PDF" and mode == "1":  # goes in as a fax, which has none
        return {}
    default = _SETTINGS.get(kind, {})
    if quality is None:
        return default
    chroma = {} if quality < _NEARLY_LOSSLESS else {k: v for k, v in default.items() if k in ("subsampling", "chroma")}
    return {"quality": quality} | chroma


def _frames_lost(data: bytes, written: int) -> tuple[str, ...]:
    """Return a note if a file has fewer frames than were written: Pillow's writers join equal neighbours."""
    if written == 1:
        return ()
    with Image.open(io.BytesIO(data)) as image:
        count = getattr(image, "n_frames", 1)
        kind = image.format
    if count == written:
        return ()
    return (f"the {kind} file has {count} frames instead of {written}: equal ones in a row are one, shown for as long",)
