"""Writes images in any format that Pillow writes, with the metadata that the format can hold."""

from __future__ import annotations

import io
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from PIL import Image
from PIL.PngImagePlugin import PngInfo

from nncodec.errors import InvalidOption, UnsupportedImage
from nncodec.format.metadata import KEYS
from nncodec.picture.reading import upright

ANIMATED = ("AVIF", "GIF", "TIFF", "WEBP")
"""Formats that usually hold all frames in one file."""

_HOLDS_ALPHA = (*ANIMATED, "BMP", "DDS", "ICNS", "ICO", "IM", "JPEG2000", "PDF", "PNG", "QOI", "SGI", "TGA")
_HOLDS_METADATA = ("AVIF", "JPEG", "MPO", "PNG", "TIFF", "WEBP")
# Decoded images are lossy already: these settings lose nothing more, or nearly nothing.
_SETTINGS: dict[str, dict[str, Any]] = {
    "AVIF": {"quality": 90, "subsampling": "4:4:4"},
    "JPEG": {"quality": 95, "subsampling": 0},
    "MPO": {"quality": 95, "subsampling": 0},
    "WEBP": {"lossless": True},
}
_RICHER_MODE = {"L": "RGB", "LA": "RGBA"}
_XMP_TAG = 700
_EXIF_PREFIX = b"Exif\0\0"


def format_of(extension: str) -> str:
    """Return Pillow's name of the format with this extension.

    Raises:
        InvalidOption: Pillow writes no such format (option "format").
    """
    extension = "." + extension.lower().removeprefix(".")
    Image.init()
    kind = Image.registered_extensions().get(extension)
    if kind not in Image.SAVE or kind == "NNC":
        reason = f"Pillow writes no {extension} files; use .png, .jpg, .webp, .tif or another it knows"
        raise InvalidOption(option="format", reason=reason)
    return kind


def extension_of(path: Path) -> str:
    """Return a path's extension; raises InvalidOption (option "output") if it has none."""
    if not path.suffix:
        reason = f"{path} has no extension that says its format; add one, or use --format"
        raise InvalidOption(option="output", reason=reason)
    return path.suffix


def save(images: Sequence[Image.Image], kind: str, *, strip: bool) -> tuple[bytes, tuple[str, ...]]:
    """Return the bytes of a file of this format, and notes for the user.

    Args:
        images: one image, or several for a format of `ANIMATED`; their `info` is cleared.
        kind: Pillow's name of the format, see `format_of`.
        strip: omit EXIF and XMP.

    Raises:
        UnsupportedImage: the format cannot hold the image.
        OSError, ValueError: Pillow cannot write it.
    """
    first = images[0]
    if first.mode.endswith("A") and kind not in _HOLDS_ALPHA:
        raise UnsupportedImage(
            detail=f"the picture has transparency, which {kind} cannot hold; decode it to .png, .webp or .avif"
        )
    carried = {key: first.info[key] for key in KEYS if key in first.info}
    notes: tuple[str, ...] = ()
    if kind not in _HOLDS_METADATA and carried:
        names = ", ".join({"icc_profile": "ICC profile"}.get(key, key.upper()) for key in carried)
        notes = (f"{kind} does not carry its {names}",)
    if strip or kind not in _HOLDS_METADATA:
        images = [upright(image) for image in images] if "exif" in carried else images
        carried = {"icc_profile": carried["icc_profile"]} if "icc_profile" in carried else {}
    settings = _SETTINGS.get(kind, {}) | (_metadata_settings(carried, kind) if kind in _HOLDS_METADATA else {})
    if len(images) > 1:
        settings |= {"save_all": True}
    for image in images:
        image.info.clear()  # the settings hold what is to be written
    try:
        return _bytes_of(images, kind, settings), notes
    except (OSError, ValueError):
        richer = _RICHER_MODE.get(first.mode)
        if richer is None:
            raise
        return _bytes_of([image.convert(richer) for image in images], kind, settings), notes


def save_frames(
    frames: Iterable[Image.Image], numbers: range, kind: str, *, strip: bool
) -> tuple[tuple[tuple[str, bytes], ...], tuple[str, ...]]:
    """Return the files that hold these frames, one for each unless the format holds several, and notes for the user.

    Args:
        frames: read one by one if each gets a file.
        numbers: of the frames, in their order.
        kind, strip: see `save`.

    Returns:
        A part of the name, to put before the suffix, and the bytes of each file; and the notes.
    """
    groups = [list(frames)] if kind in ANIMATED else ([image] for image in frames)
    saved = [save(group, kind, strip=strip) for group in groups]
    digits = max(4, len(str(numbers[-1])))
    infixes = [f"-{number:0{digits}}" for number in numbers] if len(saved) > 1 else [""]
    notes = tuple(dict.fromkeys(note for _, told in saved for note in told))
    if len(saved) > 1:
        notes += (f"its {len(saved)} frames are written to files of their own",)
    return tuple((infix, data) for infix, (data, _) in zip(infixes, saved, strict=True)), notes


def _bytes_of(images: Sequence[Image.Image], kind: str, settings: dict[str, Any]) -> bytes:
    buffer = io.BytesIO()
    rest = {"append_images": list(images[1:])} if len(images) > 1 else {}
    images[0].save(buffer, kind, **settings, **rest)
    return buffer.getvalue()


def _metadata_settings(carried: dict[str, bytes], kind: str) -> dict[str, Any]:
    """Return the metadata as options of Pillow's writer for this format."""
    settings: dict[str, Any] = dict(carried)
    if kind in ("JPEG", "MPO") and "exif" in carried:
        settings["exif"] = _EXIF_PREFIX + carried["exif"].removeprefix(_EXIF_PREFIX)
    if kind == "PNG" and "xmp" in carried:
        text = PngInfo()
        text.add_itxt("XML:com.adobe.xmp", settings.pop("xmp").decode("utf-8", "replace"))
        settings["pnginfo"] = text
    if kind == "TIFF" and ("exif" in carried or "xmp" in carried):
        exif = Image.Exif()
        exif.load(carried.get("exif", b""))
        if xmp := settings.pop("xmp", None):
            exif[_XMP_TAG] = xmp
        settings["exif"] = exif
    return settings
