"""What a format that is written takes along of metadata and of the timing of frames, and notes on the rest."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import Any, NamedTuple

from PIL import Image
from PIL.PngImagePlugin import PngInfo

from nncodec.format.metadata import KEYS
from nncodec.picture.exif import PREFIX, is_sound, orientation_in
from nncodec.picture.exif_entries import said_upright, with_size
from nncodec.picture.profile import misfit
from nncodec.picture.reading import upright

_HOLDS_METADATA = ("AVIF", "HEIF", "JPEG", "JXL", "MPO", "PNG", "TIFF", "WEBP")
_HOLDS_DPI = ("BMP", "JPEG", "MPO", "PNG", "TIFF")
_STORES_GREY_AS_RGB = ("AVIF", "HEIF", "WEBP")
_JPEGS = ("JPEG", "MPO")
_WRITES_EXIF_ANEW = ("AVIF", "TIFF")
# What the box of EXIF in JPEG XL begins with (ISO/IEC 18181-2): how far behind it the TIFF stream lies.
_JXL_EXIF_OFFSET = bytes(4)
_SEGMENT_BYTES = 0xFFFF - 2  # what a segment of a JPEG holds
_XMP_HEAD_BYTES = 29
_MOST_DPI = 0xFFFF  # of JPEG
_MOST_LOOPS = 0xFFFF  # of GIF and WebP
_LONGEST_MS = {"AVIF": 0xFFFF_FFFF, "GIF": 655_350, "PNG": 65_535_000, "WEBP": 0xFF_FFFF}
_GIF_STEP_MS = 10
_MOST_OF_PNG = 0xFFFF  # numerator of a duration in seconds
_GIF_TO_BACKGROUND = 2
_XMP_TAG = 700
_NAMES = {"icc_profile": "ICC profile", "dpi": "resolution"}


class Carried(NamedTuple):
    """What goes into a file.

    Args:
        images: turned as EXIF or XMP says, if the file will not say it.
        settings: of Pillow's writer.
        notes: for the user.
    """

    images: list[Image.Image]
    settings: dict[str, Any]
    notes: tuple[str, ...]


def carry(images: Sequence[Image.Image], kind: str, *, strip: bool) -> Carried:
    """Return what a file of a format takes along of the `info` of its images.

    Args:
        images: all frames of the file.
        kind: Pillow's name of the format.
        strip: omit EXIF and XMP.
    """
    info = images[0].info
    wanted = {key: info[key] for key in (*KEYS, "dpi") if info.get(key)}
    if strip:
        wanted = {key: value for key, value in wanted.items() if key not in ("exif", "xmp")}
    kept, notes = _fitting(wanted, kind, images[0].mode)
    turned = list(images)
    # In JPEG XL the codestream says it, not EXIF, and the plugin's writer always says upright there; of AVIF, Pillow
    # crashes where several frames have one.
    holds_orientation = kind != "JXL" and (kind != "AVIF" or len(images) == 1)
    if not holds_orientation or orientation_in(kept) != orientation_in(info):
        turned, kept = [upright(image) for image in images], said_upright(kept)
    settings = _metadata_settings(kept, kind, turned[0].size)
    if len(images) > 1:
        timing, timing_notes = _timing(images, kind)
        settings |= timing
        notes += timing_notes
    return Carried(turned, settings, tuple(notes))


def _fitting(wanted: dict[str, Any], kind: str, mode: str) -> tuple[dict[str, Any], list[str]]:
    """Return the metadata that a format holds, and notes on what it does not."""
    held = (KEYS.keys() if kind in _HOLDS_METADATA else set()) | ({"dpi"} if kind in _HOLDS_DPI else set())
    kept = {key: value for key, value in wanted.items() if key in held}
    notes = []
    if lost := ", ".join(_NAMES.get(key, key.upper()) for key in wanted if key not in held):
        notes.append(f"{kind} does not carry its {lost}")
    if kind == "JXL" and kept.pop("icc_profile", None):
        notes.append("Pillow's JPEG XL writer does not carry its ICC profile")
    stored_mode = "RGB" if kind in _STORES_GREY_AS_RGB else mode
    if "icc_profile" in kept and (reason := misfit(kept["icc_profile"], stored_mode)):
        del kept["icc_profile"]
        notes.append(reason)
    if kind in _WRITES_EXIF_ANEW and "exif" in kept and not is_sound(kept["exif"].removeprefix(PREFIX)):
        del kept["exif"]
        notes.append(f"its EXIF is damaged and left out: {kind} files get EXIF that is written anew")
    if kind in _JPEGS:
        for key, head in (("exif", len(PREFIX)), ("xmp", _XMP_HEAD_BYTES)):
            most = _SEGMENT_BYTES - head
            if (found := len(kept.get(key, b"").removeprefix(PREFIX))) > most:
                del kept[key]
                notes.append(f"its {key.upper()} of {found:,} bytes is left out: JPEG holds {most:,}")
        if max(kept.get("dpi", (0, 0))) > _MOST_DPI:
            del kept["dpi"]
            notes.append(f"its resolution is left out: JPEG holds {_MOST_DPI:,} dots per inch")
    return kept, notes


def _metadata_settings(kept: dict[str, Any], kind: str, size: tuple[int, int]) -> dict[str, Any]:
    """Return the metadata as options of Pillow's writer for this format."""
    settings = dict(kept)
    if "exif" in kept:
        settings["exif"] = with_size(kept["exif"].removeprefix(PREFIX), size)
    if kind in _JPEGS and "exif" in kept:
        settings["exif"] = PREFIX + settings["exif"]
    if kind == "JXL" and "exif" in kept:
        settings["exif"] = _JXL_EXIF_OFFSET + settings["exif"]
    if kind == "PNG" and "xmp" in kept:
        text = PngInfo()
        text.add_itxt("XML:com.adobe.xmp", settings.pop("xmp").decode("utf-8", "replace"))
        settings["pnginfo"] = text
    if kind == "TIFF" and ("exif" in kept or "xmp" in kept):
        exif = Image.Exif()
        exif.load(settings.get("exif", b""))
        if xmp := settings.pop("xmp", None):
            exif[_XMP_TAG] = xmp
        settings["exif"] = exif
    return settings


