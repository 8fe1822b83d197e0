"""What metadata an image has, whichever format it comes from, and notes on what cannot be kept."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from PIL import ExifTags, Image

from nncodec._support.numbers import real_number, whole_number
from nncodec.errors import InvalidOption
from nncodec.format.animation import Animation
from nncodec.format.metadata import KEYS, metadata_chunks
from nncodec.picture.cicp import cicp_of
from nncodec.picture.conversion import loses_profile
from nncodec.picture.exif import PREFIX, XMP_KEYS, exif_bytes, exif_of, is_turned_by_decoder, raw_profile, resolution_of
from nncodec.picture.exif_entries import said_upright, with_size
from nncodec.picture.losses import (
    companions_of,
    not_looked_up,
    pictures_not_kept,
    samples_not_kept,
    shape_not_kept,
    sizes_not_kept,
    texts_not_kept,
    unlike_first,
)
from nncodec.picture.profile import colours_of_file, misfit
from nncodec.picture.unread import unread_of
from nncodec.picture.xmp import without_second_part, xmp_of, xmp_with_size

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
    of_file: bool = False,
) -> Metadata:
    """Return the metadata of an image or of the frames of one.

    Args:
        images: the frames; those after the first only say how long they are shown, and notes tell where they differ.
        options: values that override what the images have, as in `EncodeOptions`; None stands for nothing.
        strip: leave out EXIF, XMP and notes on text.
        keeps_colours: whether CMYK is stored as it is.
        keeps_texts: leave out notes on text.
        of_file: leave out notes on bits and on further frames: the caller reads the file.

    Raises:
        InvalidOption: a value of the options has the wrong type or is out of range.
    """
    options = options or {}
    image = images[0]
    mode = image.mode if image.mode == "CMYK" and keeps_colours else Image.getmodebase(image.mode)
    is_converted = loses_profile(image) and mode != image.mode
    cicp, unread = cicp_of(image), unread_of(image)  # while the file is open
    # Pillow shows such files as they are, whatever that metadata says of their orientation.
    beside = said_upright({"exif": unread.exif, "xmp": unread.xmp})
    beside_pixels = [] if of_file else samples_not_kept(images) + not_looked_up(image, options, is_exact=keeps_colours)
    if len(images) == 1 and not of_file:
        beside_pixels += pictures_not_kept(image)
    for told_by_loading in images:
        if told_by_loading.format in _TOLD_BY_LOADING:
            told_by_loading.load()
    notes: list[str] = []
    exif = xmp = None
    if not strip:
        exif = _as_bytes("exif", options["exif"]) if "exif" in options else exif_of(image) or beside["exif"]
        exif = exif.removeprefix(PREFIX) if exif else None
        xmp = _as_bytes("xmp", options["xmp"]) if "xmp" in options else xmp_of(image.info) or beside["xmp"]
        notes += [] if keeps_texts else texts_not_kept(image)
        notes += [unread.note] if unread.note and not keeps_texts else []
    if is_turned_by_decoder(image):
        upright = said_upright({"exif": exif, "xmp": xmp})
        exif = exif if "exif" in options else upright["exif"]
        xmp = xmp if "xmp" in options else upright["xmp"]
    if "xmp" not in options and (lost := companions_of(image)):
        notes += lost
        xmp = None
    if xmp and (whole := without_second_part(xmp)) != xmp:
        notes.append("the second part of its XMP is not kept")
        xmp = whole
    notes += shape_not_kept(image)
    notes += unlike_first(images, options)
    notes += beside_pixels + sizes_not_kept(image)
    if is_converted:
        profile = None
    elif "icc_profile" in options:
        profile = _as_bytes("icc_profile", options["icc_profile"])
    else:
        profile = _bytes_or_none(image.info.get("icc_profile")) or raw_profile(image.info, "icc", "icm")
        profile = profile or unread.icc_profile or None
    reason = misfit(profile, mode) if profile else ""
    if reason:
        notes.append(reason)
        profile = None
    elif not profile and "icc_profile" not in options and not is_converted:
        profile, note = colours_of_file(image.info, cicp, getattr(image, "tag_v2", {}), mode)
        notes += [note] if note else []
    return Metadata(
        exif=with_size(exif, image.size) if exif else None,
        icc_profile=profile,
        xmp=xmp_with_size(xmp, image.size) if xmp else None,
        dpi=_dpi_option(options["dpi"]) if "dpi" in options else _dpi_of(image),
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
    info = {key: value for key, value in info.items() if key not in XMP_KEYS}
    if kept.xmp:
        info["xmp"] = xmp_with_size(kept.xmp, copy.size)
    return info, kept.notes


# --- bytes --------------------------------------------------------------------------------------------------------


def _as_bytes(option: str, value: object) -> bytes | None:
    if isinstance(value, Image.Exif):
        value = exif_bytes(value)
    if isinstance(value, str) and option == "xmp":
        value = value.encode(errors="replace")  # a lone surrogate has no UTF-8 form
    if value is None or isinstance(value, bytes | bytearray):
        return bytes(value) if value else None
    raise InvalidOption(option=option, reason=f"expected bytes, got {type(value).__name__}")


def _bytes_or_none(value: object) -> bytes | None:
    return bytes(value) or None if isinstance(value, bytes | bytearray) else None


# --- numbers ------------------------------------------------------------------------------------------------------


def _dpi_of(image: Image.Image) -> tuple[float, float] | None:
    try:
        dpi = _dpi_option(image.info["dpi"] if "dpi" in image.info else resolution_of(image))
    except InvalidOption:  # files say anything
        return None
    return None if dpi == (1, 1) or (dpi == (72, 72) and _is_unsaid(image)) else dpi  # (1, 1) is Pillow's for TIFF


def _is_unsaid(image: Image.Image) -> bool:
    """Return whether an image is a JPEG with EXIF that says no resolution: Pillow puts 72 dpi into `info` then."""
    try:
        is_said = bool(image.info.get("jfif_unit")) or ExifTags.Base.XResolution in image.getexif()
    except Exception:  # cameras write anything as EXIF, and Pillow's parser may raise anything
        is_said = False
    return image.format in ("JPEG", "MPO") and not is_said


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
    infos = [image.info for image in images]
    loop = _loop_option(options["loop"]) if "loop" in options else infos[0].get("loop")
    loop = loop if isinstance(loop, int) and 0 <= loop <= _LONGEST_MS else None
    durations = _durations_option(options["duration"], len(images)) if "duration" in options else _durations_of(infos)
    if len(images) < 2:
        return None
    is_still = bool(infos[0].get("default_image"))
    if durations is None and loop is None and not is_still:
        return None
    return Animation(durations or (0,) * len(images), loop, is_still)


def _loop_option(value: Any) -> int | None:
    number = whole_number(value)
    if value is not None and (number is None or not 0 <= number <= _LONGEST_MS):
        raise InvalidOption(option="loop", reason=f"{value!r} is not a whole number from 0")
    return number


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
    if (len(given) != frames and frames > 1) or None in durations:  # a single frame has none
        each = f"of the {frames} frames" if frames > 1 else "frame"
        reason = f"{value!r} is not a number of milliseconds from 0 to {_LONGEST_MS:,}, or one for each {each}"
        raise InvalidOption(option="duration", reason=reason)
    return tuple(number for number in durations if number is not None)


def _milliseconds(value: object) -> int | None:
    number = real_number(value)
    return round(number) if number is not None and 0 <= number <= _LONGEST_MS else None
