"""What metadata an image has, whichever format it comes from, and what of it cannot be kept."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from PIL import Image

from nncodec.errors import InvalidOption
from nncodec.format.animation import Animation
from nncodec.format.metadata import KEYS, metadata_chunks
from nncodec.picture.cicp import cicp_of
from nncodec.picture.conversion import loses_profile
from nncodec.picture.exif import PREFIX, XMP_KEYS, exif_of, raw_profile, raw_xmp, with_size
from nncodec.picture.openers import frame_count
from nncodec.picture.profile import colours_of_file, misfit

# Marks of a gain map, which makes an HDR picture of a JPEG: in XMP (Adobe, Apple), and before its own segment (ISO).
_GAIN_MAPS_IN_XMP = (b"hdrgm", b"HDRGainMap")
_ISO_GAIN_MAP = b"urn:iso:std:iso:ts:21496"
_PHOTOSHOP_IPTC = 0x0404
# What tags of a TIFF file say that is not kept.
_TIFF_IPTC, _TIFF_PHOTOSHOP, _GEO_KEYS = 33723, 34377, 34735
# Text in `info` that is kept, or that describes the file.
_NOT_TEXT = {"XML:com.adobe.xmp", "comment", "compression", "mode", "model", "xmp"} | {
    f"Raw profile type {name}" for name in ("APP1", "exif", "icc", "icm", "xmp")
}
# Text that programs write of their own accord: about themselves, or a second time what is kept elsewhere.
_TECHNICAL = {"Software", "encoder"}
_TECHNICAL_PREFIXES = ("date:", "exif:", "icc:", "jpeg:", "png:", "signature", "Thumb::", "tiff:", "xmp:")
_NAMED_TEXTS = 5
# Formats with metadata behind the pixels, or (TIFF) an orientation that Pillow applies to them.
_TOLD_BY_LOADING = ("PNG", "TIFF")
_LONGEST_MS = (1 << 35) - 1


@dataclass(frozen=True)
class Metadata:
    """Metadata of an image.

    Args:
        exif, icc_profile, xmp: bytes, or None.
        dpi: (horizontal, vertical), or None.
        animation: how the frames are shown, or None.
        notes: for the user, on what is not kept.
    """

    exif: bytes | None = None
    icc_profile: bytes | None = None
    xmp: bytes | None = None
    dpi: tuple[float, float] | None = None
    animation: Animation | None = None
    notes: tuple[str, ...] = ()

    def chunks(self) -> dict[int, bytes]:
        """Return the chunks of an .nnc file; raises InvalidOption if a value is too large."""
        return metadata_chunks({**{key: getattr(self, key) for key in KEYS}, "dpi": self.dpi}, self.animation)


def metadata_of(
    images: Sequence[Image.Image],
    options: Mapping[str, Any] | None = None,
    *,
    strip: bool = False,
    keeps_colours: bool = False,
    keeps_texts: bool = False,
) -> Metadata:
    """Return the metadata of an image or of the frames of one.

    Args:
        images: the frames; those after the first only say how long they are shown.
        options: values that override what the images have, as in `EncodeOptions`; None stands for nothing.
        strip: leave out EXIF, XMP and notes on text.
        keeps_colours: whether CMYK is stored as it is.
        keeps_texts: leave out notes on text.

    Raises:
        InvalidOption: a value of the options has the wrong type or is out of range.
    """
    options = options or {}
    image = images[0]
    mode = image.mode if image.mode == "CMYK" and keeps_colours else Image.getmodebase(image.mode)
    is_converted = loses_profile(image) and mode != image.mode
    cicp = cicp_of(image)  # while the file is open
    if image.format in _TOLD_BY_LOADING:
        image.load()
    notes: list[str] = []
    exif = xmp = None
    if not strip:
        exif = _as_bytes("exif", options["exif"]) if "exif" in options else exif_of(image)
        exif = exif.removeprefix(PREFIX) if exif else None
        xmp = _as_bytes("xmp", options["xmp"]) if "xmp" in options else _xmp_of(image.info)
        notes += [] if keeps_texts else _texts_not_kept(image)
    if "xmp" not in options and _has_gain_map(image, _xmp_of(image.info)):
        notes.append(
            "its HDR gain map is not kept, nor the XMP that describes it; what remains is the picture for other screens"
        )
        xmp = None
    if image.format == "MPO" and len(images) == 1 and image.tell() == 0 and (count := frame_count(image)) > 1:
        notes.append(f"of {count} pictures in this MPO file, the first is used")
    if is_converted:
        profile = None
    elif "icc_profile" in options:
        profile = _as_bytes("icc_profile", options["icc_profile"])
    else:
        profile = _bytes_or_none(image.info.get("icc_profile")) or raw_profile(image.info, "icc", "icm")
    reason = misfit(profile, mode) if profile else ""
    if reason:
        notes.append(reason)
        profile = None
    elif not profile and "icc_profile" not in options and not is_converted:
        profile, note = colours_of_file(image.info, cicp, mode)
        notes += [note] if note else []
    return Metadata(
        exif=with_size(exif, image.size) if exif else None,
        icc_profile=profile,
        xmp=xmp,
        dpi=_dpi_option(options["dpi"]) if "dpi" in options else _dpi_of(image.info),
        animation=_animation_of(images, options),
        notes=tuple(notes),
    )


def info_of_copy(image: Image.Image, copy: Image.Image) -> tuple[dict[str | tuple[int, int], Any], tuple[str, ...]]:
    """Return the `info` of a picture that was made from an image, and notes on what of it no longer holds.

    Args:
        image: as it was opened.
        copy: the image in the mode and size of the new picture, with an `info`.
    """
    kept = metadata_of([image], keeps_texts=True)
    info = dict(copy.info)
    current = {"exif": PREFIX + with_size(kept.exif, copy.size) if kept.exif else None, "icc_profile": kept.icc_profile}
    for key, value in current.items():
        info.pop(key, None)
        if value is not None:
            info[key] = value
    if kept.xmp is None:
        info = {key: value for key, value in info.items() if key not in XMP_KEYS}
    return info, kept.notes


# --- bytes --------------------------------------------------------------------------------------------------------


def _as_bytes(option: str, value: object) -> bytes | None:
    if isinstance(value, Image.Exif):
        value = value.tobytes()
    if isinstance(value, str) and option == "xmp":
        value = value.encode(errors="replace")  # a lone surrogate has no UTF-8 form
    if value is None or isinstance(value, bytes | bytearray):
        return bytes(value) if value else None
    raise InvalidOption(option=option, reason=f"expected bytes, got {type(value).__name__}")


def _bytes_or_none(value: object) -> bytes | None:
    return bytes(value) or None if isinstance(value, bytes | bytearray) else None


def _xmp_of(info: Mapping[Any, Any]) -> bytes | None:
    xmp = info.get("xmp") or info.get("XML:com.adobe.xmp")
    if isinstance(xmp, str):
        xmp = xmp.encode(errors="replace")
    return _bytes_or_none(xmp) or raw_xmp(info)


def _has_gain_map(image: Image.Image, xmp: bytes | None) -> bool:
    if xmp and any(mark in xmp for mark in _GAIN_MAPS_IN_XMP):
        return True
    segments = getattr(image, "applist", ())  # of a JPEG
    return any(isinstance(content, bytes) and content.startswith(_ISO_GAIN_MAP) for _, content in segments)


def _texts_not_kept(image: Image.Image) -> Iterator[str]:
    info = image.info
    if info.get("comment"):
        yield "its comment is not kept"
    texts = [key for key, value in info.items() if isinstance(key, str) and isinstance(value, str)]
    names = [name for name in texts if name not in _NOT_TEXT | _TECHNICAL and not name.startswith(_TECHNICAL_PREFIXES)]
    if names:
        more = f" and {len(names) - _NAMED_TEXTS} more" if len(names) > _NAMED_TEXTS else ""
        yield f"its text is not kept: {', '.join(names[:_NAMED_TEXTS])}{more}"
    photoshop, tags = info.get("photoshop"), getattr(image, "tag_v2", {})
    in_tags = _TIFF_IPTC in tags or _PHOTOSHOP_IPTC.to_bytes(2, "big") in _photoshop_kinds(tags.get(_TIFF_PHOTOSHOP))
    if in_tags or (isinstance(photoshop, Mapping) and _PHOTOSHOP_IPTC in photoshop):
        yield "its IPTC record is not kept"
    if _GEO_KEYS in tags:
        yield "its place on the map (GeoTIFF) is not kept"


def _photoshop_kinds(blocks: object) -> set[bytes]:
    """Return the kinds of the blocks that Photoshop puts into a TIFF file."""
    return {part[:2] for part in blocks.split(b"8BIM")[1:]} if isinstance(blocks, bytes) else set()


# --- numbers ------------------------------------------------------------------------------------------------------


def _dpi_of(info: Mapping[Any, Any]) -> tuple[float, float] | None:
    try:
        dpi = _dpi_option(info.get("dpi"))
    except InvalidOption:  # files say anything
        return None
    return None if dpi == (1, 1) else dpi  # Pillow's value for TIFF files that do not say it


def _dpi_option(value: Any) -> tuple[float, float] | None:
    if value is None:
        return None
    try:
        x, y = (float(number) for number in (value if isinstance(value, Sequence) else (value, value)))
    except (TypeError, ValueError, ZeroDivisionError):
        x = y = np.nan
    if not (0.001 <= x < 1e7 and 0.001 <= y < 1e7):
        raise InvalidOption(option="dpi", reason=f"{value!r} is not two numbers of dots per inch, above 0")
    return x, y


def _animation_of(images: Sequence[Image.Image], options: Mapping[str, Any]) -> Animation | None:
    if len(images) < 2:
        return None
    infos = [image.info for image in images]
    loop = _loop_option(options["loop"]) if "loop" in options else infos[0].get("loop")
    loop = loop if isinstance(loop, int) and 0 <= loop <= _LONGEST_MS else None
    durations = _durations_option(options["duration"], len(images)) if "duration" in options else _durations_of(infos)
    is_still = bool(infos[0].get("default_image"))
    if durations is None and loop is None and not is_still:
        return None
    return Animation(durations or (0,) * len(images), loop, is_still)


def _loop_option(value: Any) -> int | None:
    is_number = isinstance(value, int | np.integer) and not isinstance(value, bool)
    if value is not None and not (is_number and 0 <= value <= _LONGEST_MS):
        raise InvalidOption(option="loop", reason=f"{value!r} is not a whole number from 0")
    return None if value is None else int(value)


def _durations_of(infos: Sequence[Mapping[Any, Any]]) -> tuple[int, ...] | None:
    given = [info.get("duration") for info in infos]
    if isinstance(given[0], list | tuple) and len(given[0]) == len(given):
        given = list(given[0])  # some plugins list all durations with the first frame
    durations = [_milliseconds(value) for value in given]
    return None if all(value is None for value in durations) else tuple(value or 0 for value in durations)


def _durations_option(value: Any, frames: int) -> tuple[int, ...] | None:
    if value is None:
        return None
    given = list(value) if isinstance(value, Sequence | np.ndarray) and not isinstance(value, str) else [value] * frames
    durations = [_milliseconds(number) for number in given]
    if len(given) != frames or None in durations:
        reason = f"{value!r} is not a number of milliseconds from 0, or one for each of the {frames} frames"
        raise InvalidOption(option="duration", reason=reason)
    return tuple(number for number in durations if number is not None)


def _milliseconds(value: object) -> int | None:
    is_number = isinstance(value, int | float | np.integer | np.floating) and not isinstance(value, bool)
    return round(value) if is_number and 0 <= value <= _LONGEST_MS else None  # type: ignore[operator,call-overload]