def _timing(images: Sequence[Image.Image], kind: str) -> tuple[dict[str, Any], list[str]]:
    """Return how the frames of an animation are shown, as options of Pillow's writer."""
    info = images[0].info
    is_timed = any("duration" in image.info for image in images)
    durations = [image.info.get("duration", 0) for image in images]
    loop, is_still = info.get("loop"), bool(info.get("default_image"))
    settings: dict[str, Any] = {}
    notes: list[str] = []
    if kind == "TIFF":
        return settings, ["TIFF does not carry the durations of its frames"] if is_timed or loop is not None else []
    longest = _LONGEST_MS[kind]
    if max(durations) > longest:
        notes.append(f"{kind} holds durations up to {longest:,} ms; longer ones are shortened to that")
        durations = [min(duration, longest) for duration in durations]
    steps = [_in_steps(duration, kind) for duration in durations]
    if steps != durations:
        step = f"{_GIF_STEP_MS} ms" if kind == "GIF" else "a second where they are long"
        notes.append(f"{kind} holds durations in steps of {step}; they are rounded")
        durations = steps
    if kind == "GIF" and any(image.has_transparency_data for image in images):
        settings["disposal"] = _GIF_TO_BACKGROUND  # else frames would show through transparent pixels of later ones
    if is_still and kind == "PNG":
        settings["default_image"] = True
        durations = durations[1:]
    elif is_still:
        notes.append(f"its first frame is a still picture beside the animation; {kind} shows it with the others")
    if is_timed:
        settings["duration"] = durations
    if kind == "AVIF":
        notes += [] if loop is None else ["AVIF does not carry its loop count"]
    elif loop is not None:
        settings["loop"] = min(loop, _MOST_LOOPS)
    elif is_timed and kind != "GIF":
        settings["loop"] = 1  # without it the writers choose for ever
    return settings, notes


def _in_steps(duration_ms: int, kind: str) -> int:
    """Return the duration that a format holds instead of one, in milliseconds."""
    if kind == "GIF":
        return _GIF_STEP_MS * round(duration_ms / _GIF_STEP_MS)
    if kind == "PNG" and Fraction(duration_ms, 1000).numerator > _MOST_OF_PNG:
        return 1000 * round(duration_ms / 1000)
    return duration_ms
